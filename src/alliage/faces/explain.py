"""What `explain` says of a service: how it stands, why it stands there, and what happened since. Words only."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.draining import movers
from alliage.decide.reasons import Decision, Outcome
from alliage.faces.decisions import describe_all, headline, why
from alliage.faces.where import devices_words
from alliage.fleet.failed import Failed
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import ReplicaPhase, ServicePhase
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView

_LATER_MAX: Final = 5
_MAIN: Final = frozenset({Outcome.PLACED, Outcome.REFUSED, Outcome.SHORT, Outcome.WAITING})
"""The decisions that say how a service stands; the others are events."""


def explain(
    name: str,
    decisions: Sequence[Decision],
    *,
    view: FleetView,
    catalog: Catalog,
    wanted: Mapping[ServiceName, int],
) -> str:
    """The whole text for one service; `decisions` are the newest first, `wanted` is how many replicas services are to have."""
    service = next((known for known in view.services if known.name == name), None)
    parts = [standing(name, service, view.replicas_of(ServiceName(name)), wanted.get(ServiceName(name), 0))]
    main = [each for each in decisions if each.outcome in _MAIN]
    newest = [each for each in main if each.at_s == main[0].at_s]
    if leaving := _leaving(name, view, is_refused=bool(newest) and newest[0].outcome is Outcome.REFUSED):
        parts[0] = "\n".join([parts[0], *leaving])
    verb = "runs" if service is not None else "ran"
    if newest:
        parts.append(describe_all(tuple(reversed(newest)), view=view, catalog=catalog, verb=verb))
    if newest and (led := _led_to(newest, decisions)):
        parts.append("\n".join(["Just before that:", *_events(led, view, catalog)]))
    later = decisions[: decisions.index(newest[0])] if newest else decisions
    if service is not None and (failed := failures(service, view)):
        parts.append(failed)
    if later:
        parts.append("\n".join(["Since then:", *_events(list(reversed(later)), view, catalog)]))
    return "\n\n".join(parts)


def _led_to(newest: Sequence[Decision], decisions: Sequence[Decision]) -> list[Decision]:
    """What was stopped between the placement before and the newest one, the oldest first: a node that died, mostly."""
    before = decisions[decisions.index(newest[-1]) + 1 :]
    return list(reversed(list(takewhile(lambda each: each.outcome is Outcome.STOPPED, before))))


def standing(name: str, service: Service | None, replicas: Sequence[Replica], wanted: int) -> str:
    """How a service stands now, in one sentence, and a line for each replica that has something to say.

    `wanted` is how many it is to have.
    """
    if service is None:
        return f"{name} is not deployed; this is what was decided about it last."
    ready = sum(1 for replica in replicas if replica.phase is ReplicaPhase.READY)
    counted = f"{ready} of {wanted} {'replica' if wanted == 1 else 'replicas'} ready"
    if service.phase is ServicePhase.IDLE:
        counted = "nobody asks for it, and the first request starts a replica"
    state = "not served" if service.phase is ServicePhase.UNSERVED else str(service.phase)
    lines = [f"{name} is {state}: {counted}."]
    lines += [f"  {each.id} is {phase_words(each)}" for each in replicas if each.phase is not ReplicaPhase.READY]
    return "\n".join(lines)


def failures(service: Service, view: FleetView) -> str:
    """The recipes of the service's model that are not tried now, and how to have them tried again; "" for none."""
    marks = [each for each in view.failed if each.recipe.model == service.model.id]
    if not marks:
        return ""
    again = f"alliage deploy {service.model.id}"
    if service.name != service.model.id:
        again += f" --name {service.name}"
    alike: dict[tuple[str, str, str], list[Failed]] = {}
    for each in marks:
        alike.setdefault((each.recipe.engine, each.recipe.chip, each.why), []).append(each)
    lines = [f"  - {engine} on {chip} at {_at_nodes(group)}: {why}" for (engine, chip, why), group in alike.items()]
    return "\n".join(["Failed before, and left alone:", *lines, f"  To try it again, ask again with `{again} ...`."])


def _at_nodes(marks: Sequence[Failed]) -> str:
    """`h20-1, h20-2 (3 recipes)`."""
    nodes = list(dict.fromkeys(each.node for each in marks))
    recipes = len({each.recipe for each in marks})
    return ", ".join(nodes) + (f" ({recipes} recipes)" if recipes > 1 else "")


def _leaving(name: str, view: FleetView, *, is_refused: bool) -> list[str]:
    """A line for each replica that an admin wants elsewhere, and what it waits for."""
    until = "because one more replica can be placed nowhere else" if is_refused else "until its successor is ready"
    return [
        f"  {each.id} still serves on {each.node}, which is being drained, {until}"
        for each in movers(view)
        if each.service == name and each.phase is ReplicaPhase.READY
    ]


def phase_words(replica: Replica) -> str:
    """The phase of a replica, with its note where there is one."""
    words = {ReplicaPhase.BACKOFF: "waiting before its next start", ReplicaPhase.BOUND: "about to start"}
    phase = words.get(replica.phase, str(replica.phase))
    return f"{phase}: {replica.note}" if replica.note else phase


def _events(decisions: Sequence[Decision], view: FleetView, catalog: Catalog) -> list[str]:
    """A line for each of the last events, the oldest first; what happened at once to several replicas is one."""
    told: dict[tuple[float, Outcome, str], list[Decision]] = {}
    for each in decisions:
        told.setdefault((each.at_s, each.outcome, _reason_of_all(each)), []).append(each)
    return [f"  - {_event(group, view, catalog)}" for group in list(told.values())[-_LATER_MAX:]]


def _reason_of_all(decision: Decision) -> str:
    """Why, without whose replica it was."""
    replicas = {str(each.facts["replica"]) for each in decision.because if "replica" in each.facts}
    text = why(decision) or "not recorded"
    for replica in replicas:
        text = text.replace(replica, "it")
    return text


def _event(group: Sequence[Decision], view: FleetView, catalog: Catalog) -> str:
    first = group[0]
    when = datetime.fromtimestamp(first.at_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    said = f"{when} {headline(first, view=view, catalog=catalog)}"
    if len(group) == 1:
        return f"{said} Why: {why(first) or 'not recorded'}."
    places = ", ".join(devices_words(each.where) for each in group[1:])
    others = "So is one more" if len(group) == 2 else f"So are {len(group) - 1} more"
    return f"{said} {others}, on {places}. Why, of each: {_reason_of_all(first)}."
