"""Tokens that no engine told, asked of an engine after the fact: off the data path, a few at a time, with a limit of time.

What an engine does not answer stays as the gateway counted it: the events that it passed on, and the prompt by its service's bytes a token.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import httptools
import msgspec

from alliage.engines.counting import COUNTS, TEMPLATE, TOKENIZE, chat_asked, read_count, read_prompt, text_asked
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.gateway.books.accounts import Account, Books
from alliage.gateway.continuing import read_said
from alliage.gateway.pools import Pool, authority
from alliage.units import MIB

WITHIN_S: Final = 3.0
_AT_ONCE: Final = 4
_ANSWER_BYTES_MAX: Final = 8 * MIB
_FAILURES: Final = (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, httptools.HttpParserError)


class Counting:
    """Counts what `books.uncounted` holds whenever it is told to look."""

    __slots__ = ("_books", "_pools", "_running", "_service_upstreams")

    def __init__(
        self,
        books: Books,
        pools: Mapping[ReplicaId, Pool],
        service_upstreams: Callable[[str], tuple[Upstream, ...]],
    ) -> None:
        self._books = books
        self._pools = pools
        self._service_upstreams = service_upstreams
        self._running: set[asyncio.Task[None]] = set()

    def look(self) -> None:
        """Begin with as many as may be asked for at once."""
        while self._books.uncounted and len(self._running) < _AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._count(self._books.uncounted.popleft()))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def finish(self) -> None:
        """No engine is asked any more: the rest stays as the gateway counted it."""
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        while self._books.uncounted:
            self._books.uncounted.popleft().counted(None, None)

    async def _count(self, account: Account) -> None:
        prompt: int | None = None
        output: int | None = None
        try:
            last, service, asked, passed = account.to_count()
            said, chat = _said(passed), _chat(asked)
            upstream = self._asked(last, service)
            if upstream is not None:
                async with asyncio.timeout(WITHIN_S):
                    if said is not None:
                        body = text_asked(upstream.engine, service, said)
                        output = read_count(await _ask(upstream, TOKENIZE, body)) if said else 0
                    prompt = await _prompt_tokens(upstream, service, chat)
        except _FAILURES:
            pass  # as the gateway counted it
        finally:
            account.counted(prompt, output)

    def _asked(self, last: Upstream | None, service: str) -> Upstream | None:
        """One of the service's engines that count, of which nothing bad is known; best the one that answered."""
        for each in (() if last is None else (last,)) + self._service_upstreams(service):
            pool = self._pools.get(each.replica)
            if each.engine in COUNTS and pool is not None and pool.upstream.port == each.port and not pool.is_in_doubt:
                return each
        return None


def _said(passed: bytes) -> str | None:
    """The text of whole events; None where it is no plain text of one answer."""
    try:
        said = read_said(passed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, AttributeError, TypeError):
        return None
    return None if said is None else said.text


def _chat(asked: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(asked, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


async def _prompt_tokens(upstream: Upstream, service: str, chat: dict[str, Any]) -> int | None:
    what = chat_asked(upstream.engine, chat)
    if what is None:
        return None
    path, body = what
    answer = await _ask(upstream, path, body)
    if path != TEMPLATE:
        return read_count(answer)
    text = read_prompt(answer)
    if text is None:
        return None
    return read_count(await _ask(upstream, TOKENIZE, text_asked(upstream.engine, service, text, is_prompt=True)))


class _Answer:
    """An answer as httptools tells it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.is_whole = False

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self.pieces.append(body)
        self.size += len(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.is_whole = True


async def _ask(upstream: Upstream, path: str, body: bytes) -> bytes:
    """The body of a 200, on a connection of its own; raises one of `_FAILURES` for anything else."""
    reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    try:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {authority(upstream)}\r\nAuthorization: Bearer {upstream.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        while not answer.is_whole and answer.size <= _ANSWER_BYTES_MAX and (data := await reader.read(64 * 1024)):
            parser.feed_data(data)
    finally:
        writer.close()
    if not answer.is_whole or parser.get_status_code() != 200:
        raise ValueError(path)
    return b"".join(answer.pieces)
