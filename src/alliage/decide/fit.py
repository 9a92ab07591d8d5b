"""fit: a model against every chip of the catalogue: what it would take, how fast it would be, and why not. Pure.

A fit is about kinds, not cards: which chip, engine, precision and how many devices; binding asks what is free.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Catalog, Chip, Engine, ModelCard, OnStack, Precision, Sharing
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.decide.recipes import format_unserved
from alliage.footprint.kv_cache import kv_cache
from alliage.footprint.weight_bytes import weight_bytes
from alliage.speed.figures import chip_figures, model_figures
from alliage.speed.formats import number_format
from alliage.speed.predict import Running, Speed, Unknown, concurrency_within, predict
from alliage.speed.serving import serving_of

DEGREES: Final = (1, 2, 4, 8, 16)
"""Devices that share each step, where no source limits an engine to others."""
QUANTISED: Final = (Precision.FP8, Precision.INT8)
"""What a model in 16 bits is also tried in: a copy of it in that precision has to be had or made."""
USERS_MAX: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class FitAsk:
    """What one request looks like and what is promised of it; `chips` limits the search, empty for all.

    `concurrency` requests of `context_tokens` must fit at once; None for `ttft_s` and `tpot_s`: not asked.
    """

    context_tokens: int
    concurrency: int
    input_tokens: int
    output_tokens: int
    ttft_s: float | None
    tpot_s: float | None
    chips: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRow:
    """One way to run it. Bytes are over all `devices`; `users` is how many at once keep the objective, None unknown."""

    chip: str
    engine: str
    precision: str
    devices: int
    weight_bytes: int
    kv_bytes: int
    usable_bytes: int
    speed: Speed | Unknown
    users: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Best first: the most users a device; then those whose speed nobody knows. And who cannot, with the reason."""

    rows: tuple[FitRow, ...]
    rejected: tuple[Rejected, ...]


def fit(model: ModelCard, ask: FitAsk, catalog: Catalog) -> Fit:
    """Every chip with every engine of its stack in every precision that may serve the model."""
    rows: list[FitRow] = []
    rejected: list[Rejected] = []
    for chip in catalog.chips.values():
        if chip.sharing is Sharing.CORES or (ask.chips and chip.id not in ask.chips):
            continue  # the memory of a CPU is its node's, so only a node can tell
        for found in _on_chip(model, ask, chip, catalog):
            if isinstance(found, FitRow):
                rows.append(found)
            else:
                rejected.append(found)
    rows.sort(key=_rank)
    return Fit(rows=tuple(rows), rejected=tuple(rejected))


def _rank(row: FitRow) -> tuple[bool, float, float, int, str]:
    """Known before unknown, then users a device, then output a device, then fewer devices."""
    if isinstance(row.speed, Unknown):
        return (True, 0.0, 0.0, row.devices, row.chip)
    each = row.speed.throughput_tps / row.devices
    return (False, -(row.users or 0) / row.devices, -each, row.devices, row.chip)


def _on_chip(model: ModelCard, ask: FitAsk, chip: Chip, catalog: Catalog) -> Iterator[FitRow | Rejected]:
    able = [(engine, on) for engine in catalog.engines.values() if (on := engine.on_stack(chip.stack)) is not None]
    if not able:
        facts: Facts = {"chip": chip.id, "stack": chip.stack}
        yield Rejected(option=chip.id, reason=Reason(code=ReasonCode.NO_ENGINE, facts=facts))
    for engine, on in able:
        unread = format_unserved(model, engine)
        if unread is not None:
            yield Rejected(option=f"{engine.id} on {chip.id}", reason=unread)
            continue
        for precision in _precisions(model):
            yield _one(model, ask, chip, engine, on, precision)


def _precisions(model: ModelCard) -> tuple[str, ...]:
    """The card's own, and what 16-bit weights are commonly packed to."""
    if model.precision.upper() not in {"BF16", "FP16", "F16"}:
        return (model.precision,)
    return (model.precision, *(precision.upper() for precision in QUANTISED))


def _one(  # noqa: PLR0917 - one way to run a model has so many parts
    model: ModelCard, ask: FitAsk, chip: Chip, engine: Engine, on: OnStack, precision: str
) -> FitRow | Rejected:
    option = f"{engine.id} on {chip.id} in {precision}"
    refusal = _precision_refused(chip, on, engine, precision)
    if refusal is not None:
        return Rejected(option=option, reason=refusal)
    weights = weight_bytes(model.architecture, precision)
    figures = chip_figures(chip)
    device = figures.memory_bytes
    if weights is None or device is None:
        what = f"memory of {chip.id}" if device is None else f"size of {model.id} in {precision}"
        return Rejected(option=option, reason=Reason(code=ReasonCode.FACT_UNKNOWN, facts={"what": what}))
    kv_each = kv_cache(model.architecture).bytes_at(min(ask.context_tokens, model.architecture.context_tokens))
    kv = kv_each * ask.concurrency
    usable = serving_of(engine.id).usable_bytes(device, devices=1, is_large=figures.is_large)
    degrees = [degree for degree in _degrees(model, on) if usable * degree >= weights + kv]
    if not degrees:
        return Rejected(option=option, reason=_too_large(model, on, ask, weights=weights, kv=kv, usable=usable))
    running = Running(
        chip=figures,
        model=model_figures(model.id, model.architecture),
        engine=engine.id,
        precision=precision,
        devices=degrees[0],
        concurrency=ask.concurrency,
        input_tokens=ask.input_tokens,
        output_tokens=ask.output_tokens,
        weight_bytes=weights,
    )
    speed = predict(running)
    return FitRow(
        chip=chip.id,
        engine=engine.id,
        precision=precision,
        devices=degrees[0],
        weight_bytes=weights,
        kv_bytes=kv,
        usable_bytes=int(usable * degrees[0]),
        speed=speed,
        users=None if isinstance(speed, Unknown) else _users(running, ask),
    )


def _users(running: Running, ask: FitAsk) -> int:
    unlimited = float("inf")
    return min(
        USERS_MAX,
        concurrency_within(
            running,
            ttft_s=unlimited if ask.ttft_s is None else ask.ttft_s,
            tpot_s=unlimited if ask.tpot_s is None else ask.tpot_s,
        ),
    )


def _precision_refused(chip: Chip, on: OnStack, engine: Engine, precision: str) -> Reason | None:
    """Why weights in this precision are not served there: said so, or nothing is known; None when they are."""
    form = number_format(precision)
    kinds = () if form is None else _kinds(precision, form.computes[0])
    known = [serving for kind in kinds if (serving := on.serving(kind, chip.id)) is not None]
    facts: dict[str, str | int | float] = {"engine": engine.id, "chip": chip.id, "precision": precision}
    if any(serving.served.value for serving in known):
        return None
    if not known:
        return Reason(code=ReasonCode.PRECISION_UNKNOWN, facts=facts)
    instead = next((serving.instead for serving in known if serving.instead), "")
    return Reason(code=ReasonCode.PRECISION_UNSERVED, facts={**facts, "instead": instead})


def _kinds(precision: str, computed: Precision) -> tuple[Precision, ...]:
    """The precisions of the engines' tables that a format stands for; 16 bits may be either of both."""
    if precision.upper() in {"BF16", "FP16", "F16"}:
        return (Precision.BF16, Precision.FP16)
    return (computed,)


def _degrees(model: ModelCard, on: OnStack) -> tuple[int, ...]:
    """Degrees of tensor parallelism: those the engine can run with, and that divide the heads."""
    allowed = on.tensor_parallel.value or DEGREES
    heads = model.architecture.heads
    return tuple(degree for degree in sorted(allowed) if heads % degree == 0)


def _too_large(model: ModelCard, on: OnStack, ask: FitAsk, *, weights: int, kv: int, usable: float) -> Reason:
    facts: Facts = {
        "weight_bytes": weights,
        "kv_bytes": kv,
        "context_tokens": ask.context_tokens,
        "concurrency": ask.concurrency,
        "device_bytes": int(usable),
        "devices": max(_degrees(model, on), default=1),
        "needed": -(-(weights + kv) // max(1, int(usable))),
    }
    return Reason(code=ReasonCode.DEVICES_SHORT, facts=facts)
