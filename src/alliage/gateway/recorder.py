"""What is told of each request's end to those who write it down. The data path only puts it by; a thread does the rest."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter, time
from typing import Final, Protocol

import msgspec
import structlog

from alliage.fleet.routing import KeyEntry
from alliage.gateway.prompts import LoggedPrompt
from alliage.gateway.request import Request
from alliage.gateway.timing import Timing
from alliage.gateway.tracing import HEADER, Sampler, Trace
from alliage.units import MIB

_log: Final = structlog.get_logger("alliage.gateway")
PENDING_MAX: Final = 20_000
"""Ended requests that wait to be written; those beyond are lost, and counted."""
PROMPTS_BYTES_MAX: Final = 64 * MIB
"""Prompts that wait to be written, all together; of those beyond only the size is told."""
_PATH_BYTES_MAX: Final = 256
_PARENT_BYTES_MAX: Final = 64
"""What is put by is small, whatever somebody sends."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """One request that is over, as the data path knew it. Positional, because names cost time."""

    ended_s: float
    """Since 1970."""
    request: bytes
    """Its id, as the client got it."""
    peer: object
    """The client's address as the socket has it."""
    entry: KeyEntry | None
    method: bytes
    path: bytes
    status: int
    reason: str
    """The code of the gateway's own refusal."""
    service: str = ""
    replica: str = ""
    chip: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    ttft_s: float = 0.0
    """0 where no first token was seen; so is `tpot_s`."""
    tpot_s: float = 0.0
    duration_s: float = 0.0
    sent_bytes: int = 0
    retries: int = 0
    is_continued: bool = False
    is_broken: bool = False
    parent: bytes | None = None
    """The `traceparent` that came or was made."""
    trace: Trace | None = None
    prompt: LoggedPrompt | None = None
    """None but for tenants that want it written down."""


class Sink(Protocol):
    """Whoever writes them down, on the recorder's thread."""

    def take(self, batch: Sequence[Ended]) -> int:
        """How many of them were lost. Never raises for a failing world."""

    def close(self) -> None:
        """No more come."""


class Recorder:
    """Gathers ended requests and hands them on in batches; one batch at a time, so that a slow disk is not queued up on."""

    __slots__ = ("_busy", "_pending", "_prompt_bytes", "_sampler", "_sinks", "_thread", "keeps_prompts", "lost")

    def __init__(self, sinks: Sequence[Sink], sampler: Sampler | None = None, *, keeps_prompts: bool = True) -> None:
        """A sampler where there is tracing; `keeps_prompts` where a sink writes those of tenants that want it."""
        self.keeps_prompts = keeps_prompts
        self._prompt_bytes = 0  # of those that wait
        self._sinks = tuple(sinks)
        self._sampler = sampler
        self._pending: list[Ended] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")
        self._busy: Future[int] | None = None
        self.lost = 0
        """Ended requests that were not written down."""

    def trace(self, request: Request) -> Trace | None:
        """A span for this request, where there is tracing; its header is what engines are to get."""
        if self._sampler is None:
            return None
        trace = self._sampler.begin(request.headers.get(HEADER))
        request.headers = {**request.headers, HEADER: trace.header()}  # those that came may be another request's too
        request.lines = b""
        return trace

    def add(self, request: Request, timing: Timing, transport: asyncio.Transport, status: int) -> None:
        """It is over, whoever answered it."""
        if len(self._pending) >= PENDING_MAX:
            self.lost += 1
            return
        prompt = timing.prompt
        if prompt is not None:
            prompt = self._room_for(prompt)
        began_s, first_s, parent = timing.began_s, timing.first_s, request.headers.get(HEADER)
        self._pending.append(
            Ended(
                time(), request.id, transport.get_extra_info("peername"), request.entry, request.method, request.path,
                status, timing.reason, timing.service, timing.replica, timing.chip,
                timing.prompt_tokens, timing.cached_tokens, timing.output_tokens,
                first_s - began_s if first_s else 0.0, timing.tpot_s, perf_counter() - began_s, timing.sent_bytes,
                timing.retries, timing.is_continued, timing.is_broken, None if parent is None else parent[:_PARENT_BYTES_MAX],
                timing.trace, prompt,
            )
        )  # fmt: skip

    def add_local(self, request: Request | None, status: int, reason: str, transport: asyncio.Transport) -> None:
        """It was answered here, or refused by its head; None for one whose head never came whole."""
        if len(self._pending) >= PENDING_MAX:
            self.lost += 1
            return
        peer = transport.get_extra_info("peername")
        if request is None:
            ended = Ended(time(), b"", peer, None, b"", b"", status, reason)
        else:
            path = request.path[:_PATH_BYTES_MAX]
            ended = Ended(time(), request.id, peer, request.entry, request.method, path, status, reason)
        self._pending.append(ended)

    def hand_on(self) -> None:
        """To the thread, unless it still has the last batch; called at each sweep."""
        if not self._pending or not self._is_free():
            return
        batch, self._pending, self._prompt_bytes = self._pending, [], 0
        self._busy = self._thread.submit(self._write, batch)

    async def close(self) -> None:
        """Write what is left and end the thread; what a stuck disk holds up for 5 s is left behind."""
        if self._busy is not None:
            await asyncio.wait((asyncio.wrap_future(self._busy),), timeout=5.0)
        self.hand_on()
        if self._busy is not None:
            await asyncio.wait((asyncio.wrap_future(self._busy),), timeout=5.0)
        if self._is_free():
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close_sinks)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _room_for(self, prompt: LoggedPrompt) -> LoggedPrompt:
        """It, or where too much waits already nothing of it but its size."""
        size = len(prompt.text)
        if self._prompt_bytes + size > PROMPTS_BYTES_MAX:
            return LoggedPrompt(b"", prompt.cut_bytes + size)
        self._prompt_bytes += size
        return prompt

    def _is_free(self) -> bool:
        if self._busy is None:
            return True
        if not self._busy.done():
            return False
        self.lost += self._busy.result()
        self._busy = None
        return True

    def _write(self, batch: Sequence[Ended]) -> int:
        try:
            return max((sink.take(batch) for sink in self._sinks), default=0)
        except Exception:  # noqa: BLE001  # a bug here must not end the gateway
            _log.exception("ended requests could not be written down", number=len(batch))
            return len(batch)

    def _close_sinks(self) -> None:
        for sink in self._sinks:
            sink.close()
