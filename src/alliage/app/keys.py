"""The first keys: an admin key and a user key whose secrets lie in 0600 files of the home folder."""

import secrets
from pathlib import Path

from alliage.app.home import Home, write_private
from alliage.control.desk import Desk
from alliage.control.keys import SECRET_PREFIX
from alliage.fleet.keys import Role


def new_secret() -> str:
    """256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def ensure_keys(desk: Desk, home: Home) -> None:
    """Make both where the store has no key at all; a key that was revoked never comes back by itself.

    The files come first, so that a kill in between leaves files that are admitted next time.
    """
    if desk.view().keys:
        return
    made = {"admin": (Role.ADMIN, _secret_in(home.admin_key)), "user": (Role.USER, _secret_in(home.user_key))}
    desk.registry.admit_first_keys(made)


def _secret_in(path: Path) -> str:
    if not path.exists():
        write_private(path, SECRET_PREFIX + new_secret() + "\n")
    return path.read_text().strip()
