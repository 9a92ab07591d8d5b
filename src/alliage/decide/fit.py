"""fit: a model against every chip: what it would take, how fast it would be, what it would cost, and why not. Pure.

A fit is about kinds, not cards: which chip, engine, precision and how many devices; binding asks what is free.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final

from alliage.catalog.records import Catalog, ModelCard, Precision, Sharing, WeightsFormat
from alliage.decide.carrying import running_at, users_within
from alliage.decide.places import Place, place_of_chip
from alliage.decide.price.listed import Price, price_of_tokens
from alliage.decide.reasons import Rejected
from alliage.decide.recipes import Size, Way, ways
from alliage.fleet.measured import Measured
from alliage.fleet.services import Objective
from alliage.speed.learned import calibration_of
from alliage.speed.predict import Speed, Unknown, predict

QUANTISED: Final = (Precision.FP8, Precision.INT8)
"""What a model in 16 bits is also tried in: a copy of it in that precision has to be had or made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitAsk:
    """What one request looks like and what is promised of it; `chips` limits the search, empty for all.

    `concurrency` requests of `context_tokens` must fit at once; None for `ttft_s`, `tpot_s` and `rate` (requests a second,
    all together): not asked. `prices` are those of a device-hour, by chip.
    """

    context_tokens: int
    concurrency: int
    input_tokens: int
    output_tokens: int
    ttft_s: float | None
    tpot_s: float | None
    chips: frozenset[str]
    rate: float | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRow:
    """One way to run it. `users` is how many at once keep the objective; None for what is unknown or was not asked.

    `rate` is the requests a second that one replica carries with so many users; `replicas` what the asked rate takes;
    `price_micros` is what a million output tokens cost at that many users.
    """

    way: Way
    where: Place
    speed: Speed | Unknown
    users: int | None
    rate: float | None
    replicas: int | None
    price_micros: int | None
    price: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Best first: what keeps the objective for the most users a device; then those whose speed nobody knows. And who cannot, with the reason."""

    rows: tuple[FitRow, ...]
    rejected: tuple[Rejected, ...]


def fit(
    model: ModelCard,
    ask: FitAsk,
    catalog: Catalog,
    *,
    here: Sequence[Place] = (),
    measured: Sequence[Measured] = (),
) -> Fit:
    """Every chip with every engine of its stack in every precision that may serve the model.

    Of CPUs only a node can tell what they are, so they are those of `here`. What was `measured` corrects
    its recipe.
    """
    sheets = (place_of_chip(chip) for chip in catalog.chips.values() if chip.sharing is not Sharing.CORES)
    rows: list[FitRow] = []
    rejected: list[Rejected] = []
    size = Size(concurrency=ask.concurrency, context_tokens=min(ask.context_tokens, model.architecture.context_tokens))
    for place in (*sheets, *(each for each in here if each.cores)):
        if ask.chips and place.chip.id not in ask.chips:
            continue
        found = ways(model, place, catalog, sizes=(size,), precisions=_precisions(model))
        rows.extend(_row(model, ask, place, way, measured) for way in found.ways)
        rejected.extend(found.rejected)
    rows.sort(key=_rank)
    return Fit(rows=tuple(rows), rejected=tuple(rejected))


def best_of_each(rows: Sequence[FitRow]) -> tuple[FitRow, ...]:
    """The best row of each chip, engine and precision: the others differ in how many devices share a replica."""
    kept: dict[tuple[str, str, str, str | None], FitRow] = {}
    for row in rows:
        recipe = row.way.recipe
        kept.setdefault((recipe.chip, recipe.engine, recipe.precision, row.where.node), row)
    return tuple(kept.values())


def _precisions(model: ModelCard) -> tuple[str, ...]:
    """The card's own, and what 16-bit weights are commonly packed to; a GGUF file is what it is."""
    if model.weights.format is WeightsFormat.GGUF or model.precision.upper() not in {"BF16", "FP16", "F16"}:
        return (model.precision,)
    return (model.precision, *(precision.upper() for precision in QUANTISED))


def _rank(row: FitRow) -> tuple[bool, bool, float, float, float, int, str]:
    """Known before unknown, kept before missed; then devices for the rate, users a device, output a device, fewer devices."""
    devices, chip = row.way.devices, row.way.recipe.chip
    if isinstance(row.speed, Unknown):
        return (True, True, 0.0, 0.0, 0.0, devices, chip)
    users = (row.users or 0) / devices
    needed = devices * row.replicas if row.replicas is not None else 0
    return (False, not row.users, needed, -users, -row.speed.throughput_tps / devices, devices, chip)


def _row(model: ModelCard, ask: FitAsk, place: Place, way: Way, measured: Sequence[Measured]) -> FitRow:
    running = running_at(model, way.recipe, place, input_tokens=ask.input_tokens, output_tokens=ask.output_tokens)
    calibration = calibration_of(measured, running, cores=way.recipe.cores, node=place.node)
    speed, price = predict(running, calibration=calibration), ask.prices.get(place.chip.id)
    if isinstance(speed, Unknown):
        return FitRow(
            way=way, where=place, speed=speed, users=None, rate=None, replicas=None, price=price, price_micros=None
        )
    users = users_within(running, Objective(ttft_s=ask.ttft_s, tpot_s=ask.tpot_s), calibration)
    users = users if way.users_max is None else min(users, way.users_max)
    busy = predict(replace(running, concurrency=max(1, users)), calibration=calibration)
    tps = busy.throughput_tps if users and isinstance(busy, Speed) else None
    rate = None if tps is None else tps / ask.output_tokens
    return FitRow(
        way=way,
        where=place,
        speed=speed,
        users=users,
        rate=rate,
        replicas=None if ask.rate is None or rate is None else ceil(ask.rate / rate),
        price=price,
        price_micros=None if price is None or tps is None else price_of_tokens(price, devices=way.devices, tps=tps),
    )
