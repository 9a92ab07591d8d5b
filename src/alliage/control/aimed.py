"""aimed: how many replicas each service is to have, and for what demand, as the plan of now has it. Pure."""

from collections.abc import Mapping

from alliage.decide.aiming.aims import Aims
from alliage.decide.aiming.kinds import is_open
from alliage.decide.solve.answer import Plan
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import OUT, ServicePhase
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


def wanted_replicas(view: FleetView, aims: Aims | None) -> Mapping[ServiceName, int]:
    """Those that are aimed at, those that stay where nothing new may be placed, and what lacks of the least number.

    Where no plan knows the service yet, its least number.
    """
    nodes = {node.id: node for node in view.nodes}
    staying: dict[ServiceName, int] = {}
    for replica in view.replicas:
        node = nodes.get(replica.node)
        emptied = node is not None and any(node.empties(binding.device) for binding in replica.bindings)
        if replica.phase not in OUT and not emptied and not is_open(node, replica):
            staying[replica.service] = staying.get(replica.service, 0) + 1
    return {service.name: _wanted(service, aims, staying.get(service.name, 0)) for service in view.services}


def _wanted(service: Service, aims: Aims | None, staying: int) -> int:
    if service.phase is ServicePhase.DELETING:
        return 0
    if aims is None or not isinstance(aims.plan, Plan) or service.name not in aims.aims:
        return service.min_replicas
    short = aims.short.get(service.name)
    lacking = short.unmet.missing_replicas if short is not None else 0
    return sum(each.count for each in aims.aims[service.name]) + staying + lacking


def expected_rps(service: Service, view: FleetView) -> float:
    """What is planned for: the most of what was told with the order and what is forecast from what was seen."""
    demand = view.demand.get(service.name)
    return max(service.rate_rps or 0.0, demand.rate_rps if demand is not None else 0.0)
