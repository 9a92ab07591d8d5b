"""Connections that speak TLS, until their handshake is done: then each becomes a client's.

They are taken as plain connections first: so they count against the places there are before anything is spent on them,
and one that speaks plain HTTP is told so. The bytes that were read for that are handed to TLS as if it had read them.
"""

import asyncio
from typing import Final, cast

from alliage.gateway import problems, wire
from alliage.gateway.client import ClientConnection
from alliage.gateway.door import Door
from alliage.gateway.tls import Tls

_OVER_MAX: Final = 256
"""Handshakes above the places there are, so that those who come too many can be told so; further ones are just closed."""
_HANDSHAKE: Final = b"\x16"
"""The first byte of every TLS connection."""


class Doorstep(asyncio.Protocol):
    """One connection: read for its first bytes, then for what comes between its handshake and its client."""

    __slots__ = ("_steps", "_transport", "early", "first", "is_lost")

    def __init__(self, steps: "Doorsteps") -> None:
        self._steps = steps
        self._transport: asyncio.Transport | None = None
        self.early = bytearray()
        self.first: asyncio.Future[None] | None = None
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from it
        self._steps.come(self, transport)

    def data_received(self, data: bytes) -> None:
        """The first bytes; or those that came with the end of the handshake."""
        self.early += data
        if self.first is not None and not self.first.done() and self._transport is not None:
            self._transport.pause_reading()
            self.first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the protocol's signature
        """Gone again."""
        self.is_lost = True
        if self.first is not None and not self.first.done():
            self.first.set_result(None)

    def taken(self) -> bytes:
        """What was read, which is then no more here."""
        data = bytes(self.early)
        self.early.clear()
        return data


class Doorsteps:
    """Makes and knows all of them. `failed` counts handshakes that came to nothing."""

    __slots__ = ("_door", "_shaking", "_tls", "failed")

    def __init__(self, door: Door, tls: Tls) -> None:
        self._door = door
        self._tls = tls
        self._shaking: set[asyncio.Task[None]] = set()
        self.failed = 0

    def make(self) -> Doorstep:
        """For the next connection."""
        return Doorstep(self)

    def come(self, step: Doorstep, transport: asyncio.Transport) -> None:
        """Begin its handshake, where there is a place."""
        door = self._door
        if len(door.guests) + len(self._shaking) >= door.limits.connections_max + _OVER_MAX:
            transport.abort()
            return
        step.first = door.loop.create_future()
        task = door.loop.create_task(self._shake(step, step.first, transport))
        self._shaking.add(task)
        task.add_done_callback(self._shaking.discard)

    def close(self) -> None:
        """Nobody is let in any more."""
        for task in list(self._shaking):
            task.cancel()

    async def _shake(self, step: Doorstep, first: asyncio.Future[None], transport: asyncio.Transport) -> None:
        """From the first byte to the client; who is too slow, or leaves, is closed without a word."""
        try:
            async with asyncio.timeout(self._door.limits.tls_handshake_s):
                await first
                if step.is_lost:
                    return
                if not step.early.startswith(_HANDSHAKE):
                    _refuse_plain(self._door, transport)
                    return
                secured = await self._secure(step, transport)
        except (OSError, RuntimeError):  # no TLS, no time left, or closed as it began
            self.failed += 1
            transport.abort()
        except asyncio.CancelledError:
            transport.abort()
            raise
        else:
            if secured is not None and not step.is_lost:
                self._let_in(step, secured, transport)

    async def _secure(self, step: Doorstep, transport: asyncio.Transport) -> asyncio.Transport | None:
        """The transport that speaks TLS; raises OSError where the handshake fails."""
        door, hello = self._door, step.taken()
        starting = door.loop.create_task(
            door.loop.start_tls(
                transport,
                step,
                self._tls.context,
                server_side=True,
                ssl_handshake_timeout=door.limits.tls_handshake_s,
                ssl_shutdown_timeout=door.limits.send_stall_s,
            )
        )
        try:
            await asyncio.sleep(0)  # it has queued its connection_made and its resume_reading now
            protocol = transport.get_protocol()
            if protocol is not step:
                door.loop.call_soon(
                    _hand_over, cast(asyncio.BufferedProtocol, protocol), hello
                )  # behind these two, before anything is read
            return await starting
        finally:
            starting.cancel()

    def _let_in(self, step: Doorstep, secured: asyncio.Transport, beneath: asyncio.Transport) -> None:
        client = ClientConnection(self._door)
        client.beneath = beneath
        secured.set_protocol(client)
        client.connection_made(secured)
        if step.early:
            client.data_received(step.taken())


def _hand_over(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Bytes as if they had been read just now."""
    rest = memoryview(data)
    while rest:
        room = memoryview(protocol.get_buffer(len(rest)))
        size = min(len(room), len(rest))
        room[:size] = rest[:size]
        protocol.buffer_updated(size)
        rest = rest[size:]


def _refuse_plain(door: Door, transport: asyncio.Transport) -> None:
    """Say in plain HTTP what is spoken here; only then is it closed."""
    closing = wire.connection_header(keep=False, old=False)
    transport.write(wire.refusal(problems.speaks_tls(), request_id=door.next_id(), connection=closing))
    transport.close()
