"""Rows as CSV that a spreadsheet can open without running what somebody wrote into a name."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from alliage.faces.telling import printable

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""How a formula begins; some programs take the wide signs too."""


class Amount(str):
    """Money of ours: it may begin with a minus."""

    __slots__ = ()


Cell = str | int | float | None | Amount


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The rows under their heads; texts that a spreadsheet would read as a formula get a quote before them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Amount) or not isinstance(cell, str):
        return str(cell)
    text = printable(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
