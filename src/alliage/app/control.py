"""Builds control: store, hubs, desk and loop, joined."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from alliage.app.config import Settings
from alliage.app.home import Home
from alliage.app.keys import ensure_keys, new_secret
from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Catalog
from alliage.control.bookkeeping import Bookkeeper
from alliage.control.desk import Desk
from alliage.control.loop import ControlLoop
from alliage.control.planning import Planning
from alliage.control.ports import Clock, Store
from alliage.control.scarcity import Scarcity
from alliage.decide.price.listed import listed_prices
from alliage.decide.solve.answer import Budget as SolveBudget
from alliage.errors import BadInput, LinkError
from alliage.fleet.ids import NodeId
from alliage.link.doors import DoorHub
from alliage.link.leases import Leases
from alliage.link.line import AnsweredLine, listen
from alliage.link.messages import PROTOCOL, AgentHello, GatewayHello, Refused
from alliage.runtimes.hub import AgentHub
from alliage.store.sql import open_store
from alliage.weights.fetch import WeightStore
from alliage.weights.resolve import ModelResolver

PLAN_WALL_S: Final = 20.0
"""What one solve of the plan's programme may take; an answer cut short says so."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSystem:
    """Control, put together. `desk` is what faces ask."""

    store: Store
    agents: AgentHub
    doors: DoorHub
    loop: ControlLoop
    desk: Desk
    books: Bookkeeper

    @contextlib.asynccontextmanager
    async def running(self, socket_path: Path) -> AsyncIterator[None]:
        """Listen and loop while inside; the store is given back at the end."""
        stop = asyncio.Event()
        server = await listen(socket_path, self._answer)
        looping = asyncio.create_task(self.loop.run(stop))
        try:
            yield
        finally:
            stop.set()
            self.loop.wake()
            await looping
            server.close()
            await asyncio.to_thread(self.books.close)
            self.store.close()

    async def _answer(self, line: AnsweredLine) -> None:
        """The first message says who dialled."""
        try:
            hello = await line.receive()
            if not isinstance(hello, AgentHello | GatewayHello):
                line.send(Refused(why="the first message must be a hello"))
            elif hello.protocol != PROTOCOL:
                line.send(Refused(why=f"it speaks protocol {hello.protocol}, control speaks {PROTOCOL}"))
            elif isinstance(hello, AgentHello):
                await self.agents.answer(hello, line)
            else:
                await self.doors.answer(hello, line)
        except LinkError as error:
            _log.warning("a line broke", error=str(error))


def _facts(home: Home, settings: Settings) -> Catalog:
    """The catalogue of this home; raises BadInput where the settings price a chip that it does not have."""
    catalog = load_catalog(*home.catalogs)
    for chip in settings.prices.keys() - catalog.chips.keys():
        raise BadInput(
            f"{home.settings}: [prices] names {chip!r}, which is no chip of the catalogue",
            remedy="`alliage chips` lists them",
        )
    return catalog


def _planning(catalog: Catalog, settings: Settings, clock: Clock, wake: asyncio.Event, books: Bookkeeper) -> Planning:
    """Solves in a thread, by this installation's prices."""
    return Planning(
        catalog,
        lambda: listed_prices(catalog, settings.prices, books.device_prices()),
        budget=SolveBudget(wall_s=PLAN_WALL_S),
        beside=True,
        woken=wake.set,
        monotonic_s=clock.monotonic_s,
    )


def build_control(
    home: Home,
    settings: Settings,
    clock: Clock,
    *,
    new_id: Callable[[], str],
    rehearsed: frozenset[NodeId] | None = None,
) -> ControlSystem:
    """Open the store (migrating it if it is older) and join the rooms; raises StoreError, BadInput for bad facts.

    `rehearsed` are the nodes of the fleet file; None where that is not known.
    """
    catalog = _facts(home, settings)
    store = open_store(
        settings.store.url or home.database,
        history_rows=settings.store.history_rows,
        decisions_per_service=settings.store.decisions_per_service,
        sole_writer=True,
    )
    wake = asyncio.Event()
    agents = AgentHub(on_change=wake.set)
    books = Bookkeeper(store.books(), clock, currency=settings.ledger.currency)
    leases = Leases(books, now_s=clock.now_s, monotonic_s=clock.monotonic_s)
    doors = DoorHub(on_change=wake.set, leases=leases, ledger=books)
    planning = _planning(catalog, settings, clock, wake, books)
    loop = ControlLoop(
        store=store,
        runtime=agents,
        doors=doors,
        catalog=catalog,
        clock=clock,
        new_id=new_id,
        settings=settings.control,
        woken=wake,
        planning=planning,
        rehearsed=rehearsed,
        price_of=books.price_of,
        planned=Scarcity(books, clock).look,
    )
    desk = Desk(
        store=store,
        runtime=agents,
        doors=doors,
        models=ModelResolver(catalog, WeightStore(home.models)),
        catalog=catalog,
        clock=clock,
        new_secret=new_secret,
        wake=loop.wake,
        planning=planning,
        recent=loop.recent,
        demand=lambda: loop.demand,
        counting=(books, leases),
    )
    ensure_keys(desk, home)
    return ControlSystem(store=store, agents=agents, doors=doors, loop=loop, desk=desk, books=books)
