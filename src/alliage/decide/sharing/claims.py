"""Guarantees: a tenant below one has its jobs placed before the auction, up to it, where others' claims stay whole."""
# ruff: noqa: PLR0917 - one step's books are passed by position

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliage.decide.sharing.jobs import WAITS, Jobs, Tenant, Unmet


@dataclass(slots=True, kw_only=True)
class _Claim:
    """What is left of one guarantee, and the tenant's waiting jobs that could use it, the most wanted first."""

    tenant: int
    kinds: frozenset[int]
    left: int
    jobs: list[int]

    def demand(self, gangs: NDArray[np.int64]) -> int:
        """Devices it may still ask for."""
        return min(self.left, sum(int(gangs[job]) for job in self.jobs))


def serve_claims(
    jobs: Jobs,
    devices: NDArray[np.int64],
    tenants: tuple[Tenant, ...],
    held: NDArray[np.int64],
    values: NDArray[np.float64],
    prices: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Kinds of the jobs that are held or run by right; -1 for those left to the auction."""
    kinds = held.copy()
    if not any(tenant.guarantees for tenant in tenants):
        return kinds
    free = devices.copy()
    np.subtract.at(free, held[held != WAITS], jobs.gangs[held != WAITS])
    surplus = np.where(values > 0.0, values / jobs.gangs[:, np.newaxis] - prices, -np.inf)
    claims = _open_claims(jobs, tenants, kinds, surplus)
    groups = _join_groups(claim.kinds for claim in claims)
    while chosen := [(claim, job) for claim in claims for job in _choose(claim, jobs.gangs)]:
        chosen.sort(key=lambda pair: (-int(jobs.gangs[pair[1]]), -_best(surplus, pair[1], pair[0].kinds)))
        for claim, job in chosen:
            if job not in claim.jobs:
                continue
            kind = _find_kind(claim, job, claims, groups, free, jobs.gangs, surplus)
            _settle(claim, job, kind, claims, free, jobs.gangs, kinds)
    return kinds


def find_unmet(
    jobs: Jobs,
    tenants: tuple[Tenant, ...],
    held: NDArray[np.int64],
    kinds: NDArray[np.int64],
    values: NDArray[np.float64],
) -> tuple[Unmet, ...]:
    """Guarantees below which a tenant is though a waiting gang of its own would fit into what is missing."""
    unmet = []
    for tenant, guarantee in ((t, g) for t, each in enumerate(tenants) for g in each.guarantees):
        own = jobs.tenants == tenant
        group = sorted(guarantee.kinds)
        missing = guarantee.devices - int(jobs.gangs[own & np.isin(kinds, group)].sum())
        asking = own & (kinds == WAITS) & (values[:, group] > 0.0).any(axis=1) & (jobs.gangs <= missing)
        if asking.any():
            wanted = min(missing, int(jobs.gangs[asking].sum()))
            blocked = (~own & np.isin(held, group)).any()
            obstacle = "held" if blocked else "gang"
            unmet.append(Unmet(tenant=tenant, guarantee=guarantee, devices=wanted, obstacle=obstacle))
    return tuple(unmet)


def _open_claims(
    jobs: Jobs, tenants: tuple[Tenant, ...], kinds: NDArray[np.int64], surplus: NDArray[np.float64]
) -> list[_Claim]:
    """What each guarantee leaves after held jobs of its tenant, each of which counts towards one guarantee."""
    claims = []
    for tenant, each in enumerate(tenants):
        own = np.nonzero(jobs.tenants == tenant)[0]
        running = [int(job) for job in own if kinds[job] != WAITS]
        for guarantee in each.guarantees:
            counted = [job for job in running if kinds[job] in guarantee.kinds]
            running = [job for job in running if job not in counted]
            left = guarantee.devices - sum(int(jobs.gangs[job]) for job in counted)
            waiting = [
                job for job in own.tolist() if kinds[job] == WAITS and _best(surplus, job, guarantee.kinds) > -np.inf
            ]
            waiting.sort(key=lambda job, of=guarantee.kinds: -_best(surplus, job, of))  # type: ignore[misc]
            claims.append(_Claim(tenant=tenant, kinds=guarantee.kinds, left=left, jobs=waiting))
    return claims


def _choose(claim: _Claim, gangs: NDArray[np.int64]) -> list[int]:
    """The jobs that fill what is left of the claim, most wanted first; those that can never fit are dropped."""
    claim.jobs = [job for job in claim.jobs if gangs[job] <= claim.left]
    chosen, left = [], claim.left
    for job in claim.jobs:
        if gangs[job] <= left:
            chosen.append(job)
            left -= int(gangs[job])
    return chosen


def _find_kind(
    claim: _Claim,
    job: int,
    claims: list[_Claim],
    groups: tuple[frozenset[int], ...],
    free: NDArray[np.int64],
    gangs: NDArray[np.int64],
    surplus: NDArray[np.float64],
) -> int:
    """The kind of most surplus where the gang fits and all other claims can still be met; -1 where there is none."""
    for kind in sorted(claim.kinds, key=lambda each: (-surplus[job, each], each)):
        if surplus[job, kind] == -np.inf or free[kind] < gangs[job]:
            continue
        touched = (group for group in groups if kind in group and not claim.kinds <= group)
        if all(_spare(group, claims, free, gangs) >= gangs[job] for group in touched):
            return kind
    return WAITS


def _spare(group: frozenset[int], claims: list[_Claim], free: NDArray[np.int64], gangs: NDArray[np.int64]) -> int:
    """Free devices of a group of kinds beyond what is claimed inside it (Hall's condition)."""
    claimed = sum(claim.demand(gangs) for claim in claims if claim.kinds <= group)
    return int(free[sorted(group)].sum()) - claimed


def _settle(
    claim: _Claim,
    job: int,
    kind: int,
    claims: list[_Claim],
    free: NDArray[np.int64],
    gangs: NDArray[np.int64],
    kinds: NDArray[np.int64],
) -> None:
    """Book the job on `kind`, or drop it from this claim where there is none."""
    if kind == WAITS:
        claim.jobs.remove(job)
        return
    kinds[job] = kind
    free[kind] -= gangs[job]
    claim.left -= int(gangs[job])
    for each in claims:
        if each.tenant == claim.tenant and job in each.jobs:
            each.jobs.remove(job)


def _best(surplus: NDArray[np.float64], job: int, kinds: frozenset[int]) -> float:
    """The most surplus a device of the group gives the job."""
    return max((float(surplus[job, kind]) for kind in kinds), default=-np.inf)


def _join_groups(groups: Iterable[frozenset[int]]) -> tuple[frozenset[int], ...]:
    """The groups and all unions of overlapping ones: where Hall's condition can fail."""
    joined = set(groups)
    while more := {a | b for a in joined for b in joined if a & b and a | b not in joined}:
        joined |= more
    return tuple(sorted(joined, key=sorted))
