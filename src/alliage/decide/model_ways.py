"""model_ways: a model with an objective -> the ways of a plan, by the one `fit`. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from alliage.catalog.records import Catalog, ModelCard, Sharing
from alliage.decide.fit import FitAsk, FitRow, fit
from alliage.decide.reasons import Reason, ReasonCode, Rejected
from alliage.decide.solve.problem import Way
from alliage.fleet.measured import Measured
from alliage.speed.predict import Speed


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWays:
    """The ways of one service on some chips, and why there are no others."""

    ways: tuple[Way, ...]
    rejected: tuple[Rejected, ...]


def model_ways(
    model: ModelCard,
    ask: FitAsk,
    catalog: Catalog,
    *,
    precisions: Sequence[str] = (),
    measured: Sequence[Measured] = (),
) -> ModelWays:
    """For each of the chips of `ask` (none: no ways) and number of devices, the engine and precision that carry most at the objective.

    `precisions` (default: the card's own) are those that will do, since a model in another answers differently. Where
    no speed is known the way has no rate. Chips that are shared by cores are told of only: their nodes differ too much.
    """
    wanted = frozenset(each.upper() for each in precisions or (model.precision,))
    known = frozenset(each for each in ask.chips if each in catalog.chips)
    if not known:
        return ModelWays(ways=(), rejected=tuple(_untold(ask.chips, catalog)))
    fitted = fit(model, replace(ask, chips=known), catalog, measured=measured)
    rows = [row for row in fitted.rows if row.way.recipe.precision.upper() in wanted]
    kept: dict[tuple[str, int], FitRow] = {}
    for row in sorted((row for row in rows if not _misses(row)), key=_worth):
        kept.setdefault((row.way.recipe.chip, row.way.devices), row)
    ways = sorted((_way(row) for row in kept.values()), key=lambda way: (way.chip, way.devices))
    refused = [each for each in fitted.rejected if _precision_of(each) in {"", *wanted}]
    missed = [_missed(row, ask) for row in rows if _misses(row)]
    return ModelWays(ways=tuple(ways), rejected=(*refused, *missed, *_untold(ask.chips, catalog)))


def _misses(row: FitRow) -> bool:
    """Whether its speed is known, and not even one request at a time keeps the objective."""
    return isinstance(row.speed, Speed) and not row.users


def _worth(row: FitRow) -> tuple[bool, float, str, str]:
    """Most first; known before unknown."""
    return (row.rate is None, -(row.rate or 0.0), row.way.recipe.engine, row.way.recipe.precision)


def _way(row: FitRow) -> Way:
    recipe = row.way.recipe
    return Way(
        name=f"{row.way.devices} x {recipe.chip}, {recipe.engine} {recipe.precision}",
        chip=recipe.chip,
        devices=row.way.devices,
        rate=row.rate,
        evidence=row.speed.evidence if isinstance(row.speed, Speed) else recipe.evidence,
    )


def _precision_of(each: Rejected) -> str:
    return str(each.reason.facts.get("precision", "")).upper()


def _missed(row: FitRow, ask: FitAsk) -> Rejected:
    recipe = row.way.recipe
    option = f"{row.way.devices} x {recipe.chip}, {recipe.engine} {recipe.precision}"
    asked = {"ttft_s": ask.ttft_s, "tpot_s": ask.tpot_s}
    facts = {name: value for name, value in asked.items() if value is not None}
    return Rejected(option=option, reason=Reason(code=ReasonCode.OBJECTIVE_MISSED, facts=facts))


def _untold(chips: Iterable[str], catalog: Catalog) -> list[Rejected]:
    """Chips of which there is no telling: those of no catalogue, and those that are shared by cores."""
    told: dict[str, str] = {}
    for each in sorted(chips):
        chip = catalog.chips.get(each)
        if chip is None:
            told[each] = f"chip {each}"
        elif chip.sharing is Sharing.CORES:
            told[each] = f"speed of a node of {each}"
    return [
        Rejected(option=each, reason=Reason(code=ReasonCode.FACT_UNKNOWN, facts={"what": what}))
        for each, what in told.items()
    ]
