"""Agents of a replayed cloud: they obey the loop's orders and report, as the agents of rehearsed nodes do; and what may befall them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from alliage.catalog.records import Chip
from alliage.control.actions import Action, SleepReplica, StartReplica, StopReplica, WakeReplica
from alliage.control.observed import OVER, EngineState, NodeReport, ReplicaReport
from alliage.errors import Unavailable
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId
from alliage.fleet.replicas import Binding, Recipe
from alliage.rehearsal.fleet_file import RehearsedNode
from alliage.rehearsal.pacing import Unpaced, pace_of_replica
from alliage.replay.cloud.clock import VirtualClock
from alliage.replay.cloud.engines import Engines
from alliage.speed.pace import Pace

TOLD_S: Final = 10.0
"""One that was stopped is reported for so long."""
ILL_S: Final = 60.0
"""One that answers no probe is ended after so long."""
START_S: Final = 300.0
"""One that hangs as it starts is ended after so long."""
Paced = Callable[[StartReplica, Chip], Pace | Unpaced]


@dataclass(slots=True, eq=False)
class _Run:
    """One start of a replica's engine."""

    recipe: Recipe | None
    bindings: tuple[Binding, ...]
    attempt: int
    began_s: float
    ready_s: float
    pace: Pace | None = None
    speed: float = 1.0
    asleep_s: float | None = None
    """From when on it sleeps, or slept last."""
    awake_s: float | None = None
    """When it began to wake last."""
    ended_s: float | None = None
    state: EngineState = EngineState.STARTING
    why: str = ""
    ends_s: float | None = None
    """When its agent ends it, because it hangs."""

    @property
    def sleeps(self) -> bool:
        """Whether it holds nothing of its devices."""
        return self.state is EngineState.ASLEEP and self.awake_s is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Devices of a chip that a replica of a service held, from one start or waking to its end or its sleep."""

    replica: ReplicaId
    chip: str
    devices: int
    began_s: float
    ready_s: float
    ended_s: float | None
    is_wake: bool = False
    """Whether it was woken, not started."""


class Agents:
    """Implements Runtime, for all nodes of a fleet file. `broke` is told of each replica whose engine is gone."""

    def __init__(
        self,
        clock: VirtualClock,
        nodes: Sequence[RehearsedNode],
        engines: Engines,
        broke: Callable[[ReplicaId], None],
        *,
        paced: Paced = pace_of_replica,
    ) -> None:
        """`paced` says how fast a start is."""
        self._clock = clock
        self._nodes = {each.node.id: each for each in nodes}
        self._engines = engines
        self._broke = broke
        self._paced = paced
        self._runs: dict[NodeId, dict[ReplicaId, _Run]] = {each.node.id: {} for each in nodes}
        self._uses: dict[ReplicaId, list[Use]] = {}
        self._paces: dict[object, Pace | Unpaced] = {}
        self._away: set[NodeId] = set()
        self._dead: set[NodeId] = set()
        self._parted: set[NodeId] = set()
        """Out of reach for all, whether anything runs there or not."""
        self._unheard: set[NodeId] = set()
        """Of those, the ones that are dead."""
        self._frozen: dict[NodeId, NodeReport] = {}
        self._late: Mapping[NodeId, NodeReport] | None = None
        self._spoilt: dict[NodeId, EngineState] = {}
        self._lost: set[DeviceId] = set()
        self.cut: list[ReplicaId] = []
        """Those that could answer when they were told to stop, in their order."""

    # what may befall them

    def kill(self, node: NodeId) -> None:
        """The machine is gone with all on it, its connections and its agent's line closed."""
        for replica, run in self._runs[node].items():
            self._end(replica, run, EngineState.ENDED)
        self._runs[node] = {}
        self._dead.add(node)

    def freeze(self, node: NodeId) -> None:
        """The machine is gone with all on it, but nobody closed a connection or its agent's line: it just says no more."""
        self._frozen[node] = self._report(node, self._runs[node])
        self._silence(node)
        self._unheard.add(node)

    def part(self, node: NodeId) -> None:
        """The machine is out of reach for control and for gateways; what runs there goes on."""
        self._silence(node)

    def leave(self, node: NodeId) -> None:
        """Its agent's line is closed; what runs there goes on and is reached."""
        self._away.add(node)

    def come_back(self, node: NodeId) -> None:
        """It is there and heard again: what was dead is empty, what was out of reach had its connections closed."""
        is_dead = node in self._unheard
        if node in self._parted:
            for replica, run in self._runs[node].items():
                self._broke(replica)
                if is_dead:
                    self._end(replica, run, EngineState.ENDED)
                elif run.state is EngineState.READY:
                    self._engines.renew(replica, self._clock.t_s)
        if is_dead:
            self._runs[node] = {}
        for there in (self._away, self._dead, self._parted, self._unheard):
            there.discard(node)
        self._frozen.pop(node, None)

    def delay(self) -> None:
        """What agents tell is on its way from now on: orders come, reports do not."""
        self._late = self.observe()

    def tell(self) -> None:
        """What is told now is heard now."""
        self._late = None

    def end(self, replica: ReplicaId, why: str = "killed by signal 9") -> None:
        """An engine ends by itself."""
        found = self._run_of(replica)
        if found is not None and found[0] not in self._parted:
            found[1].why = why
            self._end(replica, found[1], EngineState.ENDED)

    def hang(self, replica: ReplicaId) -> None:
        """A ready engine says no more, to probes or to whoever asked it; it still accepts connections."""
        found = self._run_of(replica)
        if found is not None and found[1].state is EngineState.READY and found[0] not in self._parted:
            found[1].state, found[1].ends_s = EngineState.ILL, self._clock.t_s + ILL_S
            self._engines.halt(replica, self._clock.t_s)

    def spoil(self, node: NodeId, start: EngineState | None) -> None:
        """Engines that are started there from now on end at once (`ended`), or are never ready (`starting`); None: all is well."""
        self._spoilt.pop(node, None)
        if start is not None:
            self._spoilt[node] = start

    def lose_device(self, device: DeviceId) -> None:
        """A card falls off the bus, and what ran on it ends; it is there again with `restore`."""
        self._lost.add(device)
        for node, runs in self._runs.items():
            for replica, run in runs.items():
                if node not in self._parted and any(binding.device == device for binding in run.bindings):
                    run.why = run.why or f"{device} is gone"
                    self._end(replica, run, EngineState.ENDED)

    def restore(self) -> None:
        """All cards are there again."""
        self._lost.clear()

    def answers(self, replica: ReplicaId) -> bool:
        """Whether it accepts a connection; that does not depend on its agent."""
        found = self._run_of(replica)
        if found is None or found[0] in self._parted:
            return False
        run = found[1]
        is_ready = run.state is EngineState.STARTING and self._clock.t_s >= run.ready_s
        return is_ready or run.state in {EngineState.READY, EngineState.ILL, EngineState.ASLEEP}

    @property
    def holding(self) -> Mapping[NodeId, Mapping[ReplicaId, tuple[Binding, ...]]]:
        """What engines hold that run, on machines that are there, whoever knows of it."""
        return {
            node: {replica: run.bindings for replica, run in runs.items() if run.state not in OVER and not run.sleeps}
            for node, runs in self._runs.items()
            if node not in self._unheard
        }

    @property
    def nodes(self) -> Mapping[NodeId, RehearsedNode]:
        """All that there ever are."""
        return self._nodes

    @property
    def gone(self) -> frozenset[NodeId]:
        """Machines that are dead or out of reach now."""
        return frozenset(self._dead | self._parted)

    def _silence(self, node: NodeId) -> None:
        self._parted.add(node)
        for replica in self._runs[node]:
            self._engines.halt(replica, self._clock.t_s)

    def _run_of(self, replica: ReplicaId) -> tuple[NodeId, _Run] | None:
        return next(((node, runs[replica]) for node, runs in self._runs.items() if replica in runs), None)

    @property
    def uses(self) -> tuple[Use, ...]:
        """All starts and wakes until now, in their order."""
        every = [use for uses in self._uses.values() for use in uses]
        return tuple(sorted(every, key=lambda use: (use.began_s, use.replica)))

    def observe(self) -> Mapping[NodeId, NodeReport]:
        """What each agent on the line told last; that is what it sees now, unless it is silent or late."""
        told = {name: self._report(name, runs) for name, runs in self._runs.items()}
        now = {name: report for name, report in told.items() if name not in self._away | self._dead | self._parted}
        late = now if self._late is None else {name: self._late[name] for name in now if name in self._late}
        return {name: each for name in self._runs if (each := late.get(name, self._frozen.get(name))) is not None}

    def act(self, actions: Sequence[Action]) -> None:
        """Start and stop at once; orders to nodes that are gone are lost."""
        for action in actions:
            if action.node in self._away | self._dead | self._parted:
                continue
            runs = self._runs[action.node]
            if isinstance(action, StartReplica):
                self._start(runs, action)
                continue
            run = runs.get(action.replica)
            if run is None:
                runs[action.replica] = _nothing(self._clock.t_s)
                continue
            match action:
                case StopReplica():
                    self._stop(action.replica, run)
                case SleepReplica():
                    self._sleep(run)
                case WakeReplica():
                    self._wake(action.replica, run)

    def logs(self, node: NodeId, replica: ReplicaId, *, lines: int, follow: bool) -> AsyncIterator[str]:
        """There are none."""
        raise Unavailable(
            f"{replica} on {node} is replayed: no log ({lines} lines, follow {follow})", remedy="rehearse it"
        )

    def _start(self, runs: dict[ReplicaId, _Run], order: StartReplica) -> None:
        replica, now_s = order.replica, self._clock.t_s
        old = runs.get(replica.id)
        if old is not None and (old.state not in OVER or old.attempt >= order.attempt):
            return
        node = self._nodes[order.node]
        pace = self._pace(order, node)
        run = runs[replica.id] = _Run(replica.recipe, replica.bindings, order.attempt, now_s, now_s)
        spoilt = self._spoilt.get(order.node)
        is_lost = any(binding.device in self._lost for binding in replica.bindings)
        if isinstance(pace, Unpaced) or spoilt is EngineState.ENDED or is_lost:
            run.why = pace.why if isinstance(pace, Unpaced) else "it refused to start"
            run.state, run.ended_s = EngineState.ENDED, now_s
            return
        run.ready_s = now_s + pace.load_s
        if spoilt is EngineState.STARTING:
            run.ready_s, run.ends_s = inf, now_s + START_S
        run.pace, run.speed = pace, node.speeds[replica.recipe.chip]
        self._begin(replica.id, run, pace, now_s)

    def _stop(self, replica: ReplicaId, run: _Run) -> None:
        if run.state is EngineState.READY:
            self.cut.append(replica)
        if run.state in OVER:
            run.state = EngineState.STOPPED
        self._end(replica, run, EngineState.STOPPED)

    def _begin(self, replica: ReplicaId, run: _Run, pace: Pace, now_s: float) -> None:
        if run.recipe is not None:
            use = Use(
                replica=replica,
                chip=run.recipe.chip,
                devices=run.recipe.devices,
                began_s=now_s,
                ready_s=run.ready_s,
                ended_s=None,
                is_wake=run.awake_s is not None,
            )
            self._uses.setdefault(replica, []).append(use)
        self._engines.start(replica, pace, ready_s=run.ready_s, speed=run.speed)

    def _sleep(self, run: _Run) -> None:
        """It falls asleep as slowly as it wakes; nothing was asked of it since it left the table."""
        if run.state is EngineState.READY and run.asleep_s is None and run.pace is not None:
            run.asleep_s = self._clock.t_s + run.pace.wake_s

    def _wake(self, replica: ReplicaId, run: _Run) -> None:
        if run.state is not EngineState.ASLEEP or run.awake_s is not None or run.pace is None:
            return
        run.awake_s = self._clock.t_s
        run.ready_s = run.awake_s + run.pace.wake_s
        self._begin(replica, run, run.pace, run.awake_s)

    def _leave_devices(self, replica: ReplicaId, at_s: float) -> None:
        """What it holds it holds no more."""
        uses = self._uses.get(replica)
        if uses and uses[-1].ended_s is None:
            uses[-1] = replace(uses[-1], ended_s=at_s)

    def _pace(self, order: StartReplica, node: RehearsedNode) -> Pace | Unpaced:
        like = node.likes[order.replica.recipe.chip]
        key = (order.replica.recipe, like.id)
        found = self._paces.get(key)
        if found is None:
            found = self._paces[key] = self._paced(order, like)
        return found

    def _end(self, replica: ReplicaId, run: _Run, state: EngineState) -> None:
        if run.state in OVER:
            return
        self._broke(replica)
        self._engines.stop(replica)
        run.state, run.ended_s = state, self._clock.t_s
        self._leave_devices(replica, self._clock.t_s)

    def _report(self, name: NodeId, runs: dict[ReplicaId, _Run]) -> NodeReport:
        now_s, node = self._clock.t_s, self._nodes[name].node
        for replica, run in list(runs.items()):
            if run.state is EngineState.STARTING and now_s >= run.ready_s:
                run.state = EngineState.READY
            if run.ends_s is not None and now_s >= run.ends_s and run.state not in OVER:
                run.why = "it answered no probe"
                self._end(replica, run, EngineState.ENDED)
            if run.state is EngineState.READY and run.asleep_s is not None and now_s >= run.asleep_s:
                self._engines.stop(replica)
                self._leave_devices(replica, run.asleep_s)
                run.state, run.awake_s = EngineState.ASLEEP, None
            if run.state is EngineState.ASLEEP and run.awake_s is not None and now_s >= run.ready_s:
                run.state, run.asleep_s = EngineState.READY, None
            if run.ended_s is not None and now_s - run.ended_s >= TOLD_S:
                del runs[replica]
        return NodeReport(
            node=replace(node, devices=tuple(each for each in node.devices if each.id not in self._lost)),
            free_bytes={},
            replicas={replica: _told(replica, run, now_s) for replica, run in runs.items()},
            heard_s=now_s,
        )


def _nothing(now_s: float) -> _Run:
    """What is told of a replica that nobody here knows."""
    return _Run(None, (), 0, now_s, now_s, ended_s=now_s, state=EngineState.STOPPED)


def _told(replica: ReplicaId, run: _Run, now_s: float) -> ReplicaReport:
    return ReplicaReport(
        replica=replica,
        attempt=run.attempt,
        state=run.state,
        host="replay",
        port=run.attempt,
        key="",
        fetched_bytes=0,
        total_bytes=0,
        ready_for_s=max(0.0, now_s - run.ready_s) if run.state is EngineState.READY else 0.0,
        ended_why=run.why,
        pid=1,
        resident_bytes=0,
    )
