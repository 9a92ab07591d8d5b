"""The commands that read: ask, then print a table or, with `--json`, what the API answered."""

import time
from collections.abc import Iterator
from pathlib import Path

from alliage.errors import NotFound
from alliage.faces.admin import answers
from alliage.faces.cli import tables
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import pour, remark, show, show_json, show_value


def status(home: Path, *, as_json: bool) -> None:
    """Everything in one."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("status")
    if as_json:
        show_json(raw)
        return
    seen, now_s = parse(answers.StatusAnswer, raw), time.time()
    show("\n".join(tables.status_lines(seen)))
    for table in (
        tables.nodes_table(seen.nodes),
        tables.services_table(seen.services, now_s=now_s),
        tables.replicas_table(seen.replicas, now_s=now_s),
    ):
        if table.row_count:
            show("", table)
    for note in tables.service_notes(each for each in seen.services if each.phase == "idle"):
        remark(note)


def services(home: Path, *, as_json: bool) -> None:
    """All services, and why those that are not ready are not."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("services")
    if as_json:
        show_json(raw)
        return
    found = parse(answers.ServicesAnswer, raw).services
    if not found:
        remark("no services; deploy one: alliage deploy smollm2-135m")
        return
    show(tables.services_table(found, now_s=time.time()))
    for note in tables.service_notes(found):
        remark(note)


def replicas(home: Path, *, as_json: bool) -> None:
    """All replicas."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("replicas")
    if as_json:
        show_json(raw)
        return
    found = parse(answers.ReplicasAnswer, raw).replicas
    if found:
        show(tables.replicas_table(found, now_s=time.time()))
    else:
        remark("no replicas")


def nodes(home: Path, *, as_json: bool) -> None:
    """All nodes and their devices."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("nodes")
    if as_json:
        show_json(raw)
        return
    found = parse(answers.NodesAnswer, raw).nodes
    if found:
        show(tables.nodes_table(found))
    else:
        remark("no node has joined yet")


def models(home: Path, *, as_json: bool) -> None:
    """The catalogue's models."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("models")
    if as_json:
        show_json(raw)
    else:
        show(tables.models_table(parse(answers.ModelsAnswer, raw).models))


def explain(home: Path, service: str, *, as_json: bool) -> None:
    """Why a service is as it is."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("services", service, "explain")
    if as_json:
        show_json(raw)
    else:
        show(parse(answers.ExplainAnswer, raw).text)


def history(home: Path, subject: str, *, as_json: bool) -> None:
    """What happened to a node, service or replica."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("history", subject)
    if as_json:
        show_json(raw)
        return
    seen = parse(answers.HistoryAnswer, raw).observations
    if seen:
        show(tables.history_table(seen, now_s=time.time()))
    else:
        remark(f"nothing is recorded about {subject}")


def logs(home: Path, replica: str, *, lines: int, follow: bool, as_json: bool) -> None:
    """A replica's log; the name of a service stands for its newest replica.

    As JSON: one object with the whole text, or one for each line while it is followed.
    """
    with AdminClient(find_place(home)) as client:
        name = _replica_named(client, replica)
        pieces = client.stream("replicas", name, "logs", lines=lines, follow=str(follow).lower())
        try:
            if as_json and not follow:
                show_value({"replica": name, "text": "".join(pieces)}, indent=2)
            elif as_json:
                for line in _lines(pieces):
                    show_value({"replica": name, "text": line})
            else:
                for piece in pieces:
                    pour(piece)
        except KeyboardInterrupt:
            remark("")


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    """Whole lines as they come, without their ends; at last what is left of one."""
    begun = ""
    for piece in pieces:
        *whole, begun = (begun + piece).split("\n")
        yield from whole
    if begun:
        yield begun


def _replica_named(client: AdminClient, name: str) -> str:
    found = parse(answers.ReplicasAnswer, client.get("replicas")).replicas
    if any(each.id == name for each in found):
        return name
    of_service = [each.id for each in found if each.service == name]
    if not of_service:
        known = ", ".join(each.id for each in found) or "none"
        raise NotFound(f"there is no replica {name!r}", remedy=f"replicas: {known}")
    remark(f"-- {of_service[-1]}")
    return of_service[-1]
