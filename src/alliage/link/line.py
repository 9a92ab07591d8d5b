"""One line: a Unix stream socket with MessagePack messages, each behind its length. Both ends may speak at any time."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from alliage.errors import LinkError
from alliage.link.messages import FromControl, ToControl

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode

Incoming = TypeVar("Incoming")
Outgoing = TypeVar("Outgoing")


class Line(Generic[Incoming, Outgoing]):
    """A connected line. One task reads it; `send` never waits, a peer that does not read is cut off."""

    BACKLOG_BYTES_MAX: Final = 32 * 1024 * 1024

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        incoming: object,
    ) -> None:
        """`incoming` is the type `Incoming` once more, to decode by."""
        self._reader = reader
        self._writer = writer
        self._decoder: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(incoming)

    async def receive(self) -> Incoming | None:
        """The next message, None at the end of the line; raises LinkError on what is not a message."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > FRAME_BYTES_MAX:
                raise LinkError(f"a message of {length} bytes came; the limit is {FRAME_BYTES_MAX}")
            return self._decoder.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise LinkError(f"a message could not be read: {error}") from error

    def send(self, message: Outgoing) -> None:
        """Queue one message; raises LinkError when the line is closed or the peer stopped reading."""
        if self._writer.is_closing():
            raise LinkError("the line is closed")
        body = _encode(message)
        self._writer.write(_LENGTH.pack(len(body)) + body)
        if self._writer.transport.get_write_buffer_size() > self.BACKLOG_BYTES_MAX:
            self.close()
            raise LinkError("the other side stopped reading")

    def close(self) -> None:
        """Close at once; queued messages are still sent if the peer reads."""
        self._writer.close()


DialledLine = Line[FromControl, ToControl]
AnsweredLine = Line[ToControl, FromControl]


async def dial(path: Path) -> DialledLine:
    """Connect to control; raises LinkError when nobody listens."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
    except OSError as error:
        raise LinkError(f"control cannot be reached at {path}: {error.strerror}") from error
    return Line(reader, writer, FromControl)


async def listen(path: Path, answer: Callable[[AnsweredLine], Awaitable[None]]) -> asyncio.Server:
    """Serve diallers, one `answer` each; the socket replaces a dead one of the same path and is 0600."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line: AnsweredLine = Line(reader, writer, ToControl)
        try:
            await answer(line)
        finally:
            line.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(accept, str(path))
    path.chmod(0o600)
    return server
