"""Clients that stream at a steady rate, whatever comes back: when each was asked, what it got, and whether the text is whole.

A rehearsed answer is numbered words, so a lost, doubled or moved piece is seen.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

LETTERS: Final = 4080
"""About 1024 tokens, as control reckons before it has seen any: lengths that it learns would be a reason to move."""
SILENCE_S_MAX: Final = 330.0


@dataclass(slots=True)
class Asked:
    """One request; times are seconds of `time.monotonic`, 0 for what did not happen."""

    begun_s: float
    first_s: float = 0.0
    last_s: float = 0.0
    longest_gap_s: float = 0.0
    ended_s: float = 0.0
    tokens: int = 0
    told_tokens: int = 0
    """As `usage` says."""
    failure: str = ""

    @property
    def ttft_s(self) -> float:
        """To the first token."""
        return self.first_s - self.begun_s

    @property
    def tpot_s(self) -> float:
        """Between tokens, in the mean."""
        return (self.last_s - self.first_s) / max(1, self.tokens - 1)


@dataclass(slots=True)
class Clients:
    """An open loop of `rate_rps` requests of `tokens` answer tokens."""

    host: str
    port: int
    key: str
    service: str
    rate_rps: float
    tokens: int
    asked: list[Asked] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop`, then wait for what was begun."""
        began_s = time.monotonic()
        loading: list[asyncio.Task[None]] = []
        while not stop.is_set():
            loading.append(asyncio.create_task(self._ask(len(loading))))
            due_s = began_s + len(loading) / self.rate_rps
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        await asyncio.gather(*loading)

    async def _ask(self, number: int) -> None:
        one = Asked(begun_s=time.monotonic())
        self.asked.append(one)
        try:
            async with asyncio.timeout(SILENCE_S_MAX):
                await self._read(one, number)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, KeyError) as error:
            one.failure = one.failure or f"{type(error).__name__}: {error}"
        one.ended_s = time.monotonic()

    async def _read(self, one: Asked, number: int) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(self._request(number))
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                one.failure = f"{head.split(b' ')[1].decode()}: {(await reader.read(500)).decode(errors='replace')}"
                return
            text, is_whole = "", False
            async for line in reader:
                if line == b"data: [DONE]\n":
                    is_whole = True
                    break
                if line.startswith(b"data: "):
                    text += _take(one, json.loads(line[6:]))
            one.failure = one.failure or ("" if is_whole else "the stream ended without its last event")
            _check(one, text, self.tokens)
        finally:
            writer.close()

    def _request(self, number: int) -> bytes:
        """Prompts differ from their first letters on, so that no cache helps."""
        asked = {
            "model": self.service,
            "messages": [{"role": "user", "content": f"{number} of {id(self)} ".ljust(LETTERS, "x")}],
            "max_tokens": self.tokens,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        body = json.dumps(asked).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body


def _take(one: Asked, event: dict[str, Any]) -> str:
    """The text of an event, and when it came."""
    if event.get("error"):
        one.failure = f"error event: {event['error'].get('message')}"
    one.told_tokens = (event.get("usage") or {}).get("completion_tokens", one.told_tokens)
    text = "".join(choice["delta"].get("content") or "" for choice in event.get("choices") or ())
    if text:
        now_s = time.monotonic()
        if one.first_s:
            one.longest_gap_s = max(one.longest_gap_s, now_s - one.last_s)
        one.first_s, one.last_s = one.first_s or now_s, now_s
    return text


def _check(one: Asked, text: str, tokens: int) -> None:
    """Every number once, in order, and as many as were asked for. A blank said again at a seam costs a token and is taken out."""
    numbers = [int(word.split(":")[0]) for word in text.split()]
    one.tokens = len(numbers)
    if one.failure:
        return
    if numbers != list(range(len(numbers))):
        one.failure = "pieces were lost, doubled or moved"
    elif not tokens - 8 <= len(numbers) <= tokens or one.told_tokens != tokens:
        one.failure = f"{len(numbers)} tokens came and {one.told_tokens} were told of, {tokens} were asked for"
