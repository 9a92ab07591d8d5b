"""How things reach the terminal: plain when piped, never cut there, and free of other people's escape sequences."""

import contextlib
import json
import re
import sys
from typing import Any, Final

from rich.console import Console, RenderableType

from alliage.faces.telling import printable

PIPED_COLUMNS: Final = 1000
"""Wide enough that a pipe gets whole rows."""
_LEFT_BY_JSON: Final = re.compile(r"[\x7f-\x9f]")
"""Control characters that `json.dumps` does not escape."""


def stdout() -> Console:
    """What was asked for goes here."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_COLUMNS)


def stderr() -> Console:
    """Progress and remarks go here."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPED_COLUMNS)


def show(*parts: RenderableType) -> None:
    """Print tables and texts, one after the other. Texts are never read as markup."""
    console = stdout()
    for part in parts:
        if isinstance(part, str):
            console.print(printable(part), markup=False, soft_wrap=not console.is_terminal)
        else:
            console.print(part)


def show_json(text: str) -> None:
    """What the API answered, with every field, indented."""
    show_value(json.loads(text), indent=2)


def show_value(value: Any, *, indent: int | None = None) -> None:
    """A value as JSON, on one line without `indent`; control characters are escaped, other letters are not."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    sys.stdout.write(_LEFT_BY_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
    sys.stdout.flush()


def pour(piece: str) -> None:
    """A piece of somebody's text at once: as it is into a pipe, on a terminal without what could drive it."""
    sys.stdout.write(printable(piece) if sys.stdout.isatty() else piece)
    sys.stdout.flush()


def remark(text: str) -> None:
    """A line on the error stream, so that piped output stays clean. A terminal that is gone is no reason to fail."""
    with contextlib.suppress(OSError):
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()
