"""How things reach the terminal: plain when piped, never cut there, and free of other people's escape sequences."""

import contextlib
import json
import sys
from typing import Final

from rich.console import Console, RenderableType

PIPED_COLUMNS: Final = 1000
"""Wide enough that a pipe gets whole rows."""
_CONTROL: Final = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


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
    sys.stdout.write(json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n")


def remark(text: str) -> None:
    """A line on the error stream, so that piped output stays clean. A terminal that is gone is no reason to fail."""
    with contextlib.suppress(OSError):
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()


def printable(text: str) -> str:
    """The text without control characters, which could drive a terminal; lines and tabs stay."""
    return text.translate(_CONTROL)
