"""An open loop of clients that stream: each request is sent when it is due, and what comes back is timed, not parsed.

The tokens of a rehearsed answer are numbered, so the last number in its last bytes says whether all of it came.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.live.prompts import Order

OPEN_MAX: Final = 512
"""Requests that are open at once; one more is a failure of the run."""
LEAD_S: Final = 0.5
"""So long after `run` is called the first second begins."""
_FIRST: Final = b'"0:'
_LAST: Final = b"data: [DONE]"
_KEPT_BYTES: Final = 4096


@dataclass(slots=True)
class Asked:
    """What became of a request: times in seconds of the loop's clock, NaN for what did not happen; `failure` or "" ."""

    due_s: float
    sent_s: float
    output_tokens: int
    first_s: float = float("nan")
    last_s: float = float("nan")
    failure: str = ""

    @property
    def ttft_s(self) -> float:
        """From when it was sent to its first token."""
        return self.first_s - self.sent_s

    @property
    def tpot_s(self) -> float:
        """A token after the first, in the mean; 0 for an answer of one."""
        return (self.last_s - self.first_s) / (self.output_tokens - 1) if self.output_tokens > 1 else 0.0


class _Reading(asyncio.Protocol):
    """One connection for one request."""

    def __init__(self, asked: Asked, request: bytes, done: asyncio.Future[None]) -> None:
        self._asked, self._request, self._done = asked, request, done
        self._loop = asyncio.get_running_loop()
        self._seen = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send it."""
        self._transport = transport if isinstance(transport, asyncio.Transport) else None
        if self._transport is not None:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note when its tokens came; the end of what came is kept."""
        asked, seen = self._asked, self._seen
        seen += data
        if asked.first_s != asked.first_s:
            if _FIRST not in seen:
                return
            asked.first_s = self._loop.time()
        if _LAST in seen[-len(data) - len(_LAST) :]:
            asked.last_s = self._loop.time()
            asked.failure = "" if b'"%d:' % (asked.output_tokens - 1) in seen else "not all of its tokens came"
            self._end()
        elif len(seen) > 2 * _KEPT_BYTES:
            del seen[:-_KEPT_BYTES]

    def connection_lost(self, _error: Exception | None) -> None:
        """Too early, unless all had come."""
        if not self._done.done():
            self._asked.failure = f"the connection ended: {bytes(self._seen[:300]).decode(errors='replace')}"
            self._done.set_result(None)

    def _end(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
        if self._transport is not None:
            self._transport.close()


@dataclass(slots=True)
class Clients:
    """They ask one gateway with one key."""

    host: str
    port: int
    key: str
    asked: list[Asked] = field(default_factory=list)
    _open: int = 0

    async def run(self, orders: Sequence[Order], patience_s: float) -> None:
        """Send all, each when it is due, and wait for the last answer, at most `patience_s` after it was sent."""
        loop = asyncio.get_running_loop()
        began_s = loop.time() + LEAD_S
        asking: list[asyncio.Task[None]] = []
        for order in orders:
            due_s = began_s + order.at_s
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            asked = Asked(due_s=due_s, sent_s=loop.time(), output_tokens=order.output_tokens)
            self.asked.append(asked)
            asking.append(asyncio.create_task(self._ask(asked, order.body)))
        await asyncio.wait(asking, timeout=patience_s)
        for one, task in zip(self.asked, asking, strict=True):
            if not task.done():
                one.failure = f"no answer to its end within {patience_s:g} s"
                task.cancel()

    @property
    def late_s(self) -> float:
        """By how much a request was sent late, at most."""
        return max((one.sent_s - one.due_s for one in self.asked), default=0.0)

    async def _ask(self, asked: Asked, body: bytes) -> None:
        if self._open >= OPEN_MAX:
            asked.failure = f"{OPEN_MAX} requests were open already"
            return
        self._open += 1
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        try:
            await loop.create_connection(lambda: _Reading(asked, self._head(body) + body, done), self.host, self.port)
            await done
        except OSError as error:
            asked.failure = f"{type(error).__name__}: {error}"
        finally:
            self._open -= 1

    def _head(self, body: bytes) -> bytes:
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode()
