"""Agents of a replayed cloud: they obey the loop's orders and report, as the agents of rehearsed nodes do."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from alliage.control.actions import Action, SleepReplica, StartReplica, StopReplica, WakeReplica
from alliage.control.observed import OVER, EngineState, NodeReport, ReplicaReport
from alliage.errors import Unavailable
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.replicas import Recipe
from alliage.rehearsal.fleet_file import RehearsedNode
from alliage.rehearsal.pacing import Unpaced, pace_of_replica
from alliage.replay.cloud.clock import VirtualClock
from alliage.replay.cloud.engines import Engines
from alliage.speed.pace import Pace

TOLD_S = 10.0
"""One that was stopped is reported for so long."""


@dataclass(slots=True, eq=False)
class _Run:
    """One start of a replica's engine."""

    recipe: Recipe | None
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
    ) -> None:
        self._clock = clock
        self._nodes = {each.node.id: each for each in nodes}
        self._engines = engines
        self._broke = broke
        self._runs: dict[NodeId, dict[ReplicaId, _Run]] = {each.node.id: {} for each in nodes}
        self._uses: dict[ReplicaId, list[Use]] = {}
        self._paces: dict[object, Pace | Unpaced] = {}

    def kill(self, node: NodeId) -> None:
        """The machine is gone with all on it; its agent's line is closed."""
        for replica, run in self._runs.pop(node).items():
            self._end(replica, run, EngineState.ENDED)

    @property
    def uses(self) -> tuple[Use, ...]:
        """All starts and wakes until now, in their order."""
        every = [use for uses in self._uses.values() for use in uses]
        return tuple(sorted(every, key=lambda use: (use.began_s, use.replica)))

    def observe(self) -> Mapping[NodeId, NodeReport]:
        """What each agent sees now."""
        return {name: self._report(name, runs) for name, runs in self._runs.items()}

    def act(self, actions: Sequence[Action]) -> None:
        """Start and stop at once; orders to nodes that are gone are lost."""
        for action in actions:
            runs = self._runs.get(action.node)
            if runs is None:
                continue
            if isinstance(action, StartReplica):
                self._start(runs, action)
                continue
            run = runs.get(action.replica)
            if run is None:
                if isinstance(action, SleepReplica):
                    runs[action.replica] = _nothing(self._clock.t_s)
                continue
            match action:
                case StopReplica():
                    self._end(action.replica, run, EngineState.STOPPED)
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
        if old is not None and old.state not in OVER:
            return
        node = self._nodes[order.node]
        pace = self._pace(order, node)
        run = runs[replica.id] = _Run(replica.recipe, order.attempt, now_s, now_s)
        if isinstance(pace, Unpaced):
            run.state, run.why, run.ended_s = EngineState.ENDED, pace.why, now_s
            return
        run.ready_s = now_s + pace.load_s
        run.pace, run.speed = pace, node.speeds[replica.recipe.chip]
        self._begin(replica.id, run, pace, now_s)

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
            found = self._paces[key] = pace_of_replica(order, like)
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
            if run.state is EngineState.READY and run.asleep_s is not None and now_s >= run.asleep_s:
                self._engines.stop(replica)
                self._leave_devices(replica, run.asleep_s)
                run.state, run.awake_s = EngineState.ASLEEP, None
            if run.state is EngineState.ASLEEP and run.awake_s is not None and now_s >= run.ready_s:
                run.state, run.asleep_s = EngineState.READY, None
            if run.ended_s is not None and now_s - run.ended_s >= TOLD_S:
                del runs[replica]
        return NodeReport(
            node=node,
            free_bytes={},
            replicas={replica: _told(replica, run, now_s) for replica, run in runs.items()},
            heard_s=now_s,
        )


def _nothing(now_s: float) -> _Run:
    """What is told of a replica that nobody here knows."""
    return _Run(None, 0, now_s, now_s, ended_s=now_s, state=EngineState.STOPPED)


def _told(replica: ReplicaId, run: _Run, now_s: float) -> ReplicaReport:
    return ReplicaReport(
        replica=replica,
        attempt=run.attempt,
        state=run.state,
        host="replay",
        port=1,
        key="",
        fetched_bytes=0,
        total_bytes=0,
        ready_for_s=max(0.0, now_s - run.ready_s) if run.state is EngineState.READY else 0.0,
        ended_why=run.why,
        pid=1,
        resident_bytes=0,
    )
