"""What people are told on a terminal or in a log: an error with its way out, free of other people's escape sequences."""

from typing import Final

from alliage.errors import AlliageError

_CONTROL: Final = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """The text without control characters, which could drive a terminal; lines and tabs stay."""
    return text.translate(_CONTROL)


def error_text(error: AlliageError) -> str:
    """What was wrong and the way out, in one or two lines that a terminal can show."""
    remedy = f"\n  try: {error.remedy}" if error.remedy else ""
    return printable(f"error: {error.message}{remedy}")
