"""`alliage key`: asks, and tells in words and a table. A secret is printed where it is made, and nowhere else."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from alliage.errors import BadInput
from alliage.faces.admin.key_answers import KeyAnswer, KeyCreatedAnswer, KeysAnswer, KeySetAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.limits import NONE, OPTIONS, doubt_lines, limit_words
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json
from alliage.faces.cli.tables import ago, plain_table


def list_keys(home: Path, *, as_json: bool) -> None:
    """All keys."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("keys")
    show_json(raw) if as_json else show(keys_table(parse(KeysAnswer, raw).keys, now_s=time.time()))


def show_key(home: Path, key: str, *, as_json: bool) -> None:
    """One of them."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("keys", key)
    show_json(raw) if as_json else show("\n".join(key_lines(parse(KeyAnswer, raw))))


def create_key(home: Path, body: dict[str, Any], *, as_json: bool) -> None:
    """Print the new secret, and nothing else, on the output."""
    with AdminClient(find_place(home)) as client:
        raw = client.post("keys", body=body)
    if as_json:
        show_json(raw)
        return
    made = parse(KeyCreatedAnswer, raw)
    for line in key_lines(made.key):
        remark(line)
    if made.dry_run:
        remark("nothing was changed (--dry-run)")
        return
    remark("its secret is shown this once:")
    sys.stdout.write(made.secret + "\n")


def set_key(home: Path, key: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Change what the body names."""
    with AdminClient(find_place(home)) as client:
        raw = client.patch("keys", key, body=body)
    if as_json:
        show_json(raw)
        return
    answer = parse(KeySetAnswer, raw)
    show("\n".join(key_lines(answer.key)))
    if answer.dry_run:
        remark("nothing was changed (--dry-run)")


def revoke_key(home: Path, key: str, *, dry_run: bool, as_json: bool) -> None:
    """By name or id."""
    with AdminClient(find_place(home)) as client:
        raw = client.delete("keys", key, dry_run=str(dry_run).lower())
    if as_json:
        show_json(raw)
        return
    remark(f"key {parse(KeyAnswer, raw).name} {'would be' if dry_run else 'is'} revoked")
    if dry_run:
        remark("nothing was changed (--dry-run)")


def change_body(*, project: str | None, priority: str | None, limits: dict[str, Any]) -> dict[str, Any]:
    """The body for what was given; raises BadInput where nothing was."""
    body: dict[str, Any] = {}
    if project is not None:
        body["project"] = None if project == NONE else project
    if priority is not None:
        body["priority"] = priority
    if limits:
        body["limits"] = limits
    if not body:
        raise BadInput("set what?", remedy=f"give --project, --priority, {OPTIONS}")
    return body


def keys_table(keys: Sequence[KeyAnswer], *, now_s: float) -> Table:
    """Who may ask."""
    columns = ("KEY", "ID", "ROLE", "TENANT", "PROJECT", "PRIORITY", "LIMITS", "AGE")
    return plain_table(columns, (_cells(each, now_s) for each in keys))


def _cells(key: KeyAnswer, now_s: float) -> tuple[str, ...]:
    whose = (key.tenant, key.project or NONE, key.priority)
    return (key.name, key.id, key.role, *whose, limit_words(key.limits), ago(now_s - key.created_s))


def key_lines(key: KeyAnswer) -> list[str]:
    """One key in words; doubts last."""
    return [
        f"key {key.name} ({key.role}), id {key.id or NONE}",
        f"  tenant    {key.tenant}",
        f"  project   {key.project or NONE}",
        f"  priority  {key.priority}",
        f"  limits    {limit_words(key.limits)}",
        *doubt_lines(key.doubts),
    ]
