"""The value of `top`, and what the plan says of a service -> answers. Total, decides nothing."""

from collections.abc import Iterable, Mapping
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.aimed import expected_rps
from alliage.control.by_plan import ByPlan
from alliage.control.desk import Desk
from alliage.control.recent import Seen
from alliage.control.scopes import is_scope
from alliage.control.top import Top
from alliage.decide.reasons import Decision, Outcome
from alliage.decide.solve.reasons import Why
from alliage.faces.admin import answers, tell, top_answers
from alliage.faces.decisions import headline, why
from alliage.faces.plan_words import words
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Recipe, Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView

_DONE: Final = {
    Outcome.STOPPED: "stopped",
    Outcome.RESTARTED: "started again",
    Outcome.GIVEN_UP: "given up",
    Outcome.WOKEN: "woken",
    Outcome.RESTED: "put to sleep",
}
Bound = Mapping[DeviceId, int]
"""Devices that replicas have, with how many of their cores."""


def tell_top(desk: Desk, *, version: str, events: int, is_admin: bool) -> top_answers.TopAnswer:
    """All of it, from one snapshot, with the newest `events`; what was changed of tenants, projects and keys is for admins."""
    top = desk.top(events=events)
    view = top.view
    bound = _bound(view.replicas)
    running: dict[NodeId, int] = {}
    mine: dict[str, list[Replica]] = {}
    for replica in view.replicas:
        running[replica.node] = running.get(replica.node, 0) + 1
        mine.setdefault(replica.service, []).append(replica)
    return top_answers.TopAnswer(
        version=version,
        at_s=top.at_s,
        gateways=top.doors,
        sites=tuple(_sites(view.nodes, bound)),
        nodes=tuple(_node(each, bound, running.get(each.id, 0), each.id in top.connected) for each in view.nodes),
        services=tuple(_service(desk, each, top, mine.get(each.name, [])) for each in view.services),
        prices=tuple(
            top_answers.TopPrice(
                kind=each.kind,
                site=each.site,
                chip=each.chip,
                devices=each.devices,
                given=each.given,
                list_micros=each.list_micros,
                price_micros=each.price_micros,
            )
            for each in top.prices
        ),
        events=tuple(_events(top, view, desk.catalog(), is_admin=is_admin)[:events]),
    )


def tell_by_plan(told: ByPlan) -> top_answers.ByPlanAnswer:
    """As data, each reason with its sentence."""
    explanation = told.explanation
    lacks = explanation.lacks
    return top_answers.ByPlanAnswer(
        told_rps=told.told_rps,
        seen_rps=told.seen_rps,
        planned_rps=told.planned_rps,
        settled=told.is_settled,
        aims=tuple(
            top_answers.AimAnswer(way=each.way, kind=each.kind.name, count=each.count, rate_rps=each.rate_rps)
            for each in told.aims
        ),
        missing_rps=lacks.missing if lacks is not None else 0.0,
        missing_replicas=lacks.missing_replicas if lacks is not None else 0,
        because=tuple(_whys(lacks.because if lacks is not None else ())),
        chosen=tuple(_whys(explanation.chosen)),
        rejected=tuple(_whys(explanation.rejected)),
        would_change=tuple(_whys(tried.why for tried in explanation.would_change)),
        cut_short=explanation.is_cut_short,
    )


def _whys(whys: Iterable[Why]) -> Iterable[answers.ReasonAnswer]:
    return (answers.ReasonAnswer(code=each.code, facts=dict(each.facts), text=words(each)) for each in whys)


def _bound(replicas: Iterable[Replica]) -> Bound:
    found: dict[DeviceId, int] = {}
    for replica in replicas:
        for binding in replica.bindings:
            found[binding.device] = found.get(binding.device, 0) + len(binding.cores)
    return found


def _sites(nodes: Iterable[Node], bound: Bound) -> Iterable[top_answers.TopSite]:
    """In the order of their names."""
    by_site: dict[str, list[Node]] = {}
    for node in nodes:
        by_site.setdefault(node.site, []).append(node)
    for site, mine in sorted(by_site.items()):
        phases = [node.phase for node in mine]
        devices = [device.id for node in mine for device in node.devices]
        yield top_answers.TopSite(
            site=site,
            region=next((node.region for node in mine if node.region), ""),
            nodes=len(mine),
            ready=phases.count(NodePhase.READY),
            unreachable=phases.count(NodePhase.UNREACHABLE),
            lost=phases.count(NodePhase.LOST),
            cordoned=sum(1 for node in mine if node.is_cordoned or node.is_draining),
            rehearsed=sum(1 for node in mine if node.is_rehearsed),
            devices=len(devices),
            devices_bound=sum(1 for device in devices if device in bound),
        )


def _node(node: Node, bound: Bound, replicas: int, is_connected: bool) -> top_answers.TopNode:  # noqa: FBT001 - a fact
    by_chip: dict[str, list[Device]] = {}
    for device in node.devices:
        by_chip.setdefault(device.chip, []).append(device)
    return top_answers.TopNode(
        id=node.id,
        site=node.site,
        phase=node.phase,
        connected=is_connected,
        rehearsed=node.is_rehearsed,
        cordoned=node.is_cordoned,
        draining=node.is_draining,
        replicas=replicas,
        devices=tuple(_devices(chip, mine, node, bound) for chip, mine in by_chip.items()),
    )


def _devices(chip: str, devices: list[Device], node: Node, bound: Bound) -> top_answers.TopDevices:
    return top_answers.TopDevices(
        chip=chip,
        devices=len(devices),
        bound=sum(1 for each in devices if each.id in bound),
        cores=sum(len(each.cores) for each in devices),
        cores_bound=sum(bound.get(each.id, 0) for each in devices),
        cordoned=sum(1 for each in devices if not node.takes(each.id)),
        draining=sum(1 for each in devices if node.empties(each.id)),
    )


def _service(desk: Desk, service: Service, top: Top, replicas: list[Replica]) -> top_answers.TopService:
    seen = top.seen.get(service.name)
    return top_answers.TopService(
        name=service.name,
        tenant=service.tenant,
        phase=service.phase,
        why=tell.tell_why(desk, service, replicas),
        objective=answers.ObjectiveAnswer(ttft_s=service.objective.ttft_s, tpot_s=service.objective.tpot_s),
        replicas_ready=sum(1 for each in replicas if each.phase is ReplicaPhase.READY),
        replicas_wanted=top.wanted.get(service.name, 0),
        expected_rps=expected_rps(service, top.view),
        missing_rps=top.missing_rps.get(service.name, 0.0),
        seen=_seen(seen) if seen is not None else None,
        replicas_asleep=sum(1 for each in replicas if each.phase is ReplicaPhase.ASLEEP),
    )


def _seen(seen: Seen) -> top_answers.TopSeen:
    traffic = seen.traffic
    judged = traffic.kept + traffic.missed
    return top_answers.TopSeen(
        window_s=seen.window_s,
        asked_rps=seen.asked_rps,
        in_flight=traffic.in_flight,
        held=traffic.held,
        ttft_s=traffic.ttft_s / traffic.first_tokens if traffic.first_tokens else None,
        tpot_s=traffic.tpot_s / traffic.paced if traffic.paced else None,
        kept_share=traffic.kept / judged if judged else None,
        judged=judged,
        answered=traffic.answered,
        failed=traffic.failed,
        continued=traffic.continued,
    )


def _events(top: Top, view: FleetView, catalog: Catalog, *, is_admin: bool) -> list[top_answers.TopEvent]:
    """What happened and what was decided, the newest first."""
    found = [
        top_answers.TopEvent(at_s=each.at_s, subject=each.subject, text=f"{each.subject}: {each.what}")
        for each in top.observations
        if is_admin or not is_scope(each.subject)
    ]
    found += [
        top_answers.TopEvent(at_s=each.at_s, subject=each.service, text=_decided(each, view, catalog))
        for each in top.decisions
    ]
    return sorted(found, key=lambda event: -event.at_s)


def _decided(decision: Decision, view: FleetView, catalog: Catalog) -> str:
    """What was decided, in one line; the reasons for a placement are for `explain`."""
    recipe, reasons = decision.recipe, why(decision)
    if recipe is None or not decision.where:
        told = headline(decision, view=view, catalog=catalog)
        return f"{told} Why: {reasons}." if reasons else told
    place = f"{decision.service}: a replica on {_taken(recipe)} of {decision.where.partition('/')[0]}"
    if decision.outcome is Outcome.PLACED:
        return f"{place} by {recipe.engine} {recipe.precision}"
    return f"{place} is {_DONE.get(decision.outcome, str(decision.outcome))}: {reasons or 'not recorded why'}"


def _taken(recipe: Recipe) -> str:
    if recipe.cores:
        return f"{recipe.cores} {'core' if recipe.cores == 1 else 'cores'}"
    return f"{recipe.devices} {recipe.chip}"
