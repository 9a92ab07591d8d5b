"""What failed one request so far: whom it is not to be given to again, whether waiting may help, and what to say where not."""

from typing import Final

from alliage.engines.continuing import CONTINUES
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Route
from alliage.gateway import problems
from alliage.gateway.pools import Pool
from alliage.gateway.problems import Problem

_NOBODY: Final[frozenset[ReplicaId]] = frozenset()
_LOSSES_MAX: Final = 1
"""Replicas that may take a request and fail before the next one that does is the end: it may well be because of it."""
_SEAMS_MAX: Final = 8
"""Times that one answer may be given to another replica."""


class Failures:
    """Of one request. What listens under another key later is another engine, so a closed pool excludes nobody."""

    __slots__ = ("_pools", "losses", "seams", "why")

    def __init__(self) -> None:
        self._pools: dict[Pool, bool] | None = None
        self.why = ""
        """The last one's; "" for none."""
        self.losses = 0
        """Replicas that had it and did not begin to answer."""
        self.seams = 0
        """Replicas that were asked to go on with its answer."""

    @property
    def are_too_many(self) -> bool:
        """Whether nobody else is to be asked."""
        return self.losses > _LOSSES_MAX or self.seams >= _SEAMS_MAX

    def add(self, pool: Pool, *, until_reached: bool = False) -> None:
        """This one failed it; `until_reached`: it may be asked again once it accepts connections again."""
        if self._pools is None:
            self._pools = {}
        self._pools[pool] = until_reached

    def excluded(self) -> frozenset[ReplicaId]:
        """Who is not to be asked now."""
        if self._pools is None:
            return _NOBODY
        return frozenset(
            pool.replica
            for pool, until_reached in self._pools.items()
            if not pool.is_closed and (pool.has_failed or not until_reached)
        )

    def may_pass(self, route: Route) -> bool:
        """Whether one that failed it is gone or out of reach, so that waiting helps; not where it is well."""
        pools = self._pools or ()
        return any(bool(route.waiting) if pool.is_closed else pool.has_failed for pool in pools)

    def may_be_continued(self, route: Route) -> bool:
        """The same for an answer that has begun: engines of its kind can go on with it."""
        return self.may_pass(route) and any(pool.upstream.engine in CONTINUES for pool in self._pools or ())


def no_upstream(route: Route, failures: Failures, *, named: bool) -> Problem | None:
    """What to say where there is nobody to ask, None where waiting may help; `named`: only one replica would do."""
    if failures.why and (named or not failures.may_pass(route)):
        return problems.upstream_failed(route.service, failures.why)
    if route.refusal:
        return problems.not_ready(route.refusal, retry_after_s=30)
    if route.waiting or failures.why:
        return None
    return problems.not_ready(f"The service {route.service!r} has no running engine.")


def waited_for(route: Route | None, failures: Failures, hold_s: float) -> Problem:
    """What to say when waiting did not help; no route where there is no table yet."""
    if route is None:
        return problems.not_ready(f"This gateway has not heard from control yet; waited {hold_s:g} s.")
    if failures.why:
        return problems.upstream_failed(route.service, failures.why)
    return problems.not_ready(f"The service {route.service!r} is not ready: {route.waiting}; waited {hold_s:g} s.")
