"""Whose request it is, and what it names: the key's holder and the route of the service, or why not."""

from alliage.fleet.routing import Route
from alliage.gateway import problems
from alliage.gateway.decoded import Ask
from alliage.gateway.door import Door
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request


def named_route(door: Door, request: Request, ask: Ask) -> Route | Problem | None:
    """The route; None while the gateway has no table yet. Who asks is kept in the request."""
    if request.entry is None:
        who = door.who(request.headers.get(b"authorization"))
        if isinstance(who, Problem):
            return who
        request.entry = who
    if door.table is None:
        return None
    route = door.table.routes.get(ask.model)  # type: ignore[call-overload]  # a text that may name a service
    return problems.unknown_model(ask.model, door.table.routes) if route is None else route
