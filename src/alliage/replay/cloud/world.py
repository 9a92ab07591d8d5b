"""The world of a replayed cloud: control as it is, over agents, engines and a gateway on a virtual clock.

Each second control does a pass; a plan is there at once, as if solving took no time. Steps of engines and arrivals that come
before a pass are told before it.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alliage.catalog.records import Catalog, ModelCard
from alliage.control.desk import Desk
from alliage.control.loop import ControlLoop, LoopSettings
from alliage.control.orders import DeployOrder
from alliage.control.planning import Planning
from alliage.control.ports import Models
from alliage.decide.price.listed import listed_prices
from alliage.decide.solve.answer import Budget
from alliage.errors import NotFound
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.gateway.limits import GatewayLimits
from alliage.rehearsal.fleet_file import RehearsedNode
from alliage.rehearsal.pacing import pace_of_replica
from alliage.replay.cloud.agents import Agents, Paced
from alliage.replay.cloud.clock import VirtualClock
from alliage.replay.cloud.door import Door
from alliage.replay.cloud.doors import Doors
from alliage.replay.cloud.engines import Engines
from alliage.replay.requests.trace import Request
from alliage.store.sql import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A request and the service that it names."""

    service: ServiceName
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Implements Models: the catalogue's cards and no others."""

    catalog: Catalog

    async def resolve(self, reference: str, *, remote_code: bool) -> ModelCard:  # noqa: ARG002 - as Models has it
        """The card of a catalogue name; raises NotFound."""
        card = self.catalog.models.get(reference)
        if card is None:
            raise NotFound(f"there is no model {reference!r}", remedy="name one of the catalogue")
        return card


class Cloud:
    """Control, its store, gateways and the agents of a fleet. `close` when done."""

    def __init__(
        self,
        catalog: Catalog,
        nodes: Sequence[RehearsedNode],
        *,
        prices: Mapping[str, float],
        settings: LoopSettings | None = None,
        doors: int = 1,
        models: Models | None = None,
        paced: Paced = pace_of_replica,
    ) -> None:
        """`prices` of a device-hour, by chip; `paced` as Agents have it; `settings` are the loop's own where none are given."""
        self._catalog = catalog
        self._prices = prices
        self._settings = settings or LoopSettings()
        self._models = models or Cards(catalog=catalog)
        self.clock = VirtualClock()
        self._folder = tempfile.TemporaryDirectory(prefix="alliage-replay-")
        self.store = open_store(Path(self._folder.name) / "state.db")
        self._ids = 0
        self._solved = 0
        self.engines = Engines()
        self.doors = Doors(self.clock, self.engines, GatewayLimits(), self._answers, count=doors)
        self.agents = Agents(self.clock, nodes, self.engines, self.doors.broke, paced=paced)
        self._planning = self._planned()
        self.restart_control()
        self.loop.pass_once()

    def restart_control(self) -> None:
        """Control begins anew: of what it knew only the store is left."""
        self._solved += self._planning.solves
        planning = self._planning = self._planned()
        self.loop = ControlLoop(
            store=self.store,
            runtime=self.agents,
            doors=self.doors,
            catalog=self._catalog,
            clock=self.clock,
            new_id=self._new_id,
            settings=self._settings,
            woken=asyncio.Event(),
            planning=planning,
            rehearsed=frozenset(self.agents.nodes),
        )
        self.desk = Desk(
            store=self.store,
            runtime=self.agents,
            doors=self.doors,
            models=self._models,
            catalog=self._catalog,
            clock=self.clock,
            new_secret=self._new_id,
            wake=self.loop.wake,
            planning=planning,
            recent=self.loop.recent,
            demand=lambda: self.loop.demand,
        )

    @property
    def door(self) -> Door:
        """The first of the gateways: the only one, unless more are asked for."""
        return self.doors.all[0]

    def deploy(self, order: DeployOrder) -> bool:
        """Ask for a service; whether it was granted."""
        told = asyncio.run(self.desk.deploy(order))
        return all(each.outcome != "refused" for each in told.decisions)

    def run(
        self,
        requests: Sequence[Coming],
        *,
        until_s: float,
        kill: Sequence[tuple[float, NodeId]] = (),
        look: Callable[[float], None] = lambda _now_s: None,
    ) -> None:
        """Let time pass until then and on until the last answer is given; `requests` and what to `kill` are in order of time.

        `look` is called after each pass.
        """
        coming, kills = list(reversed(requests)), list(reversed(kill))
        while self.clock.t_s < until_s or coming or not self.doors.is_idle:
            next_s = self.clock.t_s + self._settings.tick_s
            while coming and coming[-1].request.at_s <= next_s:
                one = coming.pop()
                self.arrive(one, self.door)
            self.advance(next_s)
            while kills and kills[-1][0] <= next_s:
                self.agents.kill(kills.pop()[1])
            self.loop.pass_once()
            look(next_s)

    def arrive(self, one: Coming, door: Door) -> None:
        """Time passes until a request comes to that gateway."""
        self._work(one.request.at_s)
        door.arrive(one.service, one.request)

    def advance(self, until_s: float) -> None:
        """Time passes: engines work, gateways give up what took too long. Control does nothing."""
        self._work(until_s)
        self.doors.expire()

    @property
    def solves(self) -> int:
        """How often the plan's programme was solved."""
        return self._solved + self._planning.solves

    def close(self) -> None:
        """Give the database back."""
        self.store.close()
        self._folder.cleanup()

    def _work(self, until_s: float) -> None:
        for at_s, step in self.engines.advance(until_s):
            self.doors.stepped(step, at_s)
        self.clock.t_s = until_s

    def _answers(self, replica: ReplicaId) -> bool:
        return self.agents.answers(replica)

    def _planned(self) -> Planning:
        prices = listed_prices(self._catalog, self._prices)
        return Planning(
            self._catalog,
            lambda: prices,
            budget=Budget(),
            beside=False,
            woken=lambda: None,
            monotonic_s=self.clock.monotonic_s,
        )

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:06x}"
