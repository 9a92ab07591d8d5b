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
from alliage.decide.price.listed import listed_prices
from alliage.decide.solve.answer import Budget
from alliage.errors import NotFound
from alliage.fleet.ids import NodeId, ServiceName
from alliage.gateway.limits import GatewayLimits
from alliage.rehearsal.fleet_file import RehearsedNode
from alliage.replay.cloud.agents import Agents
from alliage.replay.cloud.clock import VirtualClock
from alliage.replay.cloud.door import Door
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
    """Control, its store, one gateway and the agents of a fleet. `close` when done."""

    def __init__(
        self,
        catalog: Catalog,
        nodes: Sequence[RehearsedNode],
        *,
        prices: Mapping[str, float],
        wakes: bool = False,
        settings: LoopSettings | None = None,
    ) -> None:
        """`prices` of a device-hour, by chip; `wakes` as Agents have it; `settings` are the loop's own where none are given."""
        settings = settings or LoopSettings()
        self.clock = VirtualClock()
        self._tick_s = settings.tick_s
        self._folder = tempfile.TemporaryDirectory(prefix="alliage-replay-")
        self._store = open_store(Path(self._folder.name) / "state.db")
        self._ids = 0
        engines = self._engines = Engines()
        self.door = Door(self.clock, engines, GatewayLimits())
        self.agents = Agents(self.clock, nodes, engines, self.door.broke, wakes=wakes)
        planning = self._planning = Planning(
            catalog,
            listed_prices(catalog, prices),
            budget=Budget(),
            beside=False,
            woken=lambda: None,
            monotonic_s=self.clock.monotonic_s,
        )
        self.loop = ControlLoop(
            store=self._store,
            runtime=self.agents,
            doors=self.door,
            catalog=catalog,
            clock=self.clock,
            new_id=self._new_id,
            settings=settings,
            woken=asyncio.Event(),
            planning=planning,
            rehearsed=frozenset(each.node.id for each in nodes),
        )
        self.desk = Desk(
            store=self._store,
            runtime=self.agents,
            doors=self.door,
            models=Cards(catalog=catalog),
            catalog=catalog,
            clock=self.clock,
            new_secret=self._new_id,
            wake=self.loop.wake,
            planning=planning,
            recent=self.loop.recent,
            demand=lambda: self.loop.demand,
        )
        self.loop.pass_once()

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
        while self.clock.t_s < until_s or coming or not self.door.is_idle:
            next_s = self.clock.t_s + self._tick_s
            while coming and coming[-1].request.at_s <= next_s:
                one = coming.pop()
                self._advance(one.request.at_s)
                self.door.arrive(one.service, one.request)
            self._advance(next_s)
            while kills and kills[-1][0] <= next_s:
                self.agents.kill(kills.pop()[1])
            self.door.expire()
            self.loop.pass_once()
            look(next_s)

    @property
    def solves(self) -> int:
        """How often the plan's programme was solved."""
        return self._planning.solves

    def close(self) -> None:
        """Give the database back."""
        self._store.close()
        self._folder.cleanup()

    def _advance(self, until_s: float) -> None:
        for at_s, step in self._engines.advance(until_s):
            self.door.stepped(step, at_s)
        self.clock.t_s = until_s

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:06x}"
