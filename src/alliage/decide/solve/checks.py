"""Whether a problem makes sense: figures that no fleet has and names that nobody bears are refused by name."""

import math
from collections.abc import Iterable
from typing import Protocol

from alliage.decide.solve.answer import Budget
from alliage.decide.solve.problem import (
    MAGNITUDE_MAX,
    Guarantee,
    JobAsk,
    Pool,
    Problem,
    Running,
    ServiceAsk,
    Tenant,
    Way,
)
from alliage.errors import BadInput

COUNT_MAX = 10**9


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def check(problem: Problem) -> None:
    """Raise BadInput naming the thing, the field and the value, where a figure or a name cannot be."""
    _unique("site", problem.sites)
    _unique("pool", problem.pools)
    _unique("tenant", problem.tenants)
    _unique("service or job", problem.works)
    sites = {site.name for site in problem.sites}
    tenants = {tenant.name for tenant in problem.tenants}
    for pool in problem.pools:
        _pool(pool, sites)
    for tenant in problem.tenants:
        _tenant(tenant, sites)
    for work in problem.works:
        _known(f"tenant of {work.name}", work.tenant, tenants)
        _work(work)
    _running(problem)
    _number("the plan", "horizon_s", problem.horizon_s, least=1.0)


def check_budget(budget: Budget) -> None:
    """Raise BadInput naming the field and the value, where a budget cannot be."""
    _count("the budget", "work", budget.work)
    _count("the budget", "seed", budget.seed)
    _number("the budget", "gap", budget.gap)
    if budget.wall_s is not None:
        _number("the budget", "wall_s", budget.wall_s)


def _pool(pool: Pool, sites: set[str]) -> None:
    where = f"pool {pool.name}"
    _known(f"site of {where}", pool.site, sites)
    _count(where, "node_devices", pool.node_devices, least=1)
    _count(where, "nodes", pool.nodes)
    _number(where, "price_micros", pool.price_micros)


def _tenant(tenant: Tenant, sites: set[str]) -> None:
    where = f"tenant {tenant.name}"
    _count(where, "tier", tenant.tier)
    _number(where, "weight", tenant.weight, least=1e-6)
    if tenant.weight > 1e6:
        raise BadInput(f"weight of {where} is {tenant.weight:g}", remedy="write one of a million at most")
    if tenant.budget_micros is not None:
        _number(where, "budget_micros", tenant.budget_micros)
    for guarantee in tenant.guarantees:
        _guarantee(guarantee, where, sites)


def _guarantee(guarantee: Guarantee, where: str, sites: set[str]) -> None:
    _count(f"a guarantee of {where}", "devices", guarantee.devices)
    if guarantee.site:
        _known(f"site of a guarantee of {where}", guarantee.site, sites)
    if not guarantee.chips:
        raise BadInput(f"a guarantee of {where} names no chip", remedy="name one at least")


def _work(work: ServiceAsk | JobAsk) -> None:
    _unique(f"way of {work.name}", work.ways)
    for way in work.ways:
        _way(way, f"way {way.name} of {work.name}")
    _number(work.name, "start_micros", work.start_micros)
    if work.value_micros is not None:
        _number(work.name, "value_micros", work.value_micros)
    if isinstance(work, ServiceAsk):
        _number(work.name, "demand_rps", work.demand_rps)
        _count(work.name, "min_replicas", work.min_replicas)
        _count(work.name, "max_replicas", work.max_replicas)
        if work.max_replicas < work.min_replicas:
            message = f"max_replicas of {work.name} is {work.max_replicas}, its min_replicas {work.min_replicas}"
            raise BadInput(message, remedy="let the most be at least the least")
    else:
        _count(work.name, "count", work.count)
        _number(work.name, "remaining", work.remaining)
        if work.deadline_s is not None:
            _number(work.name, "deadline_s", work.deadline_s)


def _way(way: Way, where: str) -> None:
    _count(where, "devices", way.devices, least=1)
    if way.rate is not None:
        _number(where, "rate", way.rate)


def _running(problem: Problem) -> None:
    pools = {pool.name for pool in problem.pools}
    works = {work.name for work in problem.works}
    for running in problem.running:
        where = f"what runs of {running.work}"
        _known("work that runs", running.work, works)
        _known(f"pool of {where}", running.pool, pools)
        _count(where, "count", running.count)
        _count(where, "held", running.held)
        if running.held > running.count:
            raise BadInput(f"held of {where} is {running.held} of {running.count}", remedy="hold no more than run")
    _unique_runs(problem.running)


def _unique_runs(running: Iterable[Running]) -> None:
    seen: set[tuple[str, str, str]] = set()
    for each in running:
        key = (each.work, each.way, each.pool)
        if key in seen:
            raise BadInput(f"{each.work} runs by {each.way} in {each.pool} twice", remedy="add the counts up")
        seen.add(key)


def _unique(kind: str, things: Iterable[_Named]) -> None:
    seen: set[str] = set()
    for thing in things:
        if not thing.name:
            raise BadInput(f"a {kind} has no name", remedy="give it one")
        if thing.name in seen:
            raise BadInput(f"{kind} {thing.name} is there twice", remedy="give each a name of its own")
        seen.add(thing.name)


def _known(what: str, name: str, known: set[str]) -> None:
    if name not in known:
        names = ", ".join(sorted(known)[:8]) or "none"
        raise BadInput(f"{what} is {name!r}, which is not known", remedy=f"known: {names}")


def _number(where: str, name: str, value: float, *, least: float = 0.0) -> None:
    if not math.isfinite(value) or not least <= value <= MAGNITUDE_MAX:
        shown = f"from {least:g} to {MAGNITUDE_MAX:g}"
        raise BadInput(f"{name} of {where} is {value!r}", remedy=f"write a number {shown}")


def _count(where: str, name: str, value: int, *, least: int = 0) -> None:
    if not (math.isfinite(value) and least <= value <= COUNT_MAX) or value != int(value):
        raise BadInput(f"{name} of {where} is {value!r}", remedy=f"write a whole number from {least} to {COUNT_MAX}")
