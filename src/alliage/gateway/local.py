"""What the gateway answers by itself: health, metrics and the list of models. From the door's state, no relaying."""

from typing import Final

import msgspec

from alliage.fleet.routing import Route
from alliage.gateway import problems, wire
from alliage.gateway.door import Door
from alliage.gateway.metrics import CONTENT_TYPE, exposition
from alliage.gateway.problems import Problem
from alliage.gateway.request import Action, Endpoint, Request, model_named

_encode: Final = msgspec.json.Encoder().encode


def answer_locally(door: Door, request: Request, endpoint: Endpoint) -> tuple[bytes, bytes] | Problem:
    """Content type and body, or a problem."""
    table = door.table
    if endpoint.action is Action.HEALTH:
        control = "connected" if door.control_connected else "away"
        version = None if table is None else table.version
        health = {"status": "ok", "table_version": version, "control": control}
        if (why := door.books.why_full) != "":
            health["usage"] = f"not written down: {why}"
        return wire.JSON, _encode(health)
    if table is None:
        return problems.not_ready("This gateway has not heard from control yet.", retry_after_s=1)
    if endpoint.action is Action.METRICS:
        return CONTENT_TYPE, exposition(door)
    if endpoint.action is Action.MODELS:
        return wire.JSON, _encode({"object": "list", "data": [_model(route) for route in table.routes.values()]})
    name = model_named(request.path)
    found = next((route for route in table.routes.values() if route.service == name), None)
    return problems.unknown_model(name, table.routes) if found is None else (wire.JSON, _encode(_model(found)))


def _model(route: Route) -> dict[str, str | int]:
    return {"id": route.service, "object": "model", "created": route.created_s, "owned_by": "alliage"}
