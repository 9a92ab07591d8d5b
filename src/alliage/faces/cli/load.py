"""A bounded closed loop of streamed chats through the gateway, as any client would ask. Times what comes back, no more."""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import httpx2

from alliage.faces.cli.client import CONNECT_S_MAX
from alliage.faces.cli.prompts import prompt
from alliage.fleet.routing import REPLICA_HEADER

SILENCE_S_MAX: Final = 120.0
"""How long an engine may say nothing in the middle of a load."""
LATE_S_MAX: Final = 300.0
"""Answers that were begun in time have so long to end; then the load is given up."""
FAILURES_MAX: Final = 5
"""After so many nothing more is asked."""
_PIECES: Final = ("content", "reasoning_content", "reasoning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One replica of a service behind a gateway. `key` is a secret: it is sent, never shown."""

    gateway_url: str
    key: str
    service: str
    replica: str
    trust: ssl.SSLContext | bool = True
    """What its certificate is checked by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOrder:
    """`concurrency` requests always in flight, new ones for `seconds`; each of `words` is answered with `output_tokens`."""

    concurrency: int
    seconds: float
    words: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer: monotonic seconds of its request, first and last piece and end, and tokens as the engine counted them."""

    asked_s: float
    first_s: float
    last_s: float
    ended_s: float
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of a load: the answers, and how often each failure was met."""

    answers: tuple[Answered, ...]
    failures: Mapping[str, int]


Progress = Callable[[int, float], None]
"""Told after each answer and twice a second: how many answers there are, and seconds since the begin."""


class NoAnswer(Exception):
    """One request was not answered as a chat is: why, in words. Never leaves this module."""


async def run_load(target: Target, order: LoadOrder, sources: Iterator[Random], progress: Progress) -> Loaded:
    """The whole load. `sources` gives the words of each prompt."""
    begun_s = time.monotonic()
    answers: list[Answered] = []
    failures: Counter[str] = Counter()

    async def keep_one_in_flight(http: httpx2.AsyncClient) -> None:
        while failures.total() < FAILURES_MAX:
            try:
                answers.append(await _ask(http, target, order, next(sources)))
            except NoAnswer as error:
                failures[str(error)] += 1
            progress(len(answers), time.monotonic() - begun_s)
            if time.monotonic() - begun_s >= order.seconds:
                return

    async def tick() -> None:
        while True:
            progress(len(answers), time.monotonic() - begun_s)
            await asyncio.sleep(0.5)

    try:
        async with asyncio.timeout(order.seconds + LATE_S_MAX), _client(target, order.concurrency) as http:
            ticking = asyncio.create_task(tick())
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(order.concurrency):
                        group.create_task(keep_one_in_flight(http))
            finally:
                ticking.cancel()
    except TimeoutError:
        failures[f"answers had not ended {LATE_S_MAX:g} s after the load's time"] += 1
    return Loaded(answers=tuple(answers), failures=dict(failures))


def _client(target: Target, concurrency: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=target.gateway_url,
        headers={"Authorization": f"Bearer {target.key}", REPLICA_HEADER: target.replica},
        timeout=httpx2.Timeout(SILENCE_S_MAX, connect=CONNECT_S_MAX),
        limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        trust_env=False,
        verify=target.trust,
    )


async def _ask(http: httpx2.AsyncClient, target: Target, order: LoadOrder, source: Random) -> Answered:
    body = {
        "model": target.service,
        "messages": [{"role": "user", "content": prompt(order.words, source)}],
        "max_tokens": order.output_tokens,
        "ignore_eos": True,  # llama.cpp, vLLM and SGLang know it: answers of one length
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    try:
        return await _answer(http, body)
    except httpx2.HTTPError as error:
        raise NoAnswer(f"the gateway broke off: {str(error) or type(error).__name__}") from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise NoAnswer(f"what came is no part of a chat: {type(error).__name__}") from error


async def _answer(http: httpx2.AsyncClient, body: Mapping[str, Any]) -> Answered:
    asked_s = time.monotonic()
    first_s = last_s = 0.0
    usage: Mapping[str, Any] = {}
    async with http.sse("/v1/chat/completions", method="POST", json=body) as events:
        if events.response.status_code != 200:
            raise NoAnswer(_refusal(events.response.status_code, await events.response.aread()))
        async for event in events:
            if event.data == "[DONE]":
                break
            chunk = json.loads(event.data)
            if chunk.get("error"):
                raise NoAnswer(str(chunk["error"].get("message", chunk["error"])))
            usage = chunk.get("usage") or usage
            if _has_text(chunk):
                last_s = time.monotonic()
                first_s = first_s or last_s
    return _counted(usage, asked_s=asked_s, first_s=first_s, last_s=last_s)


def _counted(usage: Mapping[str, Any], *, asked_s: float, first_s: float, last_s: float) -> Answered:
    told = Answered(
        asked_s=asked_s,
        first_s=first_s,
        last_s=last_s,
        ended_s=time.monotonic(),
        prompt_tokens=int(usage.get("prompt_tokens", 0)),
        completion_tokens=int(usage.get("completion_tokens", 0)),
    )
    if not told.prompt_tokens or not told.completion_tokens:
        raise NoAnswer("the engine did not tell how many tokens it read and wrote")
    if not told.first_s:
        raise NoAnswer("the answer was empty")
    return told


def _has_text(chunk: Mapping[str, Any]) -> bool:
    deltas = [choice.get("delta") or {} for choice in chunk.get("choices") or ()]
    return any(delta.get(name) for delta in deltas for name in _PIECES)


def _refusal(status: int, body: bytes) -> str:
    """The gateway's words where it has some."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered {status}"
