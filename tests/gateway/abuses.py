"""Clients that mean no good, one coroutine each: what it does to a gateway, and the answer that it must get."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

from alliage.units import KIB, MIB
from tests.gateway.fuzz_corpus import FRAMINGS
from tests.gateway.house import KEY, House, chat_body, get, post


async def leave_at_once(place: House) -> None:
    """With a stream begun."""
    wire = await place.dial()
    await wire.send(post(chat_body(stream=True)))
    wire.writer.transport.abort()


async def leave_in_the_middle(place: House) -> None:
    """Of a body."""
    wire = await place.dial()
    await wire.send(post(chat_body())[:-9])
    wire.writer.close()


async def ask_with_a_large_head(place: House) -> None:
    """Above 32 KiB."""
    assert (await place.ask(post(b"x", extra=f"X: {'y' * 40 * KIB}\r\n"))).status == 431


async def announce_a_large_body(place: House) -> None:
    """And send none of it."""
    head = f"POST /v1/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {9 * MIB * KIB}\r\n\r\n"
    assert (await place.ask(head.encode())).status == 413


async def nest_deeply(place: House) -> None:
    """A body of brackets."""
    assert (await place.ask(post(b'{"model":"m","x":' + b"[" * 50_000))).status == 400


async def guess(place: House) -> None:
    """A key."""
    assert (await place.ask(post(chat_body(), key="anything but the key"))).status in {401, 429}


async def talk_nonsense(place: House) -> None:
    """What is no HTTP."""
    assert (await place.ask(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")).status == 400


async def frame_oddly(place: House) -> None:
    """Each odd framing, answers unread."""
    for raw in FRAMINGS:
        wire = await place.dial()
        await wire.send(raw)
        wire.writer.close()


async def pipeline(place: House) -> None:
    """Many requests at once, all of which are answered."""
    wire = await place.dial()
    await wire.send(get("/health") * 100)
    for _ in range(100):
        assert (await wire.answer()).status == 200
    wire.writer.close()


async def wait_for_nothing(place: House) -> None:
    """A connection that says nothing, for a moment."""
    wire = await place.dial()
    await asyncio.sleep(0.2)
    wire.writer.close()


ABUSES: Final[tuple[Callable[[House], Coroutine[None, None, None]], ...]] = (
    leave_at_once, leave_in_the_middle, ask_with_a_large_head, announce_a_large_body, nest_deeply, guess, talk_nonsense, frame_oddly, pipeline,
    wait_for_nothing,
)  # fmt: skip
