"""live_ways: a service at a kind of nodes -> the ways of the plan's programme, each with what a replica carries. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Final

from alliage.decide.aiming.kinds import Kind
from alliage.decide.carrying import Promise
from alliage.decide.reckoning import Reckoned
from alliage.fleet.demand import Demand
from alliage.fleet.measured import recipe_key
from alliage.fleet.replicas import Evidence, Recipe

SPARE_DEVIATIONS: Final = 2.0
"""How many standard deviations of the number of requests in flight are kept free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWay:
    """A recipe that a service can run by at a kind of nodes. `rate_rps` is None where its speed is not known."""

    recipe: Recipe
    rate_rps: float | None
    units: int
    is_failed: bool

    @property
    def name(self) -> str:
        """`vllm BF16 on 2 nvidia-h20`: tells apart the ways of a service at a kind."""
        recipe = self.recipe
        return f"{recipe.engine} {recipe.precision} on {recipe.devices} {recipe.chip}"


def live_ways(kind: Kind, demand: Demand | None, reckoned: Iterable[Reckoned]) -> tuple[LiveWay, ...]:
    """Of what was reckoned of a service there, one for each engine, precision and number of devices; failed ones are marked.

    It is the size that carries the most. Ways that are known to miss the objective even with one request at a time are
    left out.
    """
    best: dict[tuple[str, str, int], LiveWay] = {}
    for each in reckoned:
        way, carried = each.way, each.carried
        if way.recipe.device_bytes > (kind.place.device_bytes or 0):
            continue  # cores have the memory of their node, which `ways` does not look at
        if carried is not None and not isinstance(carried, Promise):
            continue
        found = LiveWay(
            recipe=each.promised.recipe,
            rate_rps=_rate_of(way.recipe, carried, demand),
            units=kind.units_of(way.recipe),
            is_failed=recipe_key(way.recipe) in kind.failed or way.recipe.evidence is Evidence.FAILED,
        )
        key = (way.recipe.engine, way.recipe.precision, way.devices)
        if key not in best or (found.rate_rps or 0.0) > (best[key].rate_rps or 0.0):
            best[key] = found
    return tuple(best.values())


def _rate_of(recipe: Recipe, promised: Promise | None, demand: Demand | None) -> float | None:
    """Requests a second that a replica carries without waiting, nearly always.

    Of Poisson arrivals m are in flight in the mean and sqrt(m) more or less: of its u places so many are filled that
    m + SPARE_DEVIATIONS sqrt(m) = u; and m requests that stay T seconds each are m / T a second (Little's law).
    """
    if promised is not None:
        users, stay_s = promised.users, promised.stay_s
    elif demand is not None and demand.service_s:
        users, stay_s = recipe.concurrency, demand.service_s
    else:
        return None
    half = SPARE_DEVIATIONS / 2
    return (sqrt(half * half + users) - half) ** 2 / stay_s
