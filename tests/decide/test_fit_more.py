"""fit: rates, prices, CPUs of nodes, GGUF files, and what was measured."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alliage.decide.fit import FitAsk, best_of_each, fit
from alliage.decide.places import places_of_node
from alliage.decide.price.listed import LIFE_HOURS, Price, listed_prices, price_of_tokens
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Evidence
from alliage.speed.figures import node_figures, of_cores
from alliage.speed.predict import Speed, Unknown
from tests.builders import CATALOG, a_card, a_measured, a_node

ASK = FitAsk(
    context_tokens=2048,
    concurrency=4,
    input_tokens=128,
    output_tokens=64,
    ttft_s=None,
    tpot_s=None,
    chips=frozenset({"nvidia-h20"}),
)
TOLD = {"bandwidth": 20e9, "core_bandwidth": 12e9, "fp32": 200e9, "int8": 800e9}


def cpu_node() -> Node:
    """A node of four cores that found out what its CPU is."""
    node = a_node("desk", cores=4)
    return replace(node, devices=(replace(node.devices[0], figures=TOLD),))


def test_a_cpu_is_fitted_by_what_its_node_told() -> None:
    """A GGUF file on four cores: two of them, their part of the operations, and an estimate with its wide range."""
    here = places_of_node(cpu_node(), CATALOG)
    (row,) = fit(a_card(), replace(ASK, chips=frozenset({"cpu-x86"})), CATALOG, here=here).rows
    assert (row.where.node, row.way.recipe.cores, row.way.recipe.engine) == ("desk", 2, "llama.cpp")
    assert isinstance(row.speed, Speed)
    assert row.speed.evidence is Evidence.ESTIMATED
    assert row.speed.throughput_high_tps > 2 * row.speed.throughput_tps


def test_a_cpu_that_told_nothing_has_no_speed() -> None:
    """Never a guess."""
    here = places_of_node(a_node("desk", cores=4), CATALOG)
    (row,) = fit(a_card(), replace(ASK, chips=frozenset({"cpu-x86"})), CATALOG, here=here).rows
    assert isinstance(row.speed, Unknown)
    assert row.users is None


@given(cores=st.integers(1, 64))
def test_cores_draw_no_more_than_all_of_them(cores: int) -> None:
    """Bandwidth of a part grows with its cores up to that of the whole; operations are its share."""
    whole = node_figures(CATALOG.chips["cpu-x86"], TOLD, cores=64)
    part = of_cores(whole, cores)
    assert part.bandwidth == min(20e9, 12e9 * cores)
    assert all(part.flops[key] == whole.flops[key] * cores / 64 for key in whole.flops)


def test_rate_and_price_follow_from_users() -> None:
    """Replicas carry the rate, one fewer does not; a price twice as high makes tokens twice as dear."""
    card = CATALOG.models["qwen3-8b"]
    ask = replace(ASK, rate=100.0, tpot_s=0.03, prices={"nvidia-h20": Price(micros_per_hour=1_000_000, basis="test")})
    rows = [row for row in fit(card, ask, CATALOG).rows if row.users]
    assert rows
    for row in rows:
        assert row.rate is not None
        assert row.replicas is not None
        assert row.replicas * row.rate >= 100 > (row.replicas - 1) * row.rate
    dearer = replace(ask, prices={"nvidia-h20": Price(micros_per_hour=2_000_000, basis="test")})
    for once, twice in zip(rows, [row for row in fit(card, dearer, CATALOG).rows if row.users], strict=True):
        assert once.price_micros is not None
        assert twice.price_micros is not None
        assert abs(twice.price_micros - 2 * once.price_micros) <= 1


def test_price_of_tokens_is_hours_times_price() -> None:
    """Two devices at one unit an hour that write 1000 tokens/s: a million take 1000 s, so 2 x 1000 / 3600 units."""
    assert price_of_tokens(Price(micros_per_hour=1_000_000, basis=""), devices=2, tps=1000.0) == 555_556


def test_named_prices_win_over_purchase_prices_which_are_spread_over_four_years() -> None:
    """What the installation says of a chip stands; others follow from what one was sold for, if that is known."""
    sold = next(chip for chip in CATALOG.chips.values() if chip.price_usd.value)
    spread = listed_prices(CATALOG, {})
    assert spread[sold.id].micros_per_hour == round((sold.price_usd.value or 0) * 1e6 / max(1, sold.dies) / LIFE_HOURS)
    assert listed_prices(CATALOG, {sold.id: 1.5})[sold.id].micros_per_hour == 1_500_000
    assert set(spread) == {chip.id for chip in CATALOG.chips.values() if chip.price_usd.value}


def test_what_was_measured_corrects_its_row_and_says_so() -> None:
    """Half the predicted speed, seen: the row is slower, and measured; rows of other recipes are as before."""
    card = CATALOG.models["qwen3-8b"]
    guessed = fit(card, ASK, CATALOG).rows[0]
    assert isinstance(guessed.speed, Speed)
    recipe = guessed.way.recipe
    seen = replace(
        a_measured(),
        chip=recipe.chip, model=recipe.model, engine=recipe.engine, precision=recipe.precision,
        devices=guessed.way.devices, cores=0, slots=recipe.concurrency, concurrency=recipe.concurrency,
        input_tokens=ASK.input_tokens, output_tokens=ASK.output_tokens, throughput_tps=guessed.speed.throughput_tps / 2,
    )  # fmt: skip
    rows = {row.way.recipe: row.speed for row in fit(card, ASK, CATALOG, measured=(seen,)).rows}
    learned = rows[recipe]
    assert isinstance(learned, Speed)
    assert learned.evidence is Evidence.MEASURED
    assert learned.throughput_tps < guessed.speed.throughput_tps
    others = [speed for other, speed in rows.items() if other != recipe and isinstance(speed, Speed)]
    assert {speed.evidence for speed in others} == {Evidence.ESTIMATED}


def test_ways_that_differ_in_devices_only_are_folded_to_the_best() -> None:
    """Of each chip, engine and precision one row is kept, the first."""
    rows = fit(CATALOG.models["qwen3-8b"], ASK, CATALOG).rows
    kept = best_of_each(rows)
    keys = [(row.way.recipe.engine, row.way.recipe.precision) for row in kept]
    assert len(keys) == len(set(keys))
    assert {row.way.devices for row in rows} > {1}
    assert kept[0] is rows[0]
