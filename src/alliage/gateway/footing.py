"""On what footing a key asks for a service: all that holds for its requests there as long as the table stands, looked up once.

What comes over the line is copied into plain slots: a look into it costs a request more than what is looked for.
"""

from collections.abc import Sequence

from alliage.decide.routing.habits import Habits
from alliage.fleet.charges import Rates
from alliage.fleet.limits import Priority
from alliage.fleet.routing import KeyEntry, Route, Upstream
from alliage.gateway.allowances import Allowance
from alliage.gateway.books.naming import Naming
from alliage.gateway.endpoints import Endpoint
from alliage.gateway.stats import ServiceStats, Stats
from alliage.gateway.sums import Meter


class Footing:
    """One key's at one service."""

    __slots__ = (
        "allowances", "asked", "habits", "has_scopes", "meter", "naming", "priority", "rates", "route", "service", "serving", "stats", "tenant", "who",
    )  # fmt: skip

    def __init__(
        self, who: KeyEntry, route: Route, allowances: tuple[Allowance, ...], stats: Stats, habits: Habits
    ) -> None:
        self.who = who
        self.route = route
        self.service: str = route.service
        self.tenant = who.tenant
        self.priority: Priority = who.priority
        self.has_scopes = bool(who.scopes)
        self.rates = Rates(route.price)
        self.allowances = allowances
        self.stats: ServiceStats = stats.of(route.service)
        self.meter = Meter(stats.parties.of(route.service, who.tenant), route.objective)
        self.naming = Naming(who, route.service)
        self.habits = habits
        self.asked: Endpoint | None = None
        """The endpoint that was asked last, where its model may be asked it; `serving` are those that serve it."""
        self.serving: Sequence[Upstream] = ()
