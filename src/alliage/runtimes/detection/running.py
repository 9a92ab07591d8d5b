"""Runs a tool for its words: for a bounded time, a bounded number of bytes, and with its whole group gone afterwards."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 10.0
TEXT_BYTES_MAX: Final = 1024 * 1024


class End(StrEnum):
    """How a run ended."""

    ANSWERED = "answered"
    MISSING = "missing"
    NOT_EXECUTABLE = "not executable"
    HUNG = "hung"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a program wrote on both its streams, as far as `TEXT_BYTES_MAX`, and how it ended; `why` is for people."""

    end: End
    text: str = ""
    why: str = ""


Run = Callable[[Sequence[str]], Ran]
"""Runs argv; an edge that tests put their own in place of."""


def find_program(name: str, folders: Iterable[str] = ()) -> str:
    """Its path: on PATH, else in one of `folders`, else the bare name (running that will say that it is missing).

    A folder may begin with a variable of the environment, such as `$PPU_HOME`.
    """
    if (found := shutil.which(name)) is not None:
        return found
    places = (Path(os.path.expandvars(folder)) / name for folder in folders)
    return next((str(path) for path in places if path.exists()), name)


def run_tool(argv: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Ran:
    """Run a program without input, in plain English; it and all it started are killed after `timeout_s`."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        return Ran(end=End.MISSING, why=f"{argv[0]} is not there")
    except OSError as error:  # no permission, or no program at all
        return Ran(end=End.NOT_EXECUTABLE, why=f"{argv[0]} cannot be run: {error.strerror}")
    try:
        return _listen(process, argv[0], time.monotonic() + timeout_s, timeout_s)
    finally:
        _end(process)


def _listen(process: subprocess.Popen[bytes], name: str, deadline_s: float, timeout_s: float) -> Ran:
    """Read to the end, the limit or the deadline, whichever comes first."""
    data, whole = _read(process, deadline_s)
    text = data.decode(errors="replace")
    if not whole:
        return Ran(end=End.HUNG, text=text, why=f"{name} did not answer within {timeout_s:g} s and was ended")
    if len(data) >= TEXT_BYTES_MAX:
        return Ran(end=End.ANSWERED, text=text, why=f"{name} wrote more than {TEXT_BYTES_MAX} bytes; the rest is lost")
    try:
        code = process.wait(max(0.0, deadline_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return Ran(end=End.HUNG, text=text, why=f"{name} did not end within {timeout_s:g} s and was ended")
    if code:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        said = f": {lines[-1][:200]}" if lines else ""
        return Ran(end=End.FAILED, text=text, why=f"{name} failed with exit code {code}{said}")
    return Ran(end=End.ANSWERED, text=text)


def _read(process: subprocess.Popen[bytes], deadline_s: float) -> tuple[bytes, bool]:
    """The bytes, and whether the end (or the limit) came before the deadline."""
    if process.stdout is None:
        return b"", True
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(data) < TEXT_BYTES_MAX:
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                return bytes(data), False
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                break
            data += piece
    return bytes(data[:TEXT_BYTES_MAX]), True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the group: the program may have left children, and may be ignoring anything milder."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)  # one stuck in the kernel cannot be waited for
