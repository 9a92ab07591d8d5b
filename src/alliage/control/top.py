"""top: all that a live view of the cloud shows, as one value. Facts and figures, no words."""

from collections.abc import Mapping
from dataclasses import dataclass

from alliage.control.aimed import wanted_replicas
from alliage.control.observed import Observation
from alliage.control.recent import Seen
from alliage.decide.aiming.aims import Aims
from alliage.decide.reasons import Decision
from alliage.decide.solve.answer import Plan
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True)
class KindPrice:
    """What a device-hour costs at one kind of nodes, by the last plan. Money is in micros an hour."""

    kind: str
    site: str
    chip: str
    devices: int
    """What its nodes have to give: devices, or of a chip that is shared by cores the parts that replicas take of it."""
    given: int
    """How many of them the plan gives away."""
    list_micros: int
    price_micros: int | None
    """With scarcity; None: the plan was cut short before it knew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """The cloud now."""

    at_s: float
    """Seconds since 1970."""
    view: FleetView
    connected: frozenset[NodeId]
    """Nodes whose agent is on the line."""
    doors: int
    """Gateways on the line."""
    wanted: Mapping[ServiceName, int]
    missing_rps: Mapping[ServiceName, float]
    """Of services for which the plan found no room; others are not in it."""
    seen: Mapping[ServiceName, Seen]
    prices: tuple[KindPrice, ...]
    """In the order of the plan; empty while there is none."""
    observations: tuple[Observation, ...]
    """Of all subjects, the newest first; `decisions` as well."""
    decisions: tuple[Decision, ...]


def top_of(  # noqa: PLR0917 - the parts of the picture
    view: FleetView,
    connected: frozenset[NodeId],
    doors: int,
    aims: Aims | None,
    seen: Mapping[ServiceName, Seen],
    observations: tuple[Observation, ...],
    decisions: tuple[Decision, ...],
    now_s: float,
) -> Top:
    """Put together; what is seen of services that are gone is left out."""
    short = aims.short if aims is not None else {}
    names = {service.name for service in view.services}
    return Top(
        at_s=now_s,
        view=view,
        connected=connected,
        doors=doors,
        wanted=wanted_replicas(view, aims),
        missing_rps={name: lacks.unmet.missing for name, lacks in short.items() if name in names},
        seen={name: each for name, each in seen.items() if name in names},
        prices=_prices(aims) if aims is not None else (),
        observations=observations,
        decisions=decisions,
    )


def _prices(aims: Aims) -> tuple[KindPrice, ...]:
    plan = aims.plan if isinstance(aims.plan, Plan) else None
    given: dict[str, int] = {}
    for each in plan.assigned if plan is not None else ():
        given[each.pool] = given.get(each.pool, 0) + each.count * each.devices
    found = {price.pool: price.price_micros for price in (plan.prices if plan is not None else ())}
    chips = {kind.name: kind.chip for kind in aims.outlook.kinds}
    return tuple(
        KindPrice(
            kind=pool.name,
            site=pool.site,
            chip=chips[pool.name],
            devices=pool.devices,
            given=given.get(pool.name, 0),
            list_micros=pool.price_micros,
            price_micros=found.get(pool.name),
        )
        for pool in aims.outlook.problem.pools
    )
