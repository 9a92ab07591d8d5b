"""How fast a recipe runs: prefill, decode, time to first token and between tokens, as functions of lengths and concurrency.

A figure that cannot be had from facts is an Unknown with its reason, never a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite
from typing import Final

from alliage.catalog.records import Precision
from alliage.errors import BadInput
from alliage.fleet.replicas import Evidence
from alliage.speed.calibrate import UNCALIBRATED, Calibration
from alliage.speed.efficiency import Coefficients, Efficiency, committed, committed_efficiency, efficiency
from alliage.speed.figures import ChipFigures, ModelFigures
from alliage.speed.formats import NumberFormat, number_format
from alliage.speed.roofline import Work, capacity, prefill_s, step_s, work
from alliage.speed.serving import serving_of

SPREAD: Final = 1.6
"""A measured speed lies within this factor of the estimate in 4 of 5 cases (cross-validation, bench/README.md)."""
SPREAD_MEASURED: Final = 1.45
"""The same for a recipe that was measured once, at another length or concurrency."""
SPREAD_UNSEEN: Final = 2.2
"""The same for a chip without any measured row (each chip predicted by a fit without its rows: 85 % in the mean of 21
chips), or whose bandwidth is known from measured rows only; and where an engine that only we measured was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One replica at work: what runs on what, and what is asked of it.

    `devices` share each step (tensor parallel); `concurrency` requests are always in flight, each of `input_tokens` and
    `output_tokens`. `weight_bytes` and `memory_bytes` (a device) replace what the facts say; `slots` what the engine takes.
    """

    chip: ChipFigures
    model: ModelFigures
    engine: str
    precision: str
    devices: int = 1
    concurrency: int = 1
    input_tokens: int = 1024
    output_tokens: int = 256
    weight_bytes: float | None = None
    memory_bytes: float | None = None
    slots: int | None = None
    kv_bytes: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Of one replica. Tokens a second are those of all its requests together."""

    prefill_tps: float
    """Prompt tokens a second while only prompts are read."""
    decode_tps: float
    """Output tokens a second while only answers are written, at this concurrency."""
    throughput_tps: float
    """Output tokens a second over everything: prompts are read and answers written."""
    throughput_low_tps: float
    throughput_high_tps: float
    ttft_s: float
    tpot_s: float
    batch: int
    """Requests worked on at once; the others wait."""
    spread: float
    """Low is a figure divided by this, high is it times this: 4 of 5 measured speeds lie between."""
    evidence: Evidence
    bandwidth_is_fitted: bool
    """No source states the chip's bandwidth: it was taken from measured speeds."""


class Missing(StrEnum):
    """What a prediction lacks."""

    BANDWIDTH = "bandwidth"
    """No source states the chip's memory bandwidth, and no measured speed implies it."""
    COMPUTE = "compute"
    """No source states the chip's operations a second in a precision that this format is computed in."""
    PRECISION = "precision"
    """The name of the precision is not known."""
    PARAMETERS = "parameters"
    """The model's card does not tell its parameters or layers."""
    MEMORY = "memory"
    """The weights and one request do not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """No figure, and why. `value` is the chip, precision or model that lacks it."""

    missing: Missing
    value: str


def predict(
    running: Running, *, calibration: Calibration = UNCALIBRATED, coefficients: Coefficients | None = None
) -> Speed | Unknown:
    """The speed of `running`; BadInput for a count or size that cannot be.

    Requests in flight c, of which b are worked on: one request costs S = prefill + (out - 1) step(b) / b seconds of the
    replica, so throughput is out / S, and a request stays c S seconds (Little's law) in queue, prefill and decode.
    """
    known = coefficients or committed()
    found = outlay(running, calibration=calibration, coefficients=coefficients)
    if isinstance(found, Unknown):
        return found
    one, reached = found
    batch = min(running.concurrency, int(_room(running, one)))
    speed = _speed(running, one, reached, batch=batch, concurrency=running.concurrency)
    spread = _spread(running, known, calibration)
    return replace(
        speed,
        throughput_low_tps=speed.throughput_tps / spread,
        throughput_high_tps=speed.throughput_tps * spread,
        spread=spread,
        evidence=Evidence.MEASURED if calibration.points else Evidence.ESTIMATED,
    )


def outlay(
    running: Running, *, calibration: Calibration = UNCALIBRATED, coefficients: Coefficients | None = None
) -> tuple[Work, Efficiency] | Unknown:
    """What `running` asks of its devices, and how well they do it; Unknown also where not even one request fits.

    BadInput for a count or size that cannot be.
    """
    _check(running)
    known = coefficients or committed()
    found = _work_of(running, known)
    if isinstance(found, Unknown):
        return found
    one, form = found
    if _room(running, one) < 1:
        return Unknown(missing=Missing.MEMORY, value=f"{running.devices} x {running.chip.id}")
    levels = levels_of(running.chip, running.model, engine=running.engine, form=form)
    reached = efficiency(known, levels) if coefficients is not None else committed_efficiency(tuple(levels.items()))
    return one, replace(reached, rate=reached.rate * calibration.factor)


def concurrency_within(
    running: Running,
    *,
    tpot_s: float = float("inf"),
    ttft_s: float = float("inf"),
    calibration: Calibration = UNCALIBRATED,
    coefficients: Coefficients | None = None,
) -> int:
    """The most requests in flight that keep both limits, 0 where one alone does not, or the speed is not known.

    Requests that would wait for others to end are not counted: at most as many as are worked on at once.
    """
    found = outlay(running, calibration=calibration, coefficients=coefficients)
    if isinstance(found, Unknown):
        return 0
    one, reached = found  # neither depends on how many are in flight, so that they are reckoned once
    most = int(_room(running, one))

    def keeps(concurrency: int) -> bool:
        if concurrency > most:
            return False
        speed = _speed(running, one, reached, batch=concurrency, concurrency=concurrency)
        return speed.tpot_s <= tpot_s and speed.ttft_s <= ttft_s

    if not keeps(1):
        return 0
    low, high = 1, 2
    while keeps(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def levels_of(chip: ChipFigures, model: ModelFigures, *, engine: str, form: NumberFormat) -> Mapping[str, str]:
    """What stands at each kind of level of the coefficients."""
    return {
        "setting": "served",
        "kind": chip.kind,
        "chip": chip.id,
        "engine": engine,
        "precision": form.name,
        "shape": "experts" if model.is_sparse else "dense",
        "attention": model.attends,
        "model": model.id,
        "stack_engine": f"{chip.stack}/{engine}",
        "chip_engine": f"{chip.id}/{engine}",
        "engine_format": f"{engine}/{form.name.partition('-')[0]}",
        "engine_shape": f"{engine}/{'experts' if model.is_sparse else 'dense'}",
        "kind_precision": f"{chip.kind}/{form.name}",
        "model_engine": f"{model.id}/{engine}",
        "case": f"{chip.id}/{model.id}/{engine}/{form.name}",
    }


def compute_rate(chip: ChipFigures, form: NumberFormat) -> float | None:
    """Dense operations/s of one device in the first precision of the format that it is known to compute in.

    FP32 where that is faster: old chips state an FP16 rate of a sixty-fourth of it, which no engine uses.
    """
    known = [chip.flops[precision] for precision in form.computes if precision in chip.flops]
    return max(known[0], chip.flops.get(Precision.FP32, 0.0)) if known else None


def _check(running: Running) -> None:
    for name in ("devices", "concurrency", "input_tokens", "output_tokens"):
        value = getattr(running, name)
        if not 1 <= value <= 10**9:
            raise BadInput(f"`{name}` is {value!r}", remedy="give a whole number from 1")
    for name in ("weight_bytes", "memory_bytes", "slots", "kv_bytes"):
        value = getattr(running, name)
        if value is not None and not (isfinite(value) and value > 0):
            raise BadInput(f"`{name}` is {value!r}", remedy="give a number above 0, or leave it out")


def _work_of(running: Running, known: Coefficients) -> tuple[Work, NumberFormat] | Unknown:
    form = number_format(running.precision)
    if form is None:
        return Unknown(missing=Missing.PRECISION, value=running.precision)
    if running.model.parameters <= 0 or running.model.layers <= 0:
        return Unknown(missing=Missing.PARAMETERS, value=running.model.id)
    bandwidth = running.chip.bandwidth or known.bandwidths.get(running.chip.id)
    if bandwidth is None:
        return Unknown(missing=Missing.BANDWIDTH, value=running.chip.id)
    flops = compute_rate(running.chip, form)
    if flops is None:
        return Unknown(missing=Missing.COMPUTE, value=f"{running.chip.id} in {running.precision}")
    chip = running.chip if running.memory_bytes is None else replace(running.chip, memory_bytes=running.memory_bytes)
    one = work(
        chip=chip,
        model=running.model,
        form=form,
        devices=running.devices,
        bandwidth=bandwidth,
        flops=flops,
        weight_bytes=running.weight_bytes,
        kv_bytes=running.kv_bytes,
    )
    return one, form


def _room(running: Running, one: Work) -> float:
    context = running.input_tokens + running.output_tokens / 2
    room = capacity(one, serving_of(running.engine), context_tokens=context)
    return room if running.slots is None else min(room, running.slots)


def _spread(running: Running, known: Coefficients, calibration: Calibration) -> float:
    if calibration.points:
        return SPREAD_MEASURED
    seen = known.chips_of.get(running.engine, known.chips)
    return SPREAD if running.chip.id in seen and running.chip.bandwidth is not None else SPREAD_UNSEEN


def _speed(running: Running, one: Work, reached: Efficiency, *, batch: int, concurrency: int) -> Speed:
    """With `concurrency` requests in flight, whatever `running` says, of which `batch` are worked on."""
    context = running.input_tokens + running.output_tokens / 2
    step = step_s(one, reached, batch=batch, context_tokens=context) / reached.rate
    prefill = prefill_s(one, reached, prompt_tokens=running.input_tokens) / reached.rate
    later = max(running.output_tokens - 1, 1)
    each_s = prefill + later * step / batch
    throughput = running.output_tokens / each_s
    return Speed(
        prefill_tps=running.input_tokens / prefill,
        decode_tps=batch / step,
        throughput_tps=throughput,
        throughput_low_tps=throughput,
        throughput_high_tps=throughput,
        ttft_s=(concurrency - batch) * each_s + prefill * (batch + 1) / 2 + step,
        tpot_s=step + prefill * (batch - 1) / 2 / later,
        batch=batch,
        spread=1.0,
        evidence=Evidence.ESTIMATED,
        bandwidth_is_fitted=running.chip.bandwidth is None,
    )
