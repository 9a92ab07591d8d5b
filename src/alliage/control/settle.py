"""settle: what agents report -> the phases of nodes and replicas. Pure; the tables in `fleet/lifecycles` decide."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from alliage.control.observed import OVER, EngineState, NodeReport, Observation, ReplicaReport
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import (
    ABED,
    LEAVING,
    NODE_TRANSITIONS,
    REPLICA_TRANSITIONS,
    NodeEvent,
    NodePhase,
    ReplicaEvent,
    ReplicaPhase,
    advance,
)
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView

SETTLED_AFTER_S: Final = 60.0
"""An engine that was ready this long is well: its failures are forgotten."""
BACKOFF_S_FIRST: Final = 1.0
BACKOFF_S_MAX: Final = 60.0

_EVENT_OF: Final[Mapping[EngineState, ReplicaEvent]] = {
    EngineState.FETCHING: ReplicaEvent.FETCH_BEGUN,
    EngineState.STARTING: ReplicaEvent.ENGINE_STARTED,
    EngineState.READY: ReplicaEvent.ENGINE_READY,
    EngineState.ILL: ReplicaEvent.ENGINE_ILL,
    EngineState.ASLEEP: ReplicaEvent.ENGINE_ASLEEP,
    EngineState.ENDED: ReplicaEvent.ENGINE_ENDED,
    EngineState.STOPPED: ReplicaEvent.ENGINE_ENDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The facts of one pass: reports of the agents there are, nodes silent for too long, replicas that are drained."""

    reports: Mapping[NodeId, NodeReport]
    silent: AbstractSet[NodeId]
    drained: AbstractSet[ReplicaId]
    lost: Mapping[NodeId, Reason] = field(default_factory=dict)
    """Silent nodes that nobody reaches any more, and why: what ran there is gone."""
    retired: AbstractSet[NodeId] = frozenset()
    """Those of them that will not come back: they are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The view after the reports, and what is worth remembering of the difference."""

    view: FleetView
    observations: tuple[Observation, ...]
    decisions: tuple[Decision, ...]


def backoff_s(failures: int) -> float:
    """Seconds to wait after the n-th failure in a row: 1, 2, 4 ... 60."""
    return min(BACKOFF_S_MAX, BACKOFF_S_FIRST * 2.0 ** min(failures - 1, 16)) if failures > 0 else 0.0


def settle(view: FleetView, heard: Heard, *, now_s: float) -> Settled:
    """Every node and replica after what was heard of it."""
    nodes = {node.id: node for node in view.nodes}
    for report in heard.reports.values():
        nodes[report.node.id] = _node_after(nodes.get(report.node.id), report, view)
    for node_id in heard.silent & nodes.keys():
        node = nodes[node_id]
        nodes[node_id] = replace(node, phase=advance(NODE_TRANSITIONS, node.phase, NodeEvent.SILENT) or node.phase)
    for node_id in heard.lost.keys() & nodes.keys():
        node = nodes[node_id]
        nodes[node_id] = replace(node, phase=advance(NODE_TRANSITIONS, node.phase, NodeEvent.LOST) or node.phase)
    replicas = tuple(_replica_after(replica, heard, now_s) for replica in view.replicas)
    staying = sorted(nodes.keys() - heard.retired)
    after = replace(view, nodes=tuple(nodes[key] for key in staying), replicas=replicas)
    return Settled(
        view=after,
        observations=(*_told_of_nodes(view, after, now_s), *_told_of_replicas(view, after, now_s)),
        decisions=_restarts(view, after, now_s),
    )


def _node_after(old: Node | None, report: NodeReport, view: FleetView) -> Node:
    """What its agent tells; whether it is cordoned or draining is its admins' word, whatever the agent says.

    A lost node that is back is ready once nothing runs there that nobody knows: it may hold what is to be bound.
    """
    told = report.node
    if old is None:
        return replace(told, phase=NodePhase.READY, is_cordoned=False, is_draining=False, cordoned=(), draining=())
    phase = advance(NODE_TRANSITIONS, old.phase, NodeEvent.HEARD) or old.phase
    if old.phase is NodePhase.LOST and _has_strangers(report, view):
        phase = old.phase
    after = replace(
        told,
        phase=phase,
        is_cordoned=old.is_cordoned,
        is_draining=old.is_draining,
        cordoned=old.cordoned,
        draining=old.draining,
    )
    return old if after == old else after  # the same object where nothing is new: others compare it at once


def _has_strangers(report: NodeReport, view: FleetView) -> bool:
    known = {replica.id for replica in view.replicas}
    return any(key not in known and told.state not in OVER for key, told in report.replicas.items())


def _replica_after(replica: Replica, heard: Heard, now_s: float) -> Replica:
    """One replica after its report, its retry time and its drain; gone with its node, drained or not."""
    if replica.node in heard.lost:
        return replace(_moved(replica, ReplicaEvent.NODE_LOST), note=f"node {replica.node} is lost")
    node = heard.reports.get(replica.node)
    report = node.replicas.get(replica.id) if node is not None else None
    if replica.phase is ReplicaPhase.BACKOFF:
        wait_s = replica.retry_s - now_s
        due = wait_s <= 0 or wait_s > backoff_s(replica.failures)  # the wall clock may have jumped back
        return _moved(replica, ReplicaEvent.RETRY_DUE) if due else replica
    if replica.phase is ReplicaPhase.DRAINING:
        over = node is not None and (report is None or report.state in OVER)
        return _moved(replica, ReplicaEvent.DRAINED) if over or replica.id in heard.drained else replica
    if replica.phase is ReplicaPhase.STOPPING:
        return _moved(replica, ReplicaEvent.GONE) if _is_gone(replica, report, heard) else replica
    if replica.phase is ReplicaPhase.RESTING and replica.id in heard.drained:
        replica = _moved(replica, ReplicaEvent.DRAINED)
    if report is None or report.attempt <= replica.starts:
        return _forgotten(replica, report)
    return _told(replica, report, now_s)


def _forgotten(replica: Replica, report: ReplicaReport | None) -> Replica:
    """One whose agent has nothing of this attempt to tell: what slept is gone if it says so."""
    is_gone = report is not None and report.state in OVER and replica.phase in ABED
    return _moved(replica, ReplicaEvent.ENGINE_ENDED) if is_gone else replica


def _is_gone(replica: Replica, report: ReplicaReport | None, heard: Heard) -> bool:
    """Only its agent's word counts: no report may mean that an order is still on its way.

    On a node that is lost nobody can be asked; should it come back, its agent is told to stop what nobody knows.
    """
    return replica.node in heard.silent or (report is not None and report.state in OVER)


def _told(replica: Replica, report: ReplicaReport, now_s: float) -> Replica:
    """A replica that should run, after a report of its present attempt."""
    after = _moved(replica, _EVENT_OF[report.state])
    if report.state in OVER and after.phase is ReplicaPhase.STOPPING:
        return after  # it was abed: nobody wants it now, so it is not started again
    if report.state in OVER:
        failures = replica.failures + 1
        note = report.ended_why or "the engine was stopped by somebody else"
        return replace(
            after,
            starts=report.attempt,
            failures=failures,
            retry_s=now_s + backoff_s(failures),
            note=note,
        )
    if report.state is EngineState.READY:
        failures = 0 if report.ready_for_s >= SETTLED_AFTER_S else replica.failures
        note = "" if failures == 0 else replica.note
        return (
            after if (failures, note) == (after.failures, after.note) else replace(after, failures=failures, note=note)
        )
    return after


def _moved(replica: Replica, event: ReplicaEvent) -> Replica:
    """The replica in its next phase; as it is where the table has no such step."""
    phase = advance(REPLICA_TRANSITIONS, replica.phase, event)
    if phase is None or phase is replica.phase:
        return replica
    after = replace(replica, phase=phase, retry_s=0.0)
    if phase is ReplicaPhase.ASLEEP:
        return replace(after, bindings=(), bed=replica.bindings)
    return after if phase in ABED or phase in LEAVING else replace(after, host_bytes=0)


def _told_of_nodes(before: FleetView, after: FleetView, now_s: float) -> tuple[Observation, ...]:
    old = {node.id: node.phase for node in before.nodes}
    return tuple(
        Observation(at_s=now_s, subject=node.id, what="joined" if node.id not in old else f"is {node.phase}")
        for node in after.nodes
        if old.get(node.id) != node.phase
    )


def _told_of_replicas(before: FleetView, after: FleetView, now_s: float) -> tuple[Observation, ...]:
    changed = zip(before.replicas, after.replicas, strict=True)
    return tuple(
        Observation(
            at_s=now_s, subject=new.id, what=f"{old.phase} -> {new.phase}" + (f": {new.note}" if new.note else "")
        )
        for old, new in changed
        if old.phase is not new.phase
    )


def _restarts(before: FleetView, after: FleetView, now_s: float) -> tuple[Decision, ...]:
    """A decision for every engine that ended by itself: it is started again, and when."""
    changed = zip(before.replicas, after.replicas, strict=True)
    return tuple(
        Decision(
            at_s=now_s,
            service=new.service,
            outcome=Outcome.RESTARTED,
            recipe=new.recipe,
            where=new.bindings[0].device if new.bindings else new.node,
            because=(
                Reason(
                    code=ReasonCode.ENGINE_ENDED,
                    facts={
                        "replica": new.id,
                        "starts": new.starts,
                        "failures": new.failures,
                        "retry_after_s": round(new.retry_s - now_s, 3),
                        "last_words": new.note,
                    },
                ),
            ),
            rejected=(),
            would_change=(),
        )
        for old, new in changed
        if new.starts > old.starts
    )
