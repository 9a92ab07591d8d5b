"""The access log: one JSON object a line for each request at its end. Neither answers, headers nor queries come into it.

Prompts do for tenants that want it, and for nobody else.
"""

import fcntl
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from alliage.fleet.usage import Ending
from alliage.gateway.recorder import Ended
from alliage.gateway.stats import CLIENT_GONE
from alliage.gateway.tracing import read_parent

_log: Final = structlog.get_logger("alliage.gateway")
FILES_OLD: Final = 3
"""Older files beside the present one: `access.log.1` is the newest of them."""
REFUSED: Final = "refused"
"""How a request ended that the gateway itself said no to; the others are `Ending`'s words."""
_LINES_AT_ONCE: Final = 256
"""So many are encoded before the thread writes, and so lets go of the interpreter."""
_PATH_CHARS_MAX: Final = 200


class AccessLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands in a line. Tokens are 0 where the engine told none, times null where nothing was seen."""

    time: datetime
    """Of the end."""
    request: str
    gateway: str
    client: str
    tenant: str
    project: str
    key: str
    service: str
    method: str
    endpoint: str
    replica: str
    chip: str
    status: int
    ending: str
    reason: str
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    ttft_ms: float | None
    tpot_ms: float | None
    duration_ms: float | None
    bytes: int
    retried: int
    continued: bool
    trace: str
    prompt: str | None = None
    """The fields of the body that hold it, as JSON, up to `prompts.PROMPT_BYTES_MAX`; left out where it is not to be logged."""
    prompt_cut_bytes: int = 0
    """So much more there was of it."""


class AccessLog:
    """Appends to one file, which several gateway processes may share. A sink of the recorder."""

    def __init__(self, path: Path, gateway: str, bytes_max: int) -> None:
        """The file is made 0600 at the first line; from `bytes_max` on it is put aside."""
        self._path = path
        self._gateway = gateway
        self._bytes_max = bytes_max
        self._file = -1
        self._is_ill = False
        self._encode = msgspec.json.Encoder().encode_lines

    def take(self, batch: Sequence[Ended]) -> int:
        """Write these lines; how many the disk did not take."""
        for start in range(0, len(batch), _LINES_AT_ONCE):
            lines = [line_of(ended, self._gateway) for ended in batch[start : start + _LINES_AT_ONCE]]
            try:
                self._write(self._encode(lines))
            except OSError as error:
                self._failed(error)
                return len(batch) - start
        self._is_ill = False
        return 0

    def close(self) -> None:
        """The file is opened again if more come."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _failed(self, error: OSError) -> None:
        if not self._is_ill:
            _log.warning("the access log cannot be written; its lines are lost until it can", why=error.strerror)
        self._is_ill = True
        self.close()

    def _write(self, lines: bytes) -> None:
        """In one piece, or not at all: where the disk is full, what came of it is taken back."""
        if self._file < 0 or not self._is_ours():
            self._open()
        elif os.fstat(self._file).st_size + len(lines) > self._bytes_max:
            self._rotate()
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            before = os.fstat(self._file).st_size
            written = os.write(self._file, lines)
            if written < len(lines):
                os.ftruncate(self._file, before)
                raise OSError(0, "it took only a part", str(self._path))
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _open(self) -> None:
        self.close()
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(self._file, 0o600)  # it may have been there, for others to read

    def _is_ours(self) -> bool:
        """Whether the file of that name is the one that is open: another process may have put ours aside."""
        try:
            there, open_ = self._path.stat(), os.fstat(self._file)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (open_.st_dev, open_.st_ino)

    def _rotate(self) -> None:
        """Put the full file aside, unless another process just did."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        if self._is_ours():
            for number in range(FILES_OLD, 0, -1):
                newer = self._path if number == 1 else self._aside(number - 1)
                if newer.exists():
                    newer.replace(self._aside(number))
        self._open()

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def line_of(ended: Ended, gateway: str) -> AccessLine:
    """One request as the log has it."""
    entry, trace = ended.entry, ended.trace or read_parent(ended.parent)
    return AccessLine(
        time=datetime.fromtimestamp(ended.ended_s, UTC),
        request=ended.request.decode("latin-1"),
        gateway=gateway,
        client=address_of(ended.peer),
        tenant="" if entry is None else entry.tenant,
        project="" if entry is None else entry.project,
        key="" if entry is None else entry.key,
        service=ended.service,
        method=ended.method.decode("latin-1"),
        endpoint=ended.path.partition(b"?")[0].decode("latin-1")[:_PATH_CHARS_MAX],
        replica=ended.replica,
        chip=ended.chip,
        status=ended.status,
        ending=ending_of(ended),
        reason=ended.reason,
        prompt_tokens=ended.prompt_tokens,
        cached_tokens=ended.cached_tokens,
        output_tokens=ended.output_tokens,
        ttft_ms=_ms(ended.ttft_s),
        tpot_ms=_ms(ended.tpot_s),
        duration_ms=_ms(ended.duration_s),
        bytes=ended.sent_bytes,
        retried=ended.retries,
        continued=ended.is_continued,
        trace="" if trace is None else f"{trace.trace_id:032x}",
        prompt=None if ended.prompt is None else ended.prompt.text.decode(),
        prompt_cut_bytes=0 if ended.prompt is None else ended.prompt.cut_bytes,
    )


def ending_of(ended: Ended) -> str:
    """In one word."""
    if ended.status == CLIENT_GONE:
        return Ending.CANCELLED.value
    if ended.reason and ended.status < 500:
        return REFUSED
    return (Ending.FAILED if ended.is_broken or ended.status >= 500 else Ending.FINISHED).value


def _ms(seconds: float) -> float | None:
    return round(seconds * 1000.0, 3) if seconds else None


def address_of(peer: object) -> str:
    """The host of a socket's address; of a Unix socket there is none."""
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""
