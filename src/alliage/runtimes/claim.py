"""A claim on an engine: starting its watcher and the line to it. While the line is open the watcher keeps the engine."""

import asyncio
import contextlib
import json
import os
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from alliage.errors import Unavailable
from alliage.runtimes.folders import Exit, ReplicaFolder
from alliage.runtimes.processes import group_members, is_member

START_S: Final = 10.0
ANSWER_S: Final = 5.0
LEAVE_S: Final = 1.0
_LINE_BYTES_MAX: Final = 1024 * 1024
_WATCHER: Final = Path(__file__).with_name("watcher.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What runs behind a claim. `started` (ticks since boot) and the boot id make the pid an identity."""

    pid: int
    started: int
    boot_id: str
    watcher_pid: int


class Claim:
    """The line to a watcher. `ended` is read by one task."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watched: Watched) -> None:
        self._reader = reader
        self._writer = writer
        self.watched = watched

    async def ended(self) -> Exit | None:
        """How the engine ended, when it has; None when the watcher went without a word."""
        while line := await _read_line(self._reader):
            if json.loads(line)["event"] == "ended":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._reader.read(), LEAVE_S)  # to the end: then the watcher is gone too
                return msgspec.json.decode(line, type=Exit)
        return None

    def stop(self, grace_s: float) -> None:
        """Have the engine end: SIGTERM now, SIGKILL after `grace_s`."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"do": "stop", "grace_s": grace_s}).encode() + b"\n")

    def close(self) -> None:
        """Give the claim up."""
        self._writer.close()


async def claim(folder: ReplicaFolder) -> Claim:
    """Claim the engine of a folder; raises Unavailable when no watcher answers there."""
    try:
        reader, writer = await _connect(folder)
    except OSError as error:
        raise Unavailable(f"no watcher answers in {folder.path}: {error.strerror}") from error
    claimed = None
    try:
        hello = await asyncio.wait_for(_read_line(reader), ANSWER_S)
        claimed = Claim(reader, writer, msgspec.json.decode(hello, type=Watched))
    except (TimeoutError, msgspec.DecodeError) as error:
        raise Unavailable(f"the watcher in {folder.path} does not answer") from error
    finally:
        if claimed is None:
            writer.close()
    return claimed


async def _connect(folder: ReplicaFolder) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Through a descriptor of the folder: a socket's path may have 107 bytes only."""
    descriptor = os.open(folder.path, os.O_PATH | os.O_DIRECTORY)
    try:
        path = f"/proc/self/fd/{descriptor}/watcher.sock"
        return await asyncio.open_unix_connection(path, limit=_LINE_BYTES_MAX)
    finally:
        os.close(descriptor)


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """The next line, b"" at the end."""
    try:
        return await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return b""


async def start_watcher(folder: ReplicaFolder) -> int:
    """Start the watcher of a prepared folder and wait until it listens; its pid. Raises Unavailable."""
    return await asyncio.to_thread(_start_watcher, folder)


def _start_watcher(folder: ReplicaFolder) -> int:
    ours, theirs = os.pipe()
    try:
        # -I -S: neither the environment nor site-packages, which triple its memory. Not subprocess: that insists on
        # waiting for its children, and these are to outlive us.
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(_WATCHER), str(folder.path)],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1), (os.POSIX_SPAWN_DUP2, theirs, 2)],
            setsid=True,
        )
    except OSError as error:
        os.close(ours)
        raise Unavailable(f"a watcher cannot be started: {error.strerror}") from error
    finally:
        os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as output:
        said = _read_until_ready(output.fileno())
    if not said.startswith(b"ready"):
        end_watcher(pid)
        reap(pid)
        words = said.decode(errors="replace").strip().splitlines()
        raise Unavailable(f"the watcher of {folder.path} did not start: {words[-1] if words else 'it said nothing'}")
    return pid


def _read_until_ready(fd: int) -> bytes:
    said = b""
    while b"ready\n" not in said and select.select([fd], [], [], START_S)[0]:
        piece = os.read(fd, 65536)
        if not piece:
            break
        said += piece
    return said


def end_watcher(pid: int) -> None:
    """End a watcher that we started and have not reaped, so the pid is still its; the kernel ends its engine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def reap(pid: int) -> bool:
    """Take the exit of a watcher that we started, so that no zombie stays; False while it still runs."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    return True


def end_orphans(watched: Watched) -> int:
    """Kill what is left of an engine whose watcher was killed, and count it.

    The kernel ends the engine's first process with the watcher, but not those that it started, as vLLM does.
    """
    ended = 0
    for pid in group_members(watched.pid, watched.watcher_pid):
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                if is_member(pid, watched.pid, watched.watcher_pid):  # still it, now that it is held
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    ended += 1
            finally:
                os.close(handle)
    return ended
