"""The one replica that an admin names for a request, and the endpoints of a route. Pure."""

from alliage.catalog.records import Task
from alliage.fleet.keys import Role
from alliage.fleet.routing import REPLICA_HEADER, KeyEntry, Route, Upstream
from alliage.gateway import problems
from alliage.gateway.problems import Problem


def only(route: Route, replica: str, who: KeyEntry | None) -> tuple[Problem | None, tuple[Upstream, ...]]:
    """The one replica that an admin asks for, or why not."""
    if who is None or who.role is not Role.ADMIN:
        return problems.admins_only(REPLICA_HEADER), ()
    found = tuple(each for each in route.upstreams if each.replica == replica)
    if found:
        return None, found
    return problems.no_such_replica(route.service, replica, (each.replica for each in route.upstreams)), ()


def paths(route: Route) -> list[str]:
    """The endpoints that a route's model answers."""
    return ["/v1/embeddings" if task is Task.EMBED else "/v1/chat/completions" for task in route.tasks]
