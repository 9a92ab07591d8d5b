"""A small world on a virtual clock: agents, engines and doors that obey the real loop's orders, with seeded faults.

Everything that decides is real: Desk, ControlLoop, reconcile, plan, bind. Only what costs time is not.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from alliage.catalog.records import ModelCard
from alliage.control.actions import Action, StartReplica, StopReplica
from alliage.control.bookkeeping import Bookkeeper
from alliage.control.desk import Desk
from alliage.control.loop import ControlLoop, LoopSettings
from alliage.control.observed import DoorReport, EngineState, NodeReport, ReplicaReport
from alliage.control.orders import DeployOrder
from alliage.control.planning import Planning
from alliage.control.ports import Store
from alliage.control.scarcity import Scarcity
from alliage.decide.price.listed import listed_prices
from alliage.decide.solve.answer import Budget
from alliage.errors import NotFound
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.nodes import Node
from alliage.fleet.prices import FREE
from alliage.fleet.routing import RoutingTable
from alliage.fleet.traffic import ReplicaTraffic, Traffic
from tests.builders import CATALOG, a_card, a_node, a_node_report, a_replica_report
from tests.doubles.memory_store import MemoryStore

REACH_S = 1.0
"""What a gateway takes to find out that it does not reach a replica, at worst."""


@dataclass(slots=True)
class FakeClock:
    """Time that moves when told to."""

    t_s: float = 1000.0
    wall_shift_s: float = 0.0
    """How far somebody set the wall clock off."""

    def now_s(self) -> float:
        """Wall clock."""
        return 1_000_000.0 + self.t_s + self.wall_shift_s

    def monotonic_s(self) -> float:
        """For durations."""
        return self.t_s


@dataclass(slots=True)
class SimEngine:
    """An engine that is starting until `ready_at_s`, then ready, until something ends it."""

    report: ReplicaReport
    ready_at_s: float
    cores: tuple[int, ...] = ()
    forget_at_s: float = 0.0
    """A stopped one is reported until then, as the agent does."""


@dataclass(slots=True)
class SimAgents:
    """Implements Runtime for simulated nodes."""

    clock: FakeClock
    nodes: dict[NodeId, Node]
    load_s: float = 2.0
    away: set[NodeId] = field(default_factory=set)
    dead: set[NodeId] = field(default_factory=set)
    """Away, and nothing runs there any more."""
    frozen: dict[NodeId, NodeReport] = field(default_factory=dict)
    """The last report of nodes that are gone, but whose line nobody closed."""
    engines: dict[NodeId, dict[ReplicaId, SimEngine]] = field(default_factory=dict)
    orders: list[Action] = field(default_factory=list)
    stale: bool = False
    """Reports are on their way: orders are obeyed, but not told yet."""
    last: dict[NodeId, NodeReport] | None = None
    cut: list[ReplicaId] = field(default_factory=list)
    """Replicas whose engine could answer when it was stopped."""

    def kill(self, node: NodeId) -> None:
        """The machine is gone with all on it."""
        self.dead.add(node)
        self.away.add(node)
        self.engines.pop(node, None)

    def come_back(self) -> None:
        """Every agent is on its line; the nodes that were dead are empty."""
        self.away.clear()
        self.dead.clear()
        self.frozen.clear()

    def answers(self, replica: ReplicaId) -> bool:
        """Whether somebody who connects to it gets through: it does not depend on its agent."""
        running = (engines[replica] for engines in self.engines.values() if replica in engines)
        return any(self._seen(engine).state in (EngineState.READY, EngineState.ILL) for engine in running)

    def observe(self) -> Mapping[NodeId, NodeReport]:
        """What each present agent sees now; while `stale`, what it saw before."""
        if self.stale and self.last is not None:
            return {node_id: report for node_id, report in self.last.items() if node_id not in self.away}
        for running in self.engines.values():
            for name, engine in list(running.items()):
                if engine.report.state is EngineState.STOPPED and self.clock.t_s >= engine.forget_at_s:
                    del running[name]
        self.last = {**self.frozen, **self._seen_now()}
        return self.last

    def _seen_now(self) -> dict[NodeId, NodeReport]:
        return {
            node_id: a_node_report(
                node,
                *(self._seen(engine) for engine in self.engines.get(node_id, {}).values()),
                heard_s=self.clock.t_s,
            )
            for node_id, node in self.nodes.items()
            if node_id not in self.away
        }

    def _seen(self, engine: SimEngine) -> ReplicaReport:
        if engine.report.state is EngineState.STARTING and self.clock.t_s >= engine.ready_at_s:
            engine.report = replace(engine.report, state=EngineState.READY)
        return replace(engine.report, ready_for_s=max(0.0, self.clock.t_s - engine.ready_at_s))

    def act(self, actions: Sequence[Action]) -> None:
        """Start and stop at once; orders to an absent agent are lost."""
        self.orders.extend(actions)
        for action in actions:
            if action.node in self.away:
                continue
            running = self.engines.setdefault(action.node, {})
            if isinstance(action, StartReplica):
                self._start(running, action)
            elif isinstance(action, StopReplica):
                self._stop(running, action)

    def _start(self, running: dict[ReplicaId, SimEngine], order: StartReplica) -> None:
        old = running.get(order.replica.id)
        over = (EngineState.STOPPED,)
        if old is not None and old.report.state not in over and old.report.attempt >= order.attempt:
            return
        report = a_replica_report(order.replica.id, EngineState.STARTING, attempt=order.attempt)
        cores = tuple(core for binding in order.replica.bindings for core in binding.cores)
        running[order.replica.id] = SimEngine(report, self.clock.t_s + self.load_s, cores)

    def _stop(self, running: dict[ReplicaId, SimEngine], order: StopReplica) -> None:
        engine = running.get(order.replica)
        if engine is None:
            engine = running[order.replica] = SimEngine(
                a_replica_report(order.replica, EngineState.STOPPED, attempt=0), 0.0, forget_at_s=self.clock.t_s + 10.0
            )
        if engine.report.state in (EngineState.READY, EngineState.ILL):
            self.cut.append(order.replica)
        if engine.report.state is not EngineState.STOPPED:
            engine.forget_at_s = self.clock.t_s + 10.0
        engine.report = replace(engine.report, state=EngineState.STOPPED)

    def end(self, replica: ReplicaId, why: str = "killed by signal 9") -> None:
        """An engine ends by itself."""
        for running in self.engines.values():
            if replica in running:
                engine = running[replica]
                engine.report = replace(engine.report, state=EngineState.ENDED, ended_why=why)

    async def logs(self, node: NodeId, replica: ReplicaId, *, lines: int, follow: bool) -> AsyncIterator[str]:
        """One line."""
        yield f"{node} {replica} {lines} {follow}\n"


@dataclass(slots=True)
class SimDoors:
    """Implements Doors: one gateway that takes tables at once and has the in-flight counts that a test sets."""

    clock: FakeClock
    answers: Callable[[ReplicaId], bool]
    """Whether a replica can be reached."""
    is_blind: bool = False
    """It reaches none of them: its own trouble."""
    table: RoutingTable | None = None
    in_flight: dict[ReplicaId, int] = field(default_factory=dict)
    pushes: int = 0
    away: bool = False
    """It has yet to dial control again; it works by its last table."""
    waiting: RoutingTable | None = None
    traffic: dict[ServiceName, Traffic] = field(default_factory=dict)
    replicas: dict[ReplicaId, ReplicaTraffic] = field(default_factory=dict)
    doubted_s: dict[ReplicaId, float] = field(default_factory=dict)
    """Since when it tries them."""

    def push(self, table: RoutingTable) -> None:
        """Take it, or when it comes back."""
        self.pushes += 1
        if self.away:
            self.waiting = table
        else:
            self._take(table)

    def come_back(self) -> None:
        """It has dialled, and got the newest table."""
        self.away = False
        if self.waiting is not None:
            self._take(self.waiting)
            self.waiting = None

    def observe(self) -> tuple[DoorReport, ...]:
        """The one door, if it is on the line."""
        if self.away:
            return ()
        return (
            DoorReport(
                door="door",
                table_version=self.table.version if self.table is not None else 0,
                in_flight=dict(self.in_flight),
                heard_s=self.clock.t_s,
                unreachable=frozenset(self._tried()),
                traffic=dict(self.traffic),
                replicas=dict(self.replicas),
            ),
        )

    def _tried(self) -> Iterator[ReplicaId]:
        """Those in doubt that do not answer; where it is blind, all."""
        for replica, since_s in self.doubted_s.items():
            if self.is_blind or (not self.answers(replica) and self.clock.t_s - since_s >= REACH_S):
                yield replica

    def _take(self, table: RoutingTable) -> None:
        """Work by it; what is doubted is tried from now on, what is not is not."""
        self.table = table
        upstreams = [upstream for route in table.routes.values() for upstream in route.upstreams]
        doubted = (each.replica for each in upstreams if each.is_doubted or self.is_blind)
        self.doubted_s = {each: self.doubted_s.get(each, self.clock.t_s) for each in doubted}

    def upstreams(self, service: str) -> list[str]:
        """Where the door would send a request."""
        assert self.table is not None
        return [
            upstream.replica
            for name, route in self.table.routes.items()
            if name == service
            for upstream in route.upstreams
        ]


@dataclass(slots=True)
class Cards:
    """Implements Models: the catalogue's, any other name is a small card, but `missing`."""

    async def resolve(self, reference: str, *, remote_code: bool) -> ModelCard:
        """The catalogue's card, or a small one of that name."""
        if reference == "missing":
            raise NotFound("there is no model 'missing'", remedy="models: tiny")
        return CATALOG.models.get(reference) or replace(a_card(reference), remote_code=remote_code)


class World:
    """Control and its surroundings. `restart_control` forgets all that control keeps in memory."""

    def __init__(self, *nodes: Node, store: Store | None = None, seed: int = 0) -> None:
        self.clock = FakeClock()
        self.random = random.Random(seed)
        self.store: Store = store if store is not None else MemoryStore()
        self.agents = SimAgents(self.clock, {node.id: node for node in nodes})
        self.doors = SimDoors(self.clock, self.agents.answers)
        self._ids = 0
        self.books: Bookkeeper | None = None
        """Where prices are, once a test has some."""
        self.restart_control()

    def restart_control(self, *, rehearsed: frozenset[NodeId] | None = None) -> None:
        """A new loop and desk over the same store and the same world."""
        books = self.books
        planning = Planning(
            CATALOG,
            lambda: listed_prices(CATALOG, {}, {} if books is None else books.device_prices()),
            budget=Budget(),
            beside=False,
            woken=lambda: None,
            monotonic_s=self.clock.monotonic_s,
        )
        self.loop = ControlLoop(
            store=self.store,
            runtime=self.agents,
            doors=self.doors,
            catalog=CATALOG,
            clock=self.clock,
            new_id=self._new_id,
            settings=LoopSettings(),
            woken=asyncio.Event(),
            planning=planning,
            rehearsed=rehearsed,
            price_of=(lambda _: FREE) if books is None else books.price_of,
            planned=(lambda _view, _aims: None) if books is None else Scarcity(books, self.clock).look,
        )
        self.desk = Desk(
            store=self.store,
            runtime=self.agents,
            doors=self.doors,
            models=Cards(),
            catalog=CATALOG,
            clock=self.clock,
            new_secret=lambda: f"secret-{self._new_id()}",
            wake=self.loop.wake,
            planning=planning,
            recent=self.loop.recent,
            demand=lambda: self.loop.demand,
        )

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:06x}"

    def deploy(self, model: str, *, replicas: int = 1, dry_run: bool = False, name: str | None = None) -> bool:
        """Ask for a service; True when it was not refused."""
        order = an_order(model, replicas=replicas, dry_run=dry_run, name=name)
        deployed = asyncio.run(self.desk.deploy(order))
        return all(decision.outcome != "refused" for decision in deployed.decisions)

    def run(self, seconds: float, step_s: float = 0.5) -> None:
        """Passes while time moves."""
        for _ in range(round(seconds / step_s)):
            self.loop.pass_once()
            self.clock.t_s += step_s
        self.loop.pass_once()


def a_serving_world(*nodes: Node) -> World:
    """A world whose one service, `tiny`, is ready; one laptop of two cores where no nodes are named."""
    world = World(*(nodes or (a_node(),)))
    world.run(1)
    world.deploy("tiny")
    world.run(5)
    return world


def an_order(
    model: str = "tiny",
    *,
    replicas: int = 1,
    dry_run: bool = False,
    name: str | None = None,
    ttft_s: float | None = None,
    tpot_s: float | None = None,
    rate_rps: float | None = None,
) -> DeployOrder:
    """An order with everything else left open."""
    return DeployOrder(
        model=model,
        name=name,
        tenant="default",
        ttft_s=ttft_s,
        tpot_s=tpot_s,
        min_replicas=replicas,
        max_replicas=None,
        remote_code=False,
        dry_run=dry_run,
        rate_rps=rate_rps,
    )
