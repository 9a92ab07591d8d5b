"""What a place costs and why, in devices: the same unit for every term, so that they can be told and compared."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The terms of one place, in devices."""

    fill: float
    """What typical shapes will now never fill there; below zero where the request uses what they could not."""
    kind: float
    """What the kind, with so many devices a host, is worth to those that can use little else: bound ones and gangs."""
    slot: float
    """What the room is worth to shapes that find little of it, such as gangs."""
    opening: float
    """What an empty host is worth, the more the fewer there are as large."""

    @property
    def total(self) -> float:
        """The sum; the least wins."""
        return self.fill + self.kind + self.slot + self.opening


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A host that has room, and the cost of its best devices."""

    host: int
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where a request would go, and the best host that is not a copy of it (None where there is no other)."""

    chosen: Offer
    runner_up: Offer | None

    @property
    def dearer_by(self) -> float | None:
        """How many devices' worth more the runner-up costs."""
        return None if self.runner_up is None else self.runner_up.cost.total - self.chosen.cost.total
