"""A small real upstream for the gateway's tests: an HTTP/1.1 server whose behaviour is a coroutine given by the test."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(slots=True, kw_only=True)
class Call:
    """One request as the engine got it, and the means to answer it, well or badly."""

    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    connection: int
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the caller closed before the answer was complete."""

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    async def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, body: bytes, *, status: str = "200 OK", kind: str = "application/json", extra: str = ""
    ) -> None:
        """A whole answer with its length."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        await self.send(head.encode() + body)

    async def begin_stream(self) -> None:
        """The head of a chunked event stream."""
        await self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        """One chunk."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        """The last chunk."""
        await self.send(b"0\r\n\r\n")

    def cut(self) -> None:
        """Close the connection now."""
        self.writer.transport.abort()


Behaviour = Callable[[Call], Awaitable[None]]


def event(text: str | None = None, **more: Any) -> bytes:
    """One SSE event of a chat stream, as llama.cpp writes it."""
    delta = {} if text is None else {"content": text}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    body = {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], **more}
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def usage_event(prompt: int = 3, completion: int = 4) -> bytes:
    """The event that only tells usage."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event(choices=[], usage=usage)


DONE = b"data: [DONE]\n\n"


async def chat(call: Call) -> None:
    """A well-behaved engine: JSON, or a stream of five events and usage when it was asked for; embeddings too."""
    ask = call.json
    if call.path == "/v1/embeddings":
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        answer = {"object": "list", "data": data, "model": ask["model"], "usage": usage}
        await call.answer(json.dumps(answer).encode())
    elif ask.get("stream"):
        await call.begin_stream()
        for letter in "abcde":
            await call.chunk(event(letter))
        if (ask.get("stream_options") or {}).get("include_usage"):
            await call.chunk(usage_event())
        await call.chunk(DONE)
        await call.end_stream()
    else:
        message = {"role": "assistant", "content": "abcde"}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        kind = {"id": "c", "object": "chat.completion", "created": 1, "model": ask["model"]}
        await call.answer(json.dumps({**kind, "choices": choices, "usage": usage}).encode())


def stream_of(pieces: Sequence[bytes], pause_s: float = 0.0) -> Behaviour:
    """A stream that is exactly these chunks."""

    async def behave(call: Call) -> None:
        await call.begin_stream()
        for piece in pieces:
            await call.chunk(piece)
            await asyncio.sleep(pause_s)
        await call.end_stream()

    return behave


class Engine:
    """The server; `calls` are all that came, `behave` may be changed while it runs."""

    def __init__(self, behave: Behaviour = chat) -> None:
        self.behave = behave
        self.calls: list[Call] = []
        self.port = 0
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.frozen: asyncio.Event | None = None
        """Where there is one, nothing is answered until it is set: connections are accepted all the same."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Like a death: the port is closed and every connection is cut."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def deafen(self) -> None:
        """Like a machine that is off: nobody is let in any more, and whoever was hears nothing."""
        if self._server is not None:
            self._server.close()

    def cut_all(self) -> None:
        """Close every connection."""
        for writer in list(self.open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        self.open.add(writer)
        try:
            ahead = b""
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    ahead = await self._one(ahead, reader, writer, number)
        finally:
            self.open.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _one(
        self, ahead: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bytes:
        """Answer one request that begins with `ahead`; what was read of the next one."""
        head = (ahead + await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if self.frozen is not None:
            await self.frozen.wait()
        if first.split()[1] == "/health":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return b""
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        call = Call(path=first.split()[1], headers=headers, body=body, writer=writer, connection=number)
        self.calls.append(call)
        watch = asyncio.create_task(self._watch(reader, call))
        try:
            await self.behave(call)
        except ConnectionError:
            call.gone.set()
            raise
        finally:
            watch.cancel()
            (read,) = await asyncio.gather(watch, return_exceptions=True)
        return read if isinstance(read, bytes) else b""

    async def _watch(self, reader: asyncio.StreamReader, call: Call) -> bytes:
        """Notice when the caller leaves while it is being answered."""
        read = b""
        with suppress(ConnectionError):
            read = await reader.read(1)
        if not read:
            call.gone.set()
        return read
