"""Who may answer a request: those that serve its endpoint, or the one replica that an admin names; and the endpoints of a route."""

from collections.abc import Sequence

from alliage.catalog.records import Task
from alliage.fleet.keys import Role
from alliage.fleet.routing import REPLICA_HEADER, KeyEntry, Route, Upstream
from alliage.gateway import problems
from alliage.gateway.door import Door
from alliage.gateway.endpoints import Endpoint
from alliage.gateway.footing import Footing
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request


def candidates(door: Door, footing: Footing, endpoint: Endpoint, request: Request) -> Sequence[Upstream] | Problem:
    """Whom to choose among, those that can be reached before others; empty while nothing runs. Or why nobody is asked."""
    route = footing.route
    if footing.asked is not endpoint:
        serving = door.serving.among(route.upstreams, endpoint)
        if route.upstreams and not serving:
            return door.serving.refusal(route.service, route.upstreams, endpoint)
        footing.asked, footing.serving = endpoint, serving
    serving = footing.serving
    chosen = request.replica
    if chosen is None:
        return door.reach.preferred(serving) if door.reach.unreachable else serving
    problem, upstreams = only(route, chosen.decode("latin-1"), request.entry)
    if problem is not None:
        return problem
    return upstreams if upstreams[0] in serving else door.serving.refusal(route.service, upstreams, endpoint)


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
