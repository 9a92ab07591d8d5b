"""Where the cloud of a home folder answers, and the key to use there. Reads files and the environment only."""

import os
from dataclasses import dataclass
from pathlib import Path

from alliage.app.defaults import ADMIN_PORT, HOST
from alliage.app.home import Home, read_running
from alliage.errors import BadInput, NotRunning, Unauthorized


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
    given = os.environ.get("ALLIAGE_KEY", "").strip()
    if running is None and not given:
        raise not_running(home)  # the key in the file is for the cloud of this home only, not for whoever listens now
    port = _port_from_environment() if running is None else running.admin_port
    return Place(home=home, admin_url=f"http://{HOST}:{port}", key=given or _key_in(home))


def not_running(home: Home) -> NotRunning:
    """The one sentence for it."""
    return NotRunning(f"no cloud runs in {home.root}", remedy="start it with `alliage up` (or name another --home)")


def _port_from_environment() -> int:
    text = os.environ.get("ALLIAGE_ADMIN_PORT", "") or str(ADMIN_PORT)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise BadInput(f"ALLIAGE_ADMIN_PORT is {text!r}", remedy="set it to a number from 1 to 65535, or unset it")
    return int(text)


def _key_in(home: Home) -> str:
    """What `alliage up` left in the home folder."""
    try:
        return home.admin_key.read_text().strip()
    except OSError as error:
        message = f"there is no key to ask with: {home.admin_key} cannot be read ({error.strerror})"
        raise Unauthorized(
            message, remedy="set ALLIAGE_KEY to a key, or run this as the user who ran `alliage up`"
        ) from error
