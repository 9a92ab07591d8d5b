"""A model with an objective as ways of a plan: what `fit` says, one way a chip and number of devices, and every no."""

from alliage.catalog.loader import load_catalog
from alliage.decide.fit import FitAsk, fit
from alliage.decide.model_ways import ModelWays, model_ways
from alliage.decide.reasons import ReasonCode

CATALOG = load_catalog()
MODEL = CATALOG.models["qwen3-32b"]
CHIPS = frozenset({"nvidia-h800-sxm", "thead-ppu-810e"})


def ask(*, tpot_s: float | None = 0.08, chips: frozenset[str] = CHIPS) -> FitAsk:
    """A chat within a second and so many seconds a token."""
    return FitAsk(
        context_tokens=8192,
        concurrency=16,
        input_tokens=1024,
        output_tokens=256,
        ttft_s=1.0,
        tpot_s=tpot_s,
        chips=chips,
    )


def reasons(found: ModelWays) -> dict[str, ReasonCode]:
    """What was refused, and why."""
    return {each.option: each.reason.code for each in found.rejected}


def test_a_way_carries_what_the_best_fit_of_its_devices_carries() -> None:
    """For each chip and number of devices the most that any engine carries, of the precisions that will do."""
    fitted = fit(MODEL, ask(), CATALOG)
    best: dict[tuple[str, int], float] = {}
    for row in fitted.rows:
        if row.rate is not None and row.way.recipe.precision in {"BF16", "INT8"}:
            key = (row.way.recipe.chip, row.way.devices)
            best[key] = max(best.get(key, 0.0), row.rate)
    found = model_ways(MODEL, ask(), CATALOG, precisions=("bf16", "INT8")).ways
    assert {(way.chip, way.devices): way.rate for way in found} == best
    assert {way.chip for way in found} == CHIPS


def test_only_the_cards_own_precision_unless_another_is_said_to_do() -> None:
    """A model in another precision answers differently: it is no way by itself."""
    assert all(way.name.endswith(" BF16") for way in model_ways(MODEL, ask(), CATALOG).ways)
    assert all(way.name.endswith(" INT8") for way in model_ways(MODEL, ask(), CATALOG, precisions=("INT8",)).ways)


def test_too_slow_is_no_way_and_says_so() -> None:
    """A microsecond a token: nothing keeps it, and each that was tried is told with what was asked."""
    found = model_ways(MODEL, ask(tpot_s=1e-6), CATALOG)
    assert found.ways == ()
    missed = [each for each in found.rejected if each.reason.code is ReasonCode.OBJECTIVE_MISSED]
    assert {each.option.split(",")[0].split(" x ")[1] for each in missed} == CHIPS
    assert all(each.reason.facts == {"ttft_s": 1.0, "tpot_s": 1e-6} for each in missed)


def test_chips_that_nothing_is_known_of_are_told() -> None:
    """One that is in no catalogue, and one that is shared by cores; alone, they leave no ways, not all of the catalogue."""
    strange = frozenset({"acme-9000", "cpu-x86"})
    found = model_ways(MODEL, ask(chips=strange), CATALOG)
    assert found.ways == ()
    assert reasons(found) == dict.fromkeys(strange, ReasonCode.FACT_UNKNOWN)
    both = model_ways(MODEL, ask(chips=strange | CHIPS), CATALOG)
    assert {way.chip for way in both.ways} == CHIPS
    assert reasons(both).items() >= reasons(found).items()


def test_no_chips_no_ways() -> None:
    """An empty fleet is not the whole catalogue."""
    assert model_ways(MODEL, ask(chips=frozenset()), CATALOG) == ModelWays(ways=(), rejected=())
