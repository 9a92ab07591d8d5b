"""Domain values -> answers. Reads the desk, decides nothing; every function is total and has no effect."""

from collections.abc import Mapping, Sequence

from alliage.catalog.records import Catalog, ModelCard
from alliage.control.aimed import expected_rps
from alliage.control.desk import Deployed, Desk
from alliage.control.observed import DoorReport, NodeReport
from alliage.control.recent import Seen
from alliage.decide.reasons import Decision, Outcome, Reason
from alliage.faces.admin import answers
from alliage.faces.decisions import describe, describe_all, in_a_line, why
from alliage.faces.explain import phase_words
from alliage.faces.reasons import sentence
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase, ServicePhase
from alliage.fleet.measured import evidence_of, measured_recipes
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Evidence, Recipe, Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


def tell_status(desk: Desk, *, version: str, gateway_url: str, gateways: int = 1) -> answers.StatusAnswer:
    """Everything in one, from one snapshot; `gateways` is how many there are to be."""
    view, doors = desk.view(), desk.doors()
    return answers.StatusAnswer(
        version=version,
        gateway_url=gateway_url,
        state_version=view.version,
        nodes=tell_nodes(desk, view),
        services=tell_services(desk, view),
        replicas=tell_replicas(desk, view),
        doors=tuple(
            answers.DoorAnswer(door=each.door, table_version=each.table_version, in_flight=sum(each.in_flight.values()))
            for each in doors
        ),
        problems=tuple(_problems(desk, view, doors, gateways)),
    )


def tell_nodes(desk: Desk, view: FleetView) -> tuple[answers.NodeAnswer, ...]:
    """All nodes with what is bound and free on them."""
    return tuple(tell_node(desk, node, view) for node in view.nodes)


def tell_node(desk: Desk, node: Node, view: FleetView) -> answers.NodeAnswer:
    """One node with what is bound and free on it."""
    return answers.NodeAnswer(
        id=node.id,
        site=node.site,
        phase=node.phase,
        connected=node.id in desk.reports(),
        rehearsed=node.is_rehearsed,
        region=node.region,
        tags=node.tags,
        devices=tuple(_device(each, node, view, desk.catalog()) for each in node.devices),
        engines=tuple(
            answers.EngineAnswer(engine=each.engine, version=each.version, program=each.program)
            for each in node.engines
        ),
        cordoned=node.is_cordoned,
        draining=node.is_draining,
        cordoned_devices=node.cordoned,
    )


def tell_services(desk: Desk, view: FleetView) -> tuple[answers.ServiceAnswer, ...]:
    """All services."""
    wanted, seen = desk.wanted(view), desk.seen()
    return tuple(_service(desk, service, view, wanted, seen) for service in view.services)


def tell_service(desk: Desk, service: Service, view: FleetView) -> answers.ServiceAnswer:
    """One service with how many replicas it has."""
    return _service(desk, service, view, desk.wanted(view), desk.seen())


def _service(
    desk: Desk,
    service: Service,
    view: FleetView,
    wanted: Mapping[ServiceName, int],
    seen: Mapping[ServiceName, Seen],
) -> answers.ServiceAnswer:
    replicas = view.replicas_of(service.name)
    mine = seen.get(service.name)
    return answers.ServiceAnswer(
        name=service.name,
        tenant=service.tenant,
        phase=service.phase,
        why=tell_why(desk, service, replicas),
        model=tell_model(service.model),
        objective=answers.ObjectiveAnswer(ttft_s=service.objective.ttft_s, tpot_s=service.objective.tpot_s),
        rate_rps=service.rate_rps,
        residency=service.residency,
        min_replicas=service.min_replicas,
        max_replicas=service.max_replicas,
        replicas=len(replicas),
        replicas_ready=sum(1 for replica in replicas if replica.phase is ReplicaPhase.READY),
        created_s=service.created_s,
        replicas_asleep=sum(1 for replica in replicas if replica.phase is ReplicaPhase.ASLEEP),
        replicas_wanted=wanted.get(service.name, service.min_replicas),
        expected_rps=expected_rps(service, view),
        seen_rps=mine.asked_rps if mine is not None and mine.window_s else None,
    )


def tell_replicas(desk: Desk, view: FleetView) -> tuple[answers.ReplicaAnswer, ...]:
    """All replicas, with what their agents and the gateways see of them, and what was measured of their recipes."""
    reports, doors, known = desk.reports(), desk.doors(), measured_recipes(desk.measured())
    return tuple(
        _replica(each, reports.get(each.node), doors, evidence_of(each.recipe, each.node, known))
        for each in view.replicas
    )


def tell_model(card: ModelCard) -> answers.ModelAnswer:
    """A model card."""
    return answers.ModelAnswer(
        id=card.id,
        name=card.name,
        licence=card.licence,
        precision=card.precision,
        tasks=tuple(str(task) for task in card.tasks),
        family=card.architecture.family,
        parameters=card.architecture.parameters,
        active_parameters=card.architecture.active_parameters,
        context_tokens=card.architecture.context_tokens,
        source=card.weights.source,
        format=card.weights.format,
        size_bytes=card.weights.size_bytes,
    )


def tell_decision(
    decision: Decision, view: FleetView, catalog: Catalog, *, verb: str = "runs"
) -> answers.DecisionAnswer:
    """A decision, as data and as text; `verb` as in `describe`."""
    return answers.DecisionAnswer(
        at_s=decision.at_s,
        service=decision.service,
        outcome=decision.outcome,
        where=decision.where,
        recipe=_recipe(decision.recipe, decision.recipe.evidence) if decision.recipe else None,
        because=tuple(_reason(each) for each in decision.because),
        rejected=tuple(
            answers.RejectedAnswer(option=each.option, reason=_reason(each.reason)) for each in decision.rejected
        ),
        would_change=tuple(_reason(each) for each in decision.would_change),
        text=describe(decision, view=view, catalog=catalog, verb=verb),
    )


def tell_deployed(desk: Desk, deployed: Deployed) -> answers.DeployAnswer:
    """The answer to an order; a refused one carries an error as well."""
    view, catalog = desk.view(), desk.catalog()
    verb = "would run" if deployed.dry_run else "runs"
    refused = next((each for each in deployed.decisions if each.outcome is Outcome.REFUSED), None)
    return answers.DeployAnswer(
        accepted=refused is None,
        created=deployed.created and refused is None and not deployed.dry_run,
        dry_run=deployed.dry_run,
        service=tell_service(desk, deployed.service, view),
        text=describe_all(deployed.decisions, view=view, catalog=catalog, verb=verb, brief=True),
        decisions=tuple(tell_decision(each, view, catalog, verb=verb) for each in deployed.decisions),
        error=_refusal(refused) if refused else None,
    )


def _refusal(refused: Decision) -> answers.ErrorDetail:
    return answers.ErrorDetail(
        code="refused",
        message=f"{refused.service} cannot be served now: {why(refused) or 'nothing here can run it'}",
        remedy=in_a_line(refused.would_change),
    )


def tell_why(desk: Desk, service: Service, replicas: Sequence[Replica]) -> str:
    """Why a service is not ready, in a sentence; "" where it is."""
    match service.phase:
        case ServicePhase.READY:
            return ""
        case ServicePhase.UNSERVED:
            newest = next(iter(desk.decisions(service.name, 1)), None)
            return (why(newest) if newest else "") or "no chip can serve it now"
        case ServicePhase.IDLE:
            asleep = sum(1 for each in replicas if each.phase is ReplicaPhase.ASLEEP)
            does = f"wakes one of {asleep} that sleep" if asleep else "starts a replica"
            return f"nobody asks for it: the first request {does}"
        case ServicePhase.STARTING | ServicePhase.DELETING:
            return "; ".join(f"{each.id} is {phase_words(each)}" for each in replicas)


def _problems(desk: Desk, view: FleetView, doors: Sequence[DoorReport], gateways: int) -> list[str]:
    found = [] if doors else ["no gateway is connected: requests are answered from the last table, or not at all"]
    if 0 < len(doors) < gateways:
        found.append(
            f"{gateways - len(doors)} of {gateways} gateway processes are not connected: "
            "what comes to them is answered from the last table, or waits until they are started again"
        )
    found += [] if view.nodes else ["no node has joined"]
    found += [text for each in view.nodes if (text := _node_problem(each))]
    for service in view.services:
        if service.phase is ServicePhase.UNSERVED:
            why = tell_why(desk, service, view.replicas_of(service.name))
            found.append(f"service {service.name} cannot be served: {why}")
    waiting = (each for each in view.replicas if each.phase is ReplicaPhase.BACKOFF)
    return found + [f"replica {each.id} is {phase_words(each)}" for each in waiting]


def _node_problem(node: Node) -> str:
    """What is wrong with a node; a cordon is somebody's wish and no problem."""
    match node.phase:
        case NodePhase.READY:
            return ""
        case NodePhase.UNREACHABLE:
            return f"node {node.id} cannot be reached"
        case NodePhase.LOST:
            return f"node {node.id} is lost; `alliage node forget {node.id}` drops it if it will not come back"


def _device(device: Device, node: Node, view: FleetView, catalog: Catalog) -> answers.DeviceAnswer:
    bound = [binding for replica in view.replicas for binding in replica.bindings if binding.device == device.id]
    chip = catalog.chips.get(device.chip)
    return answers.DeviceAnswer(
        id=device.id,
        chip=device.chip,
        chip_name=chip.name if chip else device.chip,
        cores=device.cores,
        cores_bound=tuple(sorted(core for binding in bound for core in binding.cores)),
        memory_bytes=device.memory_bytes,
        bound_bytes=sum(binding.memory_bytes for binding in bound),
        free_bytes=view.free_bytes.get(device.id),
        facts=dict(device.facts),
        cordoned=not node.takes(device.id),
        draining=node.empties(device.id),
    )


def _replica(
    replica: Replica, report: NodeReport | None, doors: Sequence[DoorReport], evidence: Evidence
) -> answers.ReplicaAnswer:
    return answers.ReplicaAnswer(
        id=replica.id,
        service=replica.service,
        node=replica.node,
        phase=replica.phase,
        note=replica.note,
        starts=replica.starts,
        failures=replica.failures,
        retry_s=replica.retry_s,
        recipe=_recipe(replica.recipe, evidence),
        bindings=tuple(
            answers.BindingAnswer(device=each.device, cores=each.cores, memory_bytes=each.memory_bytes)
            for each in replica.bindings
        ),
        live=_live(replica, report),
        in_flight=sum(door.in_flight.get(replica.id, 0) for door in doors),
        created_s=replica.created_s,
        asleep_bytes=replica.host_bytes if replica.phase is ReplicaPhase.ASLEEP else 0,
    )


def _live(replica: Replica, report: NodeReport | None) -> answers.LiveAnswer | None:
    seen = report.replicas.get(replica.id) if report else None
    if seen is None:
        return None
    return answers.LiveAnswer(
        state=seen.state,
        attempt=seen.attempt,
        pid=seen.pid,
        resident_bytes=seen.resident_bytes,
        ready_for_s=seen.ready_for_s,
        fetched_bytes=seen.fetched_bytes,
        total_bytes=seen.total_bytes,
    )


def _recipe(recipe: Recipe, evidence: Evidence) -> answers.RecipeAnswer:
    return answers.RecipeAnswer(
        model=recipe.model,
        chip=recipe.chip,
        engine=recipe.engine,
        precision=recipe.precision,
        tensor_parallel=recipe.tensor_parallel,
        pipeline_parallel=recipe.pipeline_parallel,
        context_tokens=recipe.context_tokens,
        concurrency=recipe.concurrency,
        cores=recipe.cores,
        memory_bytes=recipe.memory_bytes,
        evidence=evidence,
    )


def _reason(reason: Reason) -> answers.ReasonAnswer:
    return answers.ReasonAnswer(code=reason.code, facts=dict(reason.facts), text=sentence(reason))
