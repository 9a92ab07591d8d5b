"""Orders: what a tenant asks for, checked, and the service that it comes to. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import ModelCard
from alliage.errors import BadInput, Conflict
from alliage.fleet.failed import Failed
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import SERVICE_TRANSITIONS, ServiceEvent, ServicePhase, advance
from alliage.fleet.services import Objective, Service
from alliage.fleet.view import FleetView

REPLICAS_MAX: Final = 1000
RATE_RPS_MAX: Final = 1e6
RESIDENCY_MAX: Final = 100
_PLACE: Final = re.compile(r"[\w.:/-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployOrder:
    """What a tenant asks for. `model` is a catalogue name, an absolute path or a hub id; `name` defaults to its id."""

    model: str
    name: str | None
    tenant: str
    ttft_s: float | None
    tpot_s: float | None
    min_replicas: int
    max_replicas: int | None
    """None: as many as needed, where anything says how many that is; else as many as the least."""
    remote_code: bool
    dry_run: bool
    rate_rps: float | None = None
    """Requests a second to expect; None: what is seen."""
    residency: tuple[str, ...] = ()
    """Sites, regions or tags of sites where it may live; empty: anywhere."""

    @property
    def replicas_max(self) -> int:
        """The most replicas that it may have."""
        if self.max_replicas is not None:
            return self.max_replicas
        told = (self.ttft_s, self.tpot_s, self.rate_rps)
        is_open = self.min_replicas == 0 or any(each is not None for each in told)
        return REPLICAS_MAX if is_open else self.min_replicas


def check_order(order: DeployOrder) -> None:
    """Raise BadInput for numbers that mean nothing, and for names that no place can have."""
    for label, seconds in (("--ttft", order.ttft_s), ("--tpot", order.tpot_s)):
        if seconds is not None and not 0 < seconds <= 3600:
            raise BadInput(f"{label} is {seconds} s", remedy="give a duration between 0 and 1 h, such as 500ms")
    if order.rate_rps is not None and not 0 < order.rate_rps <= RATE_RPS_MAX:
        raise BadInput(
            f"--rate is {order.rate_rps} requests a second",
            remedy=f"give more than 0 and at most {RATE_RPS_MAX:.0f}, or leave it out: then what is seen counts",
        )
    if not 0 <= order.min_replicas <= order.replicas_max <= REPLICAS_MAX or not order.replicas_max:
        raise BadInput(
            f"replicas from {order.min_replicas} to {order.replicas_max} make no sense",
            remedy=f"keep 0 <= --min-replicas <= --max-replicas, and --max-replicas from 1 to {REPLICAS_MAX}",
        )
    _check_residency(order)


def asked_service(
    order: DeployOrder, name: ServiceName, card: ModelCard, old: Service | None, *, now_s: float
) -> Service:
    """The service as it would be desired; raises Conflict where the name is not free."""
    if old is not None and old.phase is ServicePhase.DELETING:
        raise Conflict(f"service {name!r} is being deleted", remedy="ask again in a moment, or take another --name")
    if old is not None and old.model != card:
        raise Conflict(
            f"service {name!r} serves another model ({old.model.id} from {old.model.weights.source})",
            remedy=f"take another --name, or `alliage delete {name}` first",
        )
    phase = ServicePhase.STARTING
    if old is not None:
        phase = advance(SERVICE_TRANSITIONS, old.phase, ServiceEvent.ASKED) or old.phase
    return Service(
        name=name,
        tenant=old.tenant if old is not None else order.tenant,
        model=card,
        objective=Objective(ttft_s=order.ttft_s, tpot_s=order.tpot_s),
        min_replicas=order.min_replicas,
        max_replicas=order.replicas_max,
        phase=phase,
        created_s=old.created_s if old is not None else now_s,
        rate_rps=order.rate_rps,
        residency=tuple(dict.fromkeys(order.residency)),
        asked_s=now_s,
    )


def tried_again(card: ModelCard, view: FleetView) -> tuple[Failed, ...]:
    """The failures that count no more once somebody asks for the model again, whichever of its services they were of.

    A recipe that failed on a node is passed over for every service of its model, so that any of them brings it back.
    """
    return tuple(failed for failed in view.failed if failed.recipe.model == card.id)


def _check_residency(order: DeployOrder) -> None:
    if len(order.residency) > RESIDENCY_MAX:
        raise BadInput(f"{len(order.residency)} names of --residency", remedy=f"give at most {RESIDENCY_MAX}")
    for name in order.residency:
        if _PLACE.fullmatch(name) is None:
            raise BadInput(
                f"--residency {name!r} can be no name of a site, a region or a tag",
                remedy="use 1 to 100 letters, digits, '.', '_', ':', '/' and '-'; repeat --residency for more names",
            )
