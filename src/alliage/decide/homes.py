"""homes: services that may live only where no node is yet. They are asked for, and wait for one to join. Pure."""

from collections.abc import Iterator

from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode
from alliage.fleet.lifecycles import LEAVING, ServicePhase
from alliage.fleet.nodes import Node
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


def may_live(service: Service, node: Node) -> bool:
    """Whether the node is at a site, in a region or under a tag that the service's residency names."""
    return not service.residency or bool(_names(node) & set(service.residency))


def homeless(view: FleetView) -> tuple[Service, ...]:
    """The services without a replica whose residency no node has, be it reached or not."""
    there = {name for node in view.nodes for name in _names(node)}
    return tuple(
        service
        for service in view.services
        if service.residency
        and service.phase is not ServicePhase.DELETING
        and there.isdisjoint(service.residency)
        and all(replica.phase in LEAVING for replica in view.replicas_of(service.name))
    )


def waiting(services: tuple[Service, ...], view: FleetView, now_s: float) -> Iterator[Decision]:
    """A decision for each: what it waits for."""
    there = ", ".join(sorted({name for node in view.nodes for name in _names(node)}))
    for service in services:
        facts = {"residency": ", ".join(service.residency), "known": there}
        yield Decision(
            at_s=now_s,
            service=service.name,
            outcome=Outcome.WAITING,
            recipe=None,
            where="",
            because=(Reason(code=ReasonCode.NO_HOME, facts=facts),),
            rejected=(),
            would_change=(),
        )


def _names(node: Node) -> set[str]:
    return {name for name in (node.site, node.region, *node.tags) if name}
