"""Which models a key may see. Pure; asked where models are listed or named in an error, not for each request."""

from collections.abc import Iterator

from alliage.fleet.routing import KeyEntry, Route, RoutingTable


def seen_by(table: RoutingTable, who: KeyEntry | None) -> Iterator[Route]:
    """The routes that none of the limits that hold for a key leaves out, in the table's order."""
    limits = [table.limits[scope] for scope in (() if who is None else who.scopes) if scope in table.limits]
    named = [limit.models for limit in limits if limit.models is not None]
    return (route for route in table.routes.values() if all(route.service in models for models in named))
