"""`fit`: what a model would take on every chip of the catalogue, and who cannot run it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from alliage.faces.admin.answers import ModelsAnswer
from alliage.faces.admin.fit_answers import FitAnswer, FitRejectedAnswer, FitRowAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.reference import model_reference
from alliage.faces.cli.screen import remark, show, show_json
from alliage.faces.telling import printable
from alliage.units import format_bytes, format_seconds

BAR_CELLS: Final = 12
ROWS_SHOWN: Final = 25
REJECTED_SHOWN: Final = 12
OPTIONS_SHOWN: Final = 3
"""Of those that share a reason."""


def fit(home: Path, model: str, *, query: dict[str, str | int], show_all: bool, as_json: bool) -> int:
    """Print the table; the exit code is 1 where no chip of the catalogue can run the model."""
    with AdminClient(find_place(home)) as client:
        catalogue = {each.id for each in parse(ModelsAnswer, client.get("models")).models}
        named = model_reference(model, catalogue=catalogue)
        raw = client.get("fit", model=named, every=str(show_all).lower(), **query)
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
        remark("of five measured speeds four lie in the range; memory: # weights, + KV cache, . free")
        for basis in dict.fromkeys(row.price_basis for row in rows if row.price_basis):
            remark(f"price of a million output tokens with so many users, by the {basis}")
    if len(rows) < answer.ways:
        remark(f"{answer.ways - len(rows)} more ways: --all")
    reasons = _reasons(answer.rejected, show_all=show_all)
    shown = reasons if show_all else reasons[:REJECTED_SHOWN]
    if shown:
        show("\n".join(["Cannot:", *(f"  - {reason}" for reason in shown)]))
    if len(shown) < len(reasons):
        remark(f"{len(reasons) - len(shown)} more reasons: --all")


def _reasons(rejected: tuple[FitRejectedAnswer, ...], *, show_all: bool) -> list[str]:
    """Each reason once, with what it holds for; the first few of many unless all are asked for."""
    options: dict[str, list[str]] = {}
    for each in rejected:
        options.setdefault(each.text, []).append(each.option)
    most = len(rejected) if show_all else OPTIONS_SHOWN
    more = {text: len(names) - most for text, names in options.items()}
    return [
        f"{', '.join(names[:most])}{f' and {more[text]} more' if more[text] > 0 else ''}: {text}"
        for text, names in options.items()
    ]


def fit_table(rows: tuple[FitRowAnswer, ...]) -> Table:
    """One line a way, best first."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = [
        column for column in _COLUMNS if column[0] not in _MAY_LACK or any(column[1](row) != "?" for row in rows)
    ]
    for title, _ in columns:
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell(row))) for _, cell in columns))
    return table


def _devices(row: FitRowAnswer) -> str:
    place = f"{row.chip} at {row.node}" if row.node else row.chip
    shared = f"{row.cores} cores of " if row.cores else f"{row.devices} x "
    stages = f" ({row.pipeline_parallel} stages)" if row.pipeline_parallel > 1 else ""
    return f"{shared}{place}{stages}"


def _throughput(row: FitRowAnswer) -> str:
    if row.throughput_tps is None or row.throughput_low_tps is None or row.throughput_high_tps is None:
        return "?"
    return f"{row.throughput_tps:,.0f} ({row.throughput_low_tps:,.0f}-{row.throughput_high_tps:,.0f})"


def _price(row: FitRowAnswer) -> str:
    micros = row.price_micros_per_million_tokens
    return "?" if micros is None else f"{micros / 1e6:.2f}"


def memory_bar(row: FitRowAnswer) -> str:
    """What weights (#) and KV cache (+) fill of what is usable; a part that is there is at least one cell."""
    weights = min(max(1, round(BAR_CELLS * row.weight_bytes / row.usable_bytes)), BAR_CELLS - 1)
    kv = min(max(1, round(BAR_CELLS * row.kv_bytes / row.usable_bytes)), BAR_CELLS - weights)
    return ("#" * weights + "+" * kv).ljust(BAR_CELLS, ".")


_COLUMNS: Final[tuple[tuple[str, Callable[[FitRowAnswer], str]], ...]] = (
    ("CHIP", _devices),
    ("ENGINE", lambda row: row.engine),
    ("PRECISION", lambda row: row.precision),
    ("MEMORY", lambda row: f"{memory_bar(row)} {format_bytes(row.weight_bytes + row.kv_bytes)}"),
    ("TTFT", lambda row: "?" if row.ttft_s is None else format_seconds(row.ttft_s)),
    ("TPOT", lambda row: "?" if row.tpot_s is None else format_seconds(row.tpot_s)),
    ("TOKENS/S", _throughput),
    ("USERS", lambda row: "?" if row.users is None else str(row.users)),
    ("REPLICAS", lambda row: "?" if row.replicas is None else str(row.replicas)),
    ("PRICE/M", _price),
    ("EVIDENCE", lambda row: row.evidence if not row.unknown else f"unknown: {row.unknown}"),
)
_MAY_LACK: Final = frozenset({"REPLICAS", "PRICE/M"})
"""Columns that are left out where no row has a value."""
