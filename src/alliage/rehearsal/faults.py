"""Faults on command, through a Unix socket of the rehearsal's own: what is asked, and the small protocol for it."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from alliage.errors import AlliageError, BadInput, NotRunning

ASK_BYTES_MAX: Final = 64 * 1024
ANSWER_S_MAX: Final = 10.0


class Calamity(StrEnum):
    """What can be made to happen. A node that dies is silent, and all on it is cut off.

    One that hangs is silent, and what is open on it stalls; it still accepts connections, as the kernel of a machine does whose
    programs stand still.
    """

    DIE = "die"
    HANG = "hang"
    SLOW = "slow"
    LOSE = "lose"
    """A device is gone from its node, and with it what ran there."""
    REFUSE = "refuse"
    """Nothing starts on the node from now on."""
    REVIVE = "revive"
    """The node is as it was, without what ran there."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """`target` is a replica, a node, a site (all its nodes), or (to lose it) a device; `factor` is by how much it is slower."""

    kind: Calamity
    target: str
    factor: float = 1.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or what was wrong with the ask and the way out."""

    done: str = ""
    error: str = ""
    remedy: str = ""


async def listen_for_faults(path: Path, suffer: Callable[[Ask], str]) -> asyncio.Server:
    """Serve asks, one JSON line each, at the Unix socket `path` (0600). `suffer` says what it did, or raises AlliageError."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            writer.write(msgspec.json.encode(_answered(line, suffer)) + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            pass  # whoever asked went away, or sent a line without end
        finally:
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(answer, str(path), limit=ASK_BYTES_MAX)
    path.chmod(0o600)
    return server


async def ask_for_fault(path: Path, ask: Ask) -> str:
    """What the rehearsal did; raises NotRunning where there is none, BadInput with its reason."""
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(msgspec.json.encode(ask) + b"\n")
            told = msgspec.json.decode(await reader.readline(), type=Answer)
            writer.close()
    except (OSError, TimeoutError, msgspec.DecodeError) as error:
        raise NotRunning("no rehearsal runs in this home folder", remedy="alliage up --fleet FILE") from error
    if told.error:
        raise BadInput(told.error, remedy=told.remedy)
    return told.done


def _answered(line: bytes, suffer: Callable[[Ask], str]) -> Answer:
    try:
        return Answer(done=suffer(msgspec.json.decode(line, type=Ask)))
    except msgspec.DecodeError as error:
        return Answer(error=f"this is no ask: {error}", remedy="alliage rehearse --help")
    except AlliageError as error:
        return Answer(error=error.message, remedy=error.remedy or "")
