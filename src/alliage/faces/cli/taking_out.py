"""The commands about nodes and devices that are taken out: ask, print, and follow a drain to its end."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alliage.errors import AlliageError, BadInput, NotFound, NotRunning, Unavailable
from alliage.faces.admin import answers
from alliage.faces.admin.node_answers import (
    DevicesAnswer,
    MoveAnswer,
    NodeChangedAnswer,
    NodeForgottenAnswer,
    NodeInFullAnswer,
)
from alliage.faces.cli import tables
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json, show_value
from alliage.units import format_seconds

POLL_S: Final = 0.5
LOST_S_MAX: Final = 60.0
"""So long the API may be away while a drain is followed; it goes on by itself."""
_SAID: Final = {
    "cordon": "is cordoned: nothing new is placed there, what runs stays",
    "uncordon": "is open: it takes new work",
    "drain": "is being drained",
}


def show_node(home: Path, node: str, *, as_json: bool) -> None:
    """One node: its devices, what runs there, what each replica waits for."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("nodes", node)
    if as_json:
        show_json(raw)
        return
    seen = parse(NodeInFullAnswer, raw)
    show(tables.nodes_table((seen,)), "", f"replicas: {', '.join(seen.replicas) or 'none'}")
    for move in seen.moves:
        show(move.text)


def devices(home: Path, node: str | None, *, as_json: bool) -> None:
    """All devices, or those of one node."""
    with AdminClient(find_place(home)) as client:
        found = parse(DevicesAnswer, client.get("devices")).devices
        nodes = tuple(each.id for each in parse(answers.NodesAnswer, client.get("nodes")).nodes)
    if node is not None and node not in nodes:
        raise NotFound(f"there is no node {node!r}", remedy=f"nodes: {', '.join(nodes) or 'none'}")
    kept = tuple(each for each in found if node is None or each.id.rpartition("/")[0] == node)
    if as_json:
        show_value(DevicesAnswer(devices=kept).model_dump(mode="json"), indent=2)
    elif kept:
        show(tables.devices_table(kept))
    else:
        remark("no devices")


def say(home: Path, name: str, word: str, *, dry_run: bool, as_json: bool, is_device: bool = False) -> None:
    """Cordon or uncordon a node or device."""
    with AdminClient(find_place(home)) as client:
        raw = client.post(*_path(name, is_device=is_device), word, body={}, dry_run=str(dry_run).lower())
    if as_json:
        show_json(raw)
        return
    remark(f"{name} {'would be as follows: it ' if dry_run else ''}{_SAID[word]}")
    made = parse(NodeChangedAnswer, raw).node
    still = [each for each in made.cordoned_devices if not is_device]
    if word == "uncordon" and still:
        remark(f"cordoned one by one, and still so: {', '.join(still)}")
    if word == "uncordon" and is_device and made.cordoned:
        remark(f"its node {made.id} is cordoned as a whole; open it with `alliage node uncordon {made.id}`")
    if dry_run:
        remark("nothing was changed (--dry-run)")


def drain(home: Path, name: str, *, dry_run: bool, wait_s: float, as_json: bool, is_device: bool = False) -> int:
    """Drain a node or device: say what moves where, then follow it. The exit code: 1 where something stays."""
    with AdminClient(find_place(home)) as client:
        raw = client.post(*_path(name, is_device=is_device), "drain", body={}, dry_run=str(dry_run).lower())
        if as_json:
            show_json(raw)
            return 0
        answer = parse(NodeChangedAnswer, raw)
        for move in answer.moves:
            show(move.text)
        if not answer.moves:
            remark(f"nothing runs on {name} that would have to move")
        if dry_run:
            remark("nothing was changed (--dry-run)")
            return 1 if any(move.stuck for move in answer.moves) else 0
        remark(f"{name} {_SAID['drain']}")
        return _follow(client, answer.node.id, name, wait_s) if wait_s else 0


def forget(home: Path, node: str, *, dry_run: bool, as_json: bool) -> None:
    """Drop a node for good."""
    with AdminClient(find_place(home)) as client:
        raw = client.delete("nodes", node, dry_run=str(dry_run).lower())
    if as_json:
        show_json(raw)
        return
    answer = parse(NodeForgottenAnswer, raw)
    remark(f"node {answer.node} {'would be' if answer.dry_run else 'is'} forgotten")


def _path(name: str, *, is_device: bool) -> tuple[str, ...]:
    if not is_device:
        return ("nodes", name)
    node, slash, device = name.rpartition("/")
    if not slash:
        raise BadInput(f"{name!r} is no device", remedy="write NODE/DEVICE, as `alliage device list` does")
    return ("devices", node, device)


def _follow(client: AdminClient, node: str, name: str, wait_s: float) -> int:
    """Until nothing is left that has to move (0), or what is left can go nowhere (1); raises AlliageError after `wait_s`."""
    deadline_s = heard_s = time.monotonic()
    deadline_s += wait_s
    told: dict[str, str] = {}
    try:
        while time.monotonic() < deadline_s:
            try:
                seen = parse(NodeInFullAnswer, client.get("nodes", node))
                heard_s = time.monotonic()
            except (NotRunning, Unavailable):
                if time.monotonic() - heard_s > LOST_S_MAX:
                    raise
                time.sleep(POLL_S)
                continue
            if not (leaving := _leaving(seen, name)):
                remark(f"{name} is empty")
                return 0
            told = _tell_news(leaving, seen.moves, told)
            if seen.moves and len(seen.moves) == len(leaving) and all(move.stuck for move in seen.moves):
                remark(f"{name} goes on draining: what stays moves as soon as there is room elsewhere")
                return 1
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        remark(f"\n{name} goes on draining without you; `alliage node show {node}` shows it")
        return 130
    remedy = f"it goes on in the background; see `alliage node show {node}`"
    raise AlliageError(f"{name} is not empty after {format_seconds(wait_s)}", remedy=remedy)


def _leaving(seen: NodeInFullAnswer, name: str) -> tuple[str, ...]:
    """The replicas that are still to go; of a device only those that have yet to begin, which is all that is known."""
    return seen.replicas if name == seen.id else tuple(move.replica for move in seen.moves)


def _tell_news(leaving: Sequence[str], moves: Sequence[MoveAnswer], told: dict[str, str]) -> dict[str, str]:
    """A line for each replica whose words changed."""
    texts = {each: f"{each} finishes its requests" for each in leaving} | {each.replica: each.text for each in moves}
    for replica, text in texts.items():
        if told.get(replica) != text:
            remark(text)
    return texts
