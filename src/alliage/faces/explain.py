"""What `explain` says of a service: how it stands, why it stands there, and what happened since. Words only."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.draining import movers
from alliage.decide.reasons import Decision, Outcome
from alliage.faces.reasons import describe, headline, why
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import ABED, ReplicaPhase, ServicePhase
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView
from alliage.units import format_bytes

_LATER_MAX: Final = 5
_PHASES: Final = {
    ReplicaPhase.BACKOFF: "waiting before its next start",
    ReplicaPhase.BOUND: "about to start",
    ReplicaPhase.RESTING: "ending its requests before it sleeps",
    ReplicaPhase.DOZING: "falling asleep",
}


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
    main = [each for each in decisions if each.outcome in (Outcome.PLACED, Outcome.REFUSED, Outcome.SHORT)]
    newest = [each for each in main if each.at_s == main[0].at_s]
    if leaving := _leaving(name, view, is_refused=bool(newest) and newest[0].outcome is Outcome.REFUSED):
        parts[0] = "\n".join([parts[0], *leaving])
    verb = "runs" if service is not None else "ran"
    parts += [describe(each, view=view, catalog=catalog, verb=verb) for each in reversed(newest)]
    if newest and (led := _led_to(newest, decisions)):
        parts.append("\n".join(["Just before that:", *(f"  - {_event(each, view, catalog)}" for each in led)]))
    later = decisions[: decisions.index(newest[0])] if newest else decisions
    if service is not None and (failed := failures(service, view)):
        parts.append(failed)
    if later := later[:_LATER_MAX]:
        parts.append("\n".join(["Since then:", *(f"  - {_event(each, view, catalog)}" for each in reversed(later))]))
    return "\n\n".join(parts)


def _led_to(newest: Sequence[Decision], decisions: Sequence[Decision]) -> list[Decision]:
    """What was stopped between the placement before and the newest one, the oldest first: a node that died, mostly."""
    before = decisions[decisions.index(newest[-1]) + 1 :]
    return list(reversed(list(takewhile(lambda each: each.outcome is Outcome.STOPPED, before))))[-_LATER_MAX:]


def standing(name: str, service: Service | None, replicas: Sequence[Replica], wanted: int) -> str:
    """How a service stands now, in one sentence, and a line for each replica that has something to say.

    `wanted` is how many it is to have.
    """
    if service is None:
        return f"{name} is not deployed; this is what was decided about it last."
    ready = sum(1 for replica in replicas if replica.phase is ReplicaPhase.READY)
    counted = f"{ready} of {wanted} {'replica' if wanted == 1 else 'replicas'} ready"
    if service.phase is ServicePhase.IDLE:
        does = "wakes" if any(replica.phase in ABED for replica in replicas) else "starts"
        counted = f"nobody asks for it, and the first request {does} a replica"
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
    lines = [f"  - {each.recipe.engine} on {each.node} ({each.recipe.chip}): {each.why}" for each in marks]
    return "\n".join(["Failed before, and left alone:", *lines, f"  To try it again, ask again with `{again} ...`."])


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
    phase = _PHASES.get(replica.phase, str(replica.phase))
    if replica.phase is ReplicaPhase.ASLEEP:
        phase += f" on {replica.node}, its weights in {format_bytes(replica.host_bytes)} of that node's memory"
    return f"{phase}: {replica.note}" if replica.note else phase


def _event(decision: Decision, view: FleetView, catalog: Catalog) -> str:
    when = datetime.fromtimestamp(decision.at_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"{when} {headline(decision, view=view, catalog=catalog)} Why: {why(decision) or 'not recorded'}."
