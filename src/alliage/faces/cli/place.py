"""Where the cloud of a home folder answers, and the key to use there. Reads files and the environment only."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.app.home import Home, RunningUp, read_running
from alliage.errors import BadInput, NotRunning, Unauthorized

ADMIN_PORT: Final = 8001
_WILDCARDS: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, never bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The admin API of one home folder. `key` is a secret: it is sent, never shown."""

    home: Home
    admin_url: str
    key: str


def home_of(root: Path) -> Home:
    """The home folder at `root`; nothing is made."""
    return Home(root=root.expanduser().absolute())


def find_place(root: Path) -> Place:
    """Where to ask; raises NotRunning, or Unauthorized where there is no key to ask with."""
    home = home_of(root)
    running = read_running(home)
    if running is None and home.up_file.exists():
        raise not_running(home)
    return Place(home=home, admin_url=_admin_url(running), key=_key(home, running))


def not_running(home: Home) -> NotRunning:
    """The one sentence for it."""
    return NotRunning(f"no cloud runs in {home.root}", remedy="start it with `alliage up` (or name another --home)")


def _admin_url(running: RunningUp | None) -> str:
    if running is None:
        return f"http://127.0.0.1:{_port_from_environment()}"
    host = _WILDCARDS.get(running.host, running.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{running.admin_port}"


def _port_from_environment() -> int:
    text = os.environ.get("ALLIAGE_ADMIN_PORT", "") or str(ADMIN_PORT)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise BadInput(f"ALLIAGE_ADMIN_PORT is {text!r}", remedy="set it to a number from 1 to 65535, or unset it")
    return int(text)


def _key(home: Home, running: RunningUp | None) -> str:
    """ALLIAGE_KEY, else what `alliage up` left in the home folder."""
    given = os.environ.get("ALLIAGE_KEY", "").strip()
    if given:
        return given
    try:
        return home.admin_key.read_text().strip()
    except OSError as error:
        if running is None and isinstance(error, FileNotFoundError):
            raise not_running(home) from error
        message = f"there is no key to ask with: {home.admin_key} cannot be read ({error.strerror})"
        raise Unauthorized(
            message, remedy="set ALLIAGE_KEY to a key, or run this as the user who ran `alliage up`"
        ) from error
