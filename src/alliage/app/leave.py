"""How a process of ours is told to go: signals, and the leash that the supervisor holds."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

EOF_LEAVE_S: Final = 4.5
"""A process whose supervisor died is gone after so long, whatever it was doing."""
REFUSED_EXIT: Final = 2
"""A process that ends with it will not run before somebody changes something: at the first start that is told at once."""
AT_ONCE: Final = signal.SIGUSR1
"""Go now; a signal of its own, because two of one kind may arrive as one."""


@dataclass(slots=True, kw_only=True)
class Leave:
    """`stop`: go gracefully. `at_once`: go now. `orphaned`: the supervisor died, so engines are left to the next `up`."""

    stop: asyncio.Event
    at_once: asyncio.Event
    orphaned: bool = False


def leave_when_told(leash: int | None) -> Leave:
    """SIGTERM or SIGINT: go. SIGUSR1: now. End-of-file on the file descriptor `leash`: orphaned, gone in 4.5 s."""
    loop = asyncio.get_running_loop()
    leave = Leave(stop=asyncio.Event(), at_once=asyncio.Event())

    def now() -> None:
        leave.at_once.set()
        leave.stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.stop.set)
    loop.add_signal_handler(AT_ONCE, now)
    if leash is not None:

        def orphaned() -> None:
            leave.orphaned = True
            leave.stop.set()

        threading.Thread(target=_watch_leash, args=(leash, loop, orphaned), name="leash", daemon=True).start()
    return leave


def _watch_leash(leash: int, loop: asyncio.AbstractEventLoop, orphaned: Callable[[], None]) -> None:
    """In a thread of its own, so that it works however busy the event loop is."""
    while os.read(leash, 1):
        pass
    loop.call_soon_threadsafe(orphaned)
    threading.Event().wait(EOF_LEAVE_S)
    os._exit(0)
