"""Measurements in words and numbers, each beside its estimate. Words only."""

from collections.abc import Iterable
from typing import Final

from alliage.faces.admin.measurement_answers import MeasurementAnswer
from alliage.units import format_seconds

_SHOWN_MAX: Final = 6


def measured_text(measured: Iterable[MeasurementAnswer]) -> str:
    """What `explain` says of them: the newest of each load, "" for none."""
    loads: dict[tuple[object, ...], MeasurementAnswer] = {}
    for each in measured:
        loads.setdefault((each.node, each.engine, each.precision, each.cores, each.concurrency), each)
    newest = sorted(list(loads.values())[:_SHOWN_MAX], key=lambda each: (where(each), each.concurrency))
    lines = [f"  - {where(each)}, {load(each)}: {beside(each)}" for each in newest]
    return "\n".join(["Measured:", *lines]) if lines else ""


def where(measured: MeasurementAnswer) -> str:
    """`llama.cpp Q4_1 on 1 core of cpu-x86 at laptop`."""
    count = measured.cores or measured.devices
    part = ("core of" if count == 1 else "cores of") if measured.cores else "x"
    return f"{measured.engine} {measured.precision} on {count} {part} {measured.chip} at {measured.node}"


def load(measured: MeasurementAnswer) -> str:
    """`4 at once, 128 + 64 tokens`."""
    return f"{measured.concurrency} at once, {measured.input_tokens} + {measured.output_tokens} tokens"


def beside(measured: MeasurementAnswer) -> str:
    """The figures, then what was estimated."""
    found = figures(measured.throughput_tps, measured.ttft_s, measured.tpot_s)
    expected = measured.estimated
    if expected is None:
        return f"{found}; no estimate ({measured.unknown})"
    told = figures(expected.throughput_tps, expected.ttft_s, expected.tpot_s)
    low, high = rate(expected.throughput_low_tps), rate(expected.throughput_high_tps)
    return f"{found}; estimated {told} (tokens/s from {low} to {high})"


def figures(throughput_tps: float, ttft_s: float, tpot_s: float) -> str:
    """`45.2 tokens/s, first token after 1.2 s, then one every 20 ms`."""
    return (
        f"{rate(throughput_tps)} tokens/s, first token after {format_seconds(ttft_s)}, "
        f"then one every {format_seconds(tpot_s)}"
    )


def rate(tokens_per_s: float) -> str:
    """Three digits, without an exponent."""
    return f"{tokens_per_s:,.0f}" if tokens_per_s >= 100 else f"{tokens_per_s:.3g}"
