"""How an engine's end is told to a person: the exit and the lines of its log that say why. Pure."""

import re
import signal
from typing import Final

from alliage.runtimes.folders import Exit

WORDS_MAX: Final = 500
LINES_NEAR: Final = 24
"""Only the last lines can be of the end."""
_STAMP: Final = re.compile(r"^\d[\d.:TZ-]*[.:]\d+\s+(?:[DIWE]\s+)?")
"""llama.cpp's `0.00.006.854 E ` before a line; also plain dates."""
_TELLING: Final = re.compile(
    r"error|fail|cannot|unable|abort|assert|exception|denied|no such|out of memory", re.IGNORECASE
)


def exit_sentence(end: Exit) -> str:
    """`the engine ended with exit code 1: ...`, with its last meaningful lines where it had any."""
    sentence = f"the engine {_manner(end)}"
    words = last_words(end.tail)
    return f"{sentence}: {words}" if words else sentence


def last_words(tail: str) -> str:
    """Of the last lines the first two that tell of a failure (the cause) and the last one; at most 500 characters."""
    lines = [_STAMP.sub("", line).strip() for line in tail.splitlines()[-LINES_NEAR:]]
    lines = [line for line in lines if line]
    telling = [line for line in lines if _TELLING.search(line)]
    words = " | ".join(dict.fromkeys((*telling[:2], *(telling or lines)[-1:])))
    return words if len(words) <= WORDS_MAX else words[: WORDS_MAX - 4] + " ..."


def _manner(end: Exit) -> str:
    if end.signal is None:
        return f"ended with exit code {end.code}"
    name = _signal_name(end.signal)
    if end.signal == signal.SIGKILL and end.why == "self":
        return f"was killed by {name} (by hand, or because the machine ran out of memory)"
    return f"was ended by {name}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
