"""The small command that takes something away: delete a service."""

import sys
from pathlib import Path

from alliage.faces.cli.client import AdminClient
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show_json
from alliage.faces.telling import printable


def delete(home: Path, service: str, *, yes: bool, as_json: bool) -> bool:
    """Mark a service for deletion; asks first on a terminal. False when the answer was no."""
    with AdminClient(find_place(home)) as client:
        client.get("services", service)
        if not yes and sys.stdin.isatty() and not _agreed(f"delete {service}? its running requests finish first"):
            remark("nothing was deleted")
            return False
        raw = client.delete("services", service)
    if as_json:
        show_json(raw)
    else:
        remark(f"{service} is being deleted: its replicas finish their requests, then stop")
    return True


def _agreed(question: str) -> bool:
    sys.stderr.write(printable(f"{question} [y/N] "))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
