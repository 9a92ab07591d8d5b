"""Changes of a problem as values, and the problem that comes of them: what an explanation names, and a test applies."""

from dataclasses import dataclass, replace
from typing import assert_never

from alliage.decide.solve.problem import JobAsk, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNodes:
    """So many more nodes in a pool; negative takes them away."""

    pool: str
    nodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowSite:
    """A work's residency allows one site more."""

    work: str
    site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBudget:
    """A tenant's budget an hour."""

    tenant: str
    budget_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReplicasMax:
    """The most replicas of a service."""

    work: str
    max_replicas: int


Change = AddNodes | AllowSite | SetBudget | SetReplicasMax


def apply(problem: Problem, change: Change) -> Problem:
    """The problem with the change made."""
    match change:
        case AddNodes():
            pools = tuple(
                replace(pool, nodes=max(0, pool.nodes + change.nodes)) if pool.name == change.pool else pool
                for pool in problem.pools
            )
            return replace(problem, pools=pools)
        case SetBudget():
            tenants = tuple(
                replace(tenant, budget_micros=change.budget_micros) if tenant.name == change.tenant else tenant
                for tenant in problem.tenants
            )
            return replace(problem, tenants=tenants)
        case AllowSite() | SetReplicasMax():
            return _with_work(problem, change)
        case _:
            assert_never(change)


def _with_work(problem: Problem, change: AllowSite | SetReplicasMax) -> Problem:
    services = list(problem.services)
    jobs = list(problem.jobs)
    for index, service in enumerate(services):
        if service.name == change.work:
            if isinstance(change, AllowSite):
                services[index] = replace(service, residency=service.residency | {change.site})
            else:
                services[index] = replace(service, max_replicas=change.max_replicas)
    for index, job in enumerate(jobs):
        if isinstance(change, AllowSite) and job.name == change.work:
            jobs[index] = _allowed(job, change.site)
    return replace(problem, services=tuple(services), jobs=tuple(jobs))


def _allowed(job: JobAsk, site: str) -> JobAsk:
    return replace(job, residency=job.residency | {site})
