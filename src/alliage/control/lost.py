"""lost: nodes that nobody reaches any more. What only control has lost, but a gateway still reaches, is left alone. Pure.

An agent that is away makes its replicas doubted in the routing table; each gateway tries them and reports those it
cannot reach. A node is lost when all of them are among these, for every gateway. Somebody who reaches nothing at all
is rather in trouble himself: then the agents that control still hears have to outweigh him.
"""

from collections.abc import Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from alliage.control.observed import DoorReport
from alliage.decide.reasons import Facts, Reason, ReasonCode
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase
from alliage.fleet.nodes import Node
from alliage.fleet.view import FleetView

AWAY_S_LEAST: Final = 2.0
"""So long an agent must not have been heard: shorter gaps are agents that are started again."""
TROUBLE_S: Final = 60.0
"""Where more than half of the nodes are away and somebody reaches nothing, they are lost after so long a silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is known of the nodes whose agent is away."""

    silent_s: Mapping[NodeId, float]
    """For each of them, how long it has not been heard. Nodes that are heard are not in it."""
    doors: Sequence[DoorReport]
    """The gateways that are connected and were heard lately."""
    routed: AbstractSet[ReplicaId]
    """The replicas of the newest routing table: those that gateways can be asked about."""
    unasked_s: float
    """How long a node is silent before it is lost where no gateway can be asked about it."""


def lost_nodes(view: FleetView, silence: Silence) -> Mapping[NodeId, Reason]:
    """The nodes that are lost from now on, and why. Nobody is where control hears no agent at all."""
    among = [node for node in view.nodes if node.phase is not NodePhase.LOST]
    away = [node for node in among if silence.silent_s.get(node.id, 0.0) >= AWAY_S_LEAST]
    heard = sum(1 for node in among if node.id not in silence.silent_s)
    if not away or not heard:
        return {}
    most_are_heard = 2 * heard >= len(among)
    found: dict[NodeId, Reason] = {}
    for node in away:
        asked = {
            replica.id
            for replica in view.replicas
            if replica.node == node.id and replica.phase is ReplicaPhase.READY and replica.id in silence.routed
        }
        silent_s = silence.silent_s[node.id]
        if not _is_out_of_reach(asked, silent_s, silence):
            continue
        if most_are_heard or silent_s > TROUBLE_S or (asked and _reach_others(silence)):
            found[node.id] = _reason(node, silent_s, gateways=len(silence.doors) if asked else 0)
    return found


def retired_nodes(
    view: FleetView, rehearsed: AbstractSet[NodeId] | None, heard: Container[NodeId]
) -> Mapping[NodeId, Reason]:
    """Rehearsed nodes that the present fleet file (`rehearsed`; None: unknown) does not have: nobody will ever stand for them."""
    if rehearsed is None:
        return {}
    return {
        node.id: Reason(code=ReasonCode.NODE_LOST, facts={"node": node.id, "retired": 1})
        for node in view.nodes
        if node.is_rehearsed and node.id not in rehearsed and node.id not in heard
    }


def _is_out_of_reach(asked: set[ReplicaId], silent_s: float, silence: Silence) -> bool:
    """Whether all that can be asked say no; where nothing can be asked, whether it was silent for long."""
    if not asked:
        return silent_s > silence.unasked_s
    return bool(silence.doors) and all(asked <= door.unreachable for door in silence.doors)


def _reach_others(silence: Silence) -> bool:
    """Whether every gateway reaches something: then what it does not reach is not its own trouble."""
    return all(silence.routed - door.unreachable for door in silence.doors)


def _reason(node: Node, silent_s: float, *, gateways: int) -> Reason:
    facts: Facts = {"node": node.id, "silent_s": round(silent_s, 1), "gateways": gateways}
    return Reason(code=ReasonCode.NODE_LOST, facts=facts)
