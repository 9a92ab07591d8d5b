"""The small commands that change something: delete a service, create and revoke keys."""

import sys
from pathlib import Path

from alliage.faces.admin import answers
from alliage.faces.cli.client import AdminClient, parse
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


def create_key(home: Path, name: str, *, role: str, tenant: str, as_json: bool) -> None:
    """Print the new secret, and nothing else, on the output."""
    with AdminClient(find_place(home)) as client:
        raw = client.post("keys", body={"name": name, "role": role, "tenant": tenant})
    if as_json:
        show_json(raw)
        return
    made = parse(answers.KeyCreatedAnswer, raw)
    remark(f"key {made.key.name} ({made.key.role}, tenant {made.key.tenant}); its secret is shown this once:")
    sys.stdout.write(made.secret + "\n")


def revoke_key(home: Path, key: str, *, as_json: bool) -> None:
    """By name or id."""
    with AdminClient(find_place(home)) as client:
        raw = client.delete("keys", key)
    if as_json:
        show_json(raw)
    else:
        remark(f"key {parse(answers.KeyAnswer, raw).name} is revoked")


def _agreed(question: str) -> bool:
    sys.stderr.write(printable(f"{question} [y/N] "))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
