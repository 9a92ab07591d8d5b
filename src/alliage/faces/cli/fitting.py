"""`fit`: what a model would take on every chip of the catalogue, and who cannot run it."""

from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from alliage.faces.admin.fit_answers import FitAnswer, FitRowAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json
from alliage.faces.telling import printable
from alliage.units import format_bytes, format_seconds

BAR_CELLS: Final = 12
ROWS_SHOWN: Final = 25
REJECTED_SHOWN: Final = 12


def fit(home: Path, model: str, *, query: dict[str, str | int], show_all: bool, as_json: bool) -> int:
    """Print the table; the exit code is 1 where no chip of the catalogue can run the model."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("models", model, "fit", **query)
    answer = parse(FitAnswer, raw)
    if as_json:
        show_json(raw)
    else:
        _print(answer, show_all=show_all)
    return 0 if answer.rows else 1


def _print(answer: FitAnswer, *, show_all: bool) -> None:
    rows = answer.rows if show_all else answer.rows[:ROWS_SHOWN]
    if rows:
        show(fit_table(rows))
        remark(
            "speeds are estimates (of five measured ones four lie in the range); memory: # weights, + KV cache, . free"
        )
    if len(rows) < len(answer.rows):
        remark(f"{len(answer.rows) - len(rows)} more ways: --all")
    rejected = answer.rejected if show_all else answer.rejected[:REJECTED_SHOWN]
    if rejected:
        show("\n".join(["Cannot:", *(f"  - {each.option}: {each.text}" for each in rejected)]))
    if len(rejected) < len(answer.rejected):
        remark(f"{len(answer.rejected) - len(rejected)} more reasons: --all")


def fit_table(rows: tuple[FitRowAnswer, ...]) -> Table:
    """One line a way, best first."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("CHIP", "ENGINE", "PRECISION", "MEMORY", "TTFT", "TPOT", "TOKENS/S", "USERS", "EVIDENCE"):
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in _cells(row)))
    return table


def _cells(row: FitRowAnswer) -> tuple[str, ...]:
    return (
        f"{row.devices} x {row.chip}",
        row.engine,
        row.precision,
        f"{memory_bar(row)} {format_bytes(row.weight_bytes + row.kv_bytes)}",
        "?" if row.ttft_s is None else format_seconds(row.ttft_s),
        "?" if row.tpot_s is None else format_seconds(row.tpot_s),
        _throughput(row),
        "?" if row.users is None else str(row.users),
        row.evidence if not row.unknown else f"unknown: {row.unknown}",
    )


def _throughput(row: FitRowAnswer) -> str:
    if row.throughput_tps is None or row.throughput_low_tps is None or row.throughput_high_tps is None:
        return "?"
    return f"{row.throughput_tps:,.0f} ({row.throughput_low_tps:,.0f}-{row.throughput_high_tps:,.0f})"


def memory_bar(row: FitRowAnswer) -> str:
    """What weights (#) and KV cache (+) fill of what is usable; a part that is there is at least one cell."""
    weights = min(max(1, round(BAR_CELLS * row.weight_bytes / row.usable_bytes)), BAR_CELLS - 1)
    kv = min(max(1, round(BAR_CELLS * row.kv_bytes / row.usable_bytes)), BAR_CELLS - weights)
    return ("#" * weights + "+" * kv).ljust(BAR_CELLS, ".")
