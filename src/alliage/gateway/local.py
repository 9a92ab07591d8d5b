"""What the gateway answers by itself: health, metrics and the list of models. From the door's state, no relaying."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry, Route
from alliage.gateway import problems, wire
from alliage.gateway.allowed import seen_by
from alliage.gateway.door import Door
from alliage.gateway.endpoints import Action, Endpoint
from alliage.gateway.exposition import CONTENT_TYPE
from alliage.gateway.metrics import exposition
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request, model_named
from alliage.gateway.siblings import together

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
        return CONTENT_TYPE, _metrics(door, request.entry)
    routes = {str(route.service): route for route in seen_by(table, request.entry)}
    form = _anthropic_model if request.is_anthropic else _model
    if endpoint.action is Action.MODELS:
        data = [form(route) for route in routes.values()]
        if not request.is_anthropic:
            return wire.JSON, _encode({"object": "list", "data": data})
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
        return wire.JSON, _encode({"data": data, "has_more": False, **ends})
    name = model_named(request.path)
    found = routes.get(name)
    return problems.unknown_model(name, routes) if found is None else (wire.JSON, _encode(form(found)))


def _metrics(door: Door, who: KeyEntry | None) -> bytes:
    """To an admin those of all gateway processes; to another one this one's, without other tenants'."""
    if who is None or who.role is not Role.ADMIN:
        return exposition(door, "" if who is None else who.tenant)
    if door.siblings is None:
        return exposition(door)
    others = door.siblings.others()
    door.siblings.ask()
    own = exposition(door)
    return together((own, *others)) if others else own


def _model(route: Route) -> dict[str, str | int]:
    return {"id": route.service, "object": "model", "created": route.created_s, "owned_by": "alliage"}


def _anthropic_model(route: Route) -> dict[str, str | int]:
    """As Anthropic's documentation, Models, has it: all on one page."""
    created = datetime.fromtimestamp(route.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = route.service
    return {"type": "model", "id": name, "display_name": name, "created_at": created, "lifecycle": "active"}
