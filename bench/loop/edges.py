"""Simulated agents and one gateway of a large fleet: they obey at once, and their reports are made outside of what is measured."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from alliage.catalog.records import Catalog
from alliage.control.actions import Action, StartReplica
from alliage.control.observed import DoorReport, EngineState, NodeReport, ReplicaReport
from alliage.decide.carrying import running_at, usual_lengths
from alliage.decide.places import place_of_node
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.routing import RoutingTable
from alliage.fleet.services import Service
from alliage.fleet.traffic import ReplicaTraffic, Traffic
from alliage.speed.predict import Speed, predict

LOAD_S = 5.0
"""Seconds that an engine takes to start."""
FILLED = 0.6
"""The part of its rate that each service is asked, and of its places that each replica has filled."""
REACH_S = 1.0
"""What a gateway takes to find out that it does not reach a replica."""


@dataclass(slots=True)
class VirtualClock:
    """Time that moves when told to."""

    t_s: float = 1000.0

    def now_s(self) -> float:
        """Wall clock."""
        return 1_000_000.0 + self.t_s

    def monotonic_s(self) -> float:
        """For durations."""
        return self.t_s


@dataclass(slots=True)
class Agents:
    """Implements Runtime. `tick` makes the reports of now."""

    clock: VirtualClock
    nodes: dict[NodeId, Node]
    engines: dict[NodeId, dict[ReplicaId, tuple[StartReplica, float]]] = field(default_factory=dict)
    """What runs at each node: the order, and when it is ready."""
    stopped: dict[NodeId, dict[ReplicaId, ReplicaReport]] = field(default_factory=dict)
    reports: dict[NodeId, NodeReport] = field(default_factory=dict)
    orders: int = 0

    def tick(self) -> None:
        """Every agent reports."""
        self.reports = {name: self._report(node) for name, node in self.nodes.items()}

    def kill(self, node: NodeId) -> None:
        """The machine is gone with all on it."""
        del self.nodes[node]
        self.engines.pop(node, None)

    def runs(self, replica: ReplicaId) -> bool:
        """Whether its engine can be reached."""
        return any(replica in engines for engines in self.engines.values())

    def observe(self) -> Mapping[NodeId, NodeReport]:
        """The last reports."""
        return self.reports

    def act(self, actions: Sequence[Action]) -> None:
        """Start and stop at once."""
        for action in actions:
            if action.node not in self.nodes:
                continue
            self.orders += 1
            engines = self.engines.setdefault(action.node, {})
            if isinstance(action, StartReplica):
                engines[action.replica.id] = action, self.clock.t_s + LOAD_S
            else:
                order = engines.pop(action.replica, None)
                attempt = order[0].attempt if order is not None else 0
                stopped = _report(action.replica, EngineState.STOPPED, attempt, 0.0)
                self.stopped.setdefault(action.node, {})[action.replica] = stopped

    async def logs(self, node: NodeId, replica: ReplicaId, *, lines: int, follow: bool) -> AsyncIterator[str]:
        """None."""
        yield f"{node} {replica} {lines} {follow}\n"

    def _report(self, node: Node) -> NodeReport:
        replicas = dict(self.stopped.get(node.id, {}))
        for name, (order, ready_s) in self.engines.get(node.id, {}).items():
            since_s = self.clock.t_s - ready_s
            state = EngineState.READY if since_s >= 0 else EngineState.STARTING
            replicas[name] = _report(name, state, order.attempt, max(0.0, since_s))
        return NodeReport(node=node, free_bytes={}, replicas=replicas, heard_s=self.clock.t_s)


def _report(replica: ReplicaId, state: EngineState, attempt: int, ready_for_s: float) -> ReplicaReport:
    return ReplicaReport(
        replica=replica,
        attempt=attempt,
        state=state,
        host="10.0.0.1",
        port=40000,
        key="upstream-secret",
        fetched_bytes=0,
        total_bytes=0,
        ready_for_s=ready_for_s,
        ended_why="",
        pid=1,
        resident_bytes=0,
    )


@dataclass(slots=True)
class Pace:
    """A replica as its requests see it: so many in flight, each with such times and lengths."""

    users: int
    input_tokens: int
    output_tokens: int
    ttft_s: float
    tpot_s: float

    def traffic(self, seconds: float, began_s: float) -> ReplicaTraffic:
        """What was seen of it in so long."""
        stay_s = self.ttft_s + (self.output_tokens - 1) * self.tpot_s
        answered = int(self.users * seconds / stay_s)
        decoded = answered * (self.output_tokens - 1)
        return ReplicaTraffic(
            began_s=began_s,
            answered=answered,
            input_tokens=answered * self.input_tokens,
            output_tokens=answered * self.output_tokens,
            first_tokens=answered,
            ttft_s=answered * self.ttft_s,
            decode_tokens=decoded,
            decode_s=decoded * self.tpot_s,
            busy_s=self.users * seconds,
            in_flight=self.users,
        )


@dataclass(slots=True)
class Door:
    """Implements Doors: one gateway, whose requests take as long as is predicted."""

    clock: VirtualClock
    agents: Agents
    catalog: Catalog
    services: Mapping[ServiceName, Service]
    began_s: float
    table: RoutingTable | None = None
    reports: tuple[DoorReport, ...] = ()
    _doubted_s: dict[ReplicaId, float] = field(default_factory=dict)
    _paces: dict[object, Pace | None] = field(default_factory=dict)

    def push(self, table: RoutingTable) -> None:
        """Take it at once."""
        self.table = table
        ups = (each for route in table.routes.values() for each in route.upstreams if each.is_doubted)
        self._doubted_s = {each.replica: self._doubted_s.get(each.replica, self.clock.t_s) for each in ups}

    def observe(self) -> tuple[DoorReport, ...]:
        """The last report."""
        return self.reports

    def tick(self) -> None:
        """It reports."""
        seconds = self.clock.t_s - self.began_s
        self.reports = (
            DoorReport(
                door="door",
                table_version=self.table.version if self.table is not None else 0,
                in_flight={},
                heard_s=self.clock.t_s,
                unreachable=frozenset(
                    replica
                    for replica, since_s in self._doubted_s.items()
                    if self.clock.t_s - since_s >= REACH_S and not self.agents.runs(replica)
                ),
                traffic={name: _traffic(service, seconds) for name, service in self.services.items()},
                replicas=dict(self._replicas()),
            ),
        )

    def _replicas(self) -> list[tuple[ReplicaId, ReplicaTraffic]]:
        found = []
        for node, engines in self.agents.engines.items():
            for name, (order, ready_s) in engines.items():
                pace = self._pace(order.replica, self.agents.nodes[node])
                if pace is not None and self.clock.t_s > ready_s:
                    found.append((name, pace.traffic(self.clock.t_s - ready_s, ready_s)))
        return found

    def _pace(self, replica: Replica, node: Node) -> Pace | None:
        """As predicted; None where nothing is."""
        key = replica.recipe, len(node.devices)
        if key not in self._paces:
            recipe = replica.recipe
            place = place_of_node(self.catalog.chips[recipe.chip], node, node.devices)
            model = self.services[replica.service].model
            input_tokens, output_tokens = usual_lengths(recipe)
            running = running_at(model, recipe, place, input_tokens=input_tokens, output_tokens=output_tokens)
            users = max(1, round(FILLED * recipe.concurrency))
            speed = predict(replace(running, concurrency=users))
            self._paces[key] = (
                Pace(users, input_tokens, output_tokens, speed.ttft_s, speed.tpot_s)
                if isinstance(speed, Speed)
                else None
            )
        return self._paces[key]


def _traffic(service: Service, seconds: float) -> Traffic:
    asked = int((service.rate_rps or 0.0) * FILLED * seconds)
    context = service.model.architecture.context_tokens
    return Traffic(
        began_s=1.0,
        asked=asked,
        answered=asked,
        tokens_counted=asked,
        input_tokens=asked * min(1024, context // 2),
        output_tokens=asked * min(256, context // 4),
        kept=asked,
    )
