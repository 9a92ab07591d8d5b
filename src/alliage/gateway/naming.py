"""Whose request it is, and what it names: on what footing the key's holder asks for the service, or why not."""

from alliage.gateway import problems
from alliage.gateway.allowed import seen_by
from alliage.gateway.decoded import Ask
from alliage.gateway.door import Door
from alliage.gateway.footing import Footing
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request


def named(door: Door, request: Request, ask: Ask) -> Footing | Problem | None:
    """The footing; None while the gateway has no table yet. Who asks is kept in the request."""
    if request.entry is None or request.judged != door.tables:  # its key may have been revoked
        problem = door.judge(request)
        if problem is not None:
            return problem
    who = request.entry
    if who is None or door.table is None:
        return None
    footing = door.admission.footing(who, ask.model)
    if footing is None:
        return problems.unknown_model(ask.model, (each.service for each in seen_by(door.table, who)))
    return footing
