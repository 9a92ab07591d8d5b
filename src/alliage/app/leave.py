"""How a process of ours is told to go: signals, and the leash that the supervisor holds."""

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import Final

EOF_LEAVE_S: Final = 4.5
"""A process whose supervisor died is gone after so long, whatever it was doing."""


@dataclass(slots=True, kw_only=True)
class Leave:
    """`stop`: go gracefully. `at_once`: go now. `orphaned`: the supervisor died, so engines are left to the next `up`."""

    stop: asyncio.Event
    at_once: asyncio.Event
    orphaned: bool = False


def leave_when_told(leash: int | None) -> Leave:
    """SIGTERM or SIGINT: go; a second one: now. End-of-file on the file descriptor `leash`: orphaned, go in 4.5 s."""
    loop = asyncio.get_running_loop()
    leave = Leave(stop=asyncio.Event(), at_once=asyncio.Event())

    def told() -> None:
        if leave.stop.is_set():
            leave.at_once.set()
        leave.stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    if leash is not None:
        _watch_leash(leash, leave)
    return leave


def _watch_leash(leash: int, leave: Leave) -> None:
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if os.read(leash, 1) == b"":
            loop.remove_reader(leash)
            leave.orphaned = True
            leave.stop.set()
            loop.call_later(EOF_LEAVE_S, os._exit, 0)

    os.set_blocking(leash, False)
    loop.add_reader(leash, readable)
