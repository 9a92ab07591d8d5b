"""Agents of a replayed cloud: they obey the loop's orders and report, as the agents of rehearsed nodes do."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from alliage.control.actions import Action, StartReplica
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

    recipe: Recipe
    attempt: int
    began_s: float
    ready_s: float
    ended_s: float | None = None
    state: EngineState = EngineState.STARTING
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Devices of a chip that one start of a replica of a service held, from then to then."""

    replica: ReplicaId
    chip: str
    devices: int
    began_s: float
    ready_s: float
    ended_s: float | None


class Agents:
    """Implements Runtime, for all nodes of a fleet file. `broke` is told of each replica whose engine is gone."""

    def __init__(
        self,
        clock: VirtualClock,
        nodes: Sequence[RehearsedNode],
        engines: Engines,
        broke: Callable[[ReplicaId], None],
        *,
        wakes: bool = False,
    ) -> None:
        """With `wakes` an engine is ready as soon as one that slept would be, its weights in the node's memory: a what-if."""
        self._clock = clock
        self._nodes = {each.node.id: each for each in nodes}
        self._engines = engines
        self._broke = broke
        self._wakes = wakes
        self._runs: dict[NodeId, dict[ReplicaId, _Run]] = {each.node.id: {} for each in nodes}
        self._all: list[tuple[ReplicaId, _Run]] = []
        self._paces: dict[object, Pace | Unpaced] = {}

    def kill(self, node: NodeId) -> None:
        """The machine is gone with all on it; its agent's line is closed."""
        for replica, run in self._runs.pop(node).items():
            self._end(replica, run, EngineState.ENDED)

    @property
    def uses(self) -> tuple[Use, ...]:
        """All starts until now, in their order."""
        return tuple(
            Use(
                replica=replica,
                chip=run.recipe.chip,
                devices=run.recipe.devices,
                began_s=run.began_s,
                ready_s=run.ready_s,
                ended_s=run.ended_s,
            )
            for replica, run in self._all
        )

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
            elif (run := runs.get(action.replica)) is not None:
                self._end(action.replica, run, EngineState.STOPPED)

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
        self._all.append((replica.id, run))
        run.ready_s = now_s + (pace.wake_s if self._wakes else pace.load_s)
        speed = node.speeds[replica.recipe.chip]
        self._engines.start(replica.id, pace, ready_s=run.ready_s, speed=speed)

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

    def _report(self, name: NodeId, runs: dict[ReplicaId, _Run]) -> NodeReport:
        now_s, node = self._clock.t_s, self._nodes[name].node
        for replica, run in list(runs.items()):
            if run.state is EngineState.STARTING and now_s >= run.ready_s:
                run.state = EngineState.READY
            if run.ended_s is not None and now_s - run.ended_s >= TOLD_S:
                del runs[replica]
        return NodeReport(
            node=node,
            free_bytes={},
            replicas={replica: _told(replica, run, now_s) for replica, run in runs.items()},
            heard_s=now_s,
        )


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
