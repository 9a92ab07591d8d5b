"""Measurements as a Rich table: each beside its estimate. No asking, no printing."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from alliage.faces.admin.measured_words import rate, where
from alliage.faces.admin.measurement_answers import EstimateAnswer, MeasurementAnswer
from alliage.faces.cli.tables import ago
from alliage.faces.telling import printable
from alliage.units import format_seconds

_COLUMNS = ("MODEL", "RECIPE", "AT ONCE", "TOKENS", "EVIDENCE", "TOKENS/S", "DECODE", "FIRST TOKEN", "A TOKEN", "AGO")


def measured_table(measured: Iterable[MeasurementAnswer], *, now_s: float) -> Table:
    """Two rows a measurement: what was measured, and what the speed model says without it."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for each in measured:
        load = (each.model, where(each), str(each.concurrency), f"{each.input_tokens} + {each.output_tokens}")
        found = (rate(each.throughput_tps), rate(each.decode_tps), format_seconds(each.ttft_s))
        _row(table, *load, each.evidence, *found, format_seconds(each.tpot_s), ago(now_s - each.at_s))
        _row(table, "", "", "", "", "estimated", *_expected(each.estimated, each.unknown), "")
    return table


def _expected(estimate: EstimateAnswer | None, unknown: str) -> tuple[str, str, str, str]:
    if estimate is None:
        return (f"unknown ({unknown})", "", "", "")
    low, high = rate(estimate.throughput_low_tps), rate(estimate.throughput_high_tps)
    times = (format_seconds(estimate.ttft_s), format_seconds(estimate.tpot_s))
    return (f"{rate(estimate.throughput_tps)} ({low}-{high})", rate(estimate.decode_tps), *times)


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(printable(cell)) for cell in cells))
