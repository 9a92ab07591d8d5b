"""`down`: asks the supervisor of a home folder to stop, and waits until it is gone."""

import os
import signal
import time
from pathlib import Path
from typing import Final

from alliage.app.home import Home, RunningUp, read_running
from alliage.errors import AlliageError
from alliage.faces.cli.place import home_of
from alliage.faces.cli.screen import remark, stderr
from alliage.units import format_seconds

POLL_S: Final = 0.1


def down(home: Path, *, now: bool, wait_s: float) -> None:
    """SIGINT, as Ctrl-C would: drain and stop. A second one (`now`) stops at once. Raises when it still runs then."""
    place = home_of(home)
    running = read_running(place)
    if running is None:
        remark(f"nothing runs in {place.root}")
        return
    _interrupt(running, times=2 if now else 1)
    remark(
        f"stopping the cloud of {place.root} (pid {running.pid})" + ("" if now else "; running requests finish first")
    )
    _wait_gone(place, running, wait_s)
    remark("stopped")


def _interrupt(running: RunningUp, *, times: int) -> None:
    """The identity (start time and boot) was checked a moment ago, so the pid is still the supervisor's."""
    try:
        for turn in range(times):
            if turn:
                time.sleep(POLL_S)
            os.kill(running.pid, signal.SIGINT)
    except ProcessLookupError:
        return
    except PermissionError as error:
        message = f"the cloud (pid {running.pid}) belongs to another user"
        raise AlliageError(message, remedy="run `alliage down` as the user who ran `alliage up`") from error


def _wait_gone(place: Home, running: RunningUp, wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    with stderr().status("waiting for it to stop"):
        while read_running(place) == running:
            if time.monotonic() > deadline_s:
                message = f"the cloud (pid {running.pid}) still runs after {format_seconds(wait_s)}"
                raise AlliageError(message, remedy="stop it at once with `alliage down --now`")
            time.sleep(POLL_S)
