"""A client of the storm: one request after the other, what it saw of each written down."""

import asyncio
import json
from collections.abc import Callable

from tests.gateway.house import post
from tests.storm.asked import Asked, Kind, Saw

_TOKEN = b'"content":"x"'
_BROKEN = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError)


async def ask(port: int, key: str, each: Asked, now_s: Callable[[], float]) -> None:
    """One request on a connection of its own."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        each.ended_s = now_s()
        return
    try:
        more = {} if each.kind is Kind.WHOLE else {"stream": True}
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "p"}], **more}).encode()
        writer.write(post(body, key=key, extra=f"X-Request-Id: {each.id}\r\n"))
        await _read(reader, each, now_s)
    except _BROKEN:
        each.saw = Saw.CUT
    finally:
        each.ended_s = now_s()
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader, each: Asked, now_s: Callable[[], float]) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    each.status = int(head.split(None, 2)[1])
    if each.status != 200:
        each.saw = Saw.REFUSED
        return
    if each.kind is Kind.WHOLE:
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        body = await reader.readexactly(int(length.split(b":")[1]))
        each.seen_s += [now_s()] * json.loads(body)["usage"]["completion_tokens"]
        each.saw = Saw.COMPLETE
        return
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        data = await reader.readexactly(size + 2)
        each.seen_s += [now_s()] * data.count(_TOKEN)
        if b"[DONE]" in data:  # what clients take for the end
            each.saw = Saw.COMPLETE
            return
        if b'"error"' in data:
            each.saw = Saw.BROKEN
            return
        if each.kind is Kind.LEAVES and len(each.seen_s) >= each.tokens // 2:
            each.saw = Saw.LEFT
            return
