"""Services: what tenants ask for."""

from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import ModelCard
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import ServicePhase


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What is promised of a service: seconds to the first token, seconds a token after it. None: not asked."""

    ttft_s: float | None
    tpot_s: float | None

    @property
    def is_asked(self) -> bool:
        """Whether anything is promised at all."""
        return self.ttft_s is not None or self.tpot_s is not None


UNASKED: Final = Objective(ttft_s=None, tpot_s=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An endpoint a tenant asked for. It carries its model card, so that a catalogue change cannot alter it."""

    name: ServiceName
    tenant: str
    model: ModelCard
    objective: Objective
    min_replicas: int
    max_replicas: int
    phase: ServicePhase
    created_s: float
    """Seconds since 1970."""
