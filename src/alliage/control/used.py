"""What was used of limits, told by whoever counts it; a seam for those who do. Control itself counts none of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from alliage.fleet.limits import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a scope used, over all gateways. None: nobody who counts it has told."""

    requests_last_minute: int | None = None
    tokens_last_minute: int | None = None
    parallel: int | None = None
    """Requests in work now."""
    day_micros: int | None = None
    """Charged in this day of UTC."""
    month_micros: int | None = None


UNTOLD = Used()


class CountsUse(Protocol):
    """Somebody who knows some fields of Used of some scopes, and leaves the others None."""

    def used(self) -> Mapping[Scope, Used]:
        """Those of now."""
        ...


def used_by(counting: Sequence[CountsUse]) -> Mapping[Scope, Used]:
    """What all of them tell together; where two tell the same figure, the first one's."""
    found: dict[Scope, Used] = {}
    for each in counting:
        for scope, used in each.used().items():
            found[scope] = _filled(found.get(scope, UNTOLD), used)
    return found


def _filled(known: Used, more: Used) -> Used:
    told = {field.name: (getattr(known, field.name), getattr(more, field.name)) for field in fields(Used)}
    return Used(**{name: second if first is None else first for name, (first, second) in told.items()})
