"""by_plan: what the plan of now says of one service: what it reckons with, what it chose, and what would change that. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from alliage.decide.aiming.aims import Aim, Aims, of_service
from alliage.decide.aiming.outlook import service_of
from alliage.decide.solve.answer import Budget, Plan
from alliage.decide.solve.explain import Explanation, explain
from alliage.fleet.demand import Demand
from alliage.fleet.ids import ServiceName
from alliage.fleet.services import Service

WALL_S: Final = 5.0
"""For how long changes are tried: each of them is a plan of its own."""
ONE_WALL_S: Final = 1.0
"""What one of these plans may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPlan:
    """Of one service. Rates are requests a second."""

    told_rps: float | None
    """What was told with the order; None: nothing was."""
    seen_rps: float
    """What is forecast from what was seen."""
    planned_rps: float
    """What the plan gives replicas for, beyond those that stay where nothing new may be placed."""
    is_settled: bool
    """False: it has not been watched for long enough, so what runs is planned for as if all of it were needed."""
    aims: tuple[Aim, ...]
    explanation: Explanation


def explain_now(name: ServiceName, aims: Aims, is_late: Callable[[], bool]) -> Explanation | None:
    """None where the plan does not know the service. `is_late` says when no more changes are to be tried.

    A service's first replica and its others are two works of the programme; it is the one that lacks something that is told of.
    """
    made, problem = aims.plan, replace(aims.outlook.problem, running=aims.outlook.running)
    if not isinstance(made, Plan) or all(each.name != name for each in problem.services):
        return None
    lacking = [each.work for each in made.unmet if service_of(each.work) == name]
    told = explain(problem, made, lacking[0] if lacking else name, Budget(wall_s=ONE_WALL_S), is_late=is_late)
    short = aims.short.get(name)
    return replace(
        told,
        work=name,
        chosen=tuple(of_service(why, made) for why in told.chosen),
        rejected=tuple(of_service(why, made) for why in told.rejected),
        lacks=told.lacks if short is None else short.unmet,
        would_change=tuple(replace(each, why=of_service(each.why, made)) for each in told.would_change),
    )


def by_plan(service: Service, demand: Mapping[ServiceName, Demand], aims: Aims, told: Explanation) -> ByPlan:
    """Put together for a service that the plan knows."""
    ask = next(each for each in aims.outlook.problem.services if each.name == service.name)
    seen = demand.get(service.name)
    return ByPlan(
        told_rps=service.rate_rps,
        seen_rps=seen.rate_rps if seen is not None else 0.0,
        planned_rps=ask.demand_rps,
        is_settled=seen is None or not seen.needed_before_s,
        aims=aims.aims.get(service.name, ()),
        explanation=told,
    )
