"""One round of sharing: held jobs stay, guarantees are served, then the auction decides; every gang whole or absent."""

import numpy as np
from numpy.typing import NDArray

from alliage.decide.price.auction import Prices, find_prices
from alliage.decide.price.compiling import kernels
from alliage.decide.sharing.claims import find_unmet, serve_claims
from alliage.decide.sharing.jobs import WAITS, Jobs, Shares, Tenant, check
from alliage.decide.sharing.values import STANDARD, Rule, value_jobs

ANYONE = (Tenant(),)


def share(
    jobs: Jobs,
    devices: NDArray[np.int64],
    *,
    tenants: tuple[Tenant, ...] = ANYONE,
    rule: Rule = STANDARD,
    values: NDArray[np.float64] | None = None,
    start: NDArray[np.float64] | None = None,
    compiled: bool = True,
) -> Shares:
    """Who runs on which kind this round. `devices` by kind; `start` is last round's prices, to be quick.

    `values` (jobs x kinds) replaces what `value_jobs` says. No gang is split, nothing that fits waits, and a tenant
    below a guarantee comes before whoever borrows there. Ties go to the job, then the kind, that stands first.
    """
    check(jobs, devices, tenants, compiled=compiled)
    values = value_jobs(jobs, devices, tenants, rule, compiled=compiled) if values is None else values
    prices = find_prices(values=values, gangs=jobs.gangs, devices=devices, start=start, compiled=compiled)
    held = _hold(jobs, devices, rule)
    kinds = serve_claims(jobs, devices, tenants, held, values, prices.by_kind)
    given = kinds != WAITS
    free = devices - count_devices(jobs.gangs, kinds, len(devices))
    if given.any():
        market = find_prices(
            values=values[~given], gangs=jobs.gangs[~given], devices=free, start=prices.by_kind, compiled=compiled
        )
    else:
        market = prices
    kinds[~given] = _round(values[~given], jobs.gangs[~given], free, market, rule.swaps, compiled=compiled)
    run = kernels("alliage.decide.sharing.placing", compiled=compiled)
    return Shares(
        kinds=kinds,
        prices=market.by_kind,
        value=float(run.worth(values[~given], kinds[~given])),
        bound=market.bound,
        unmet=find_unmet(jobs, tenants, held, kinds, values),
    )


def count_devices(gangs: NDArray[np.int64], kinds: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """How many devices of each kind are given."""
    placed = kinds != WAITS
    taken = np.zeros(count, dtype=np.int64)
    np.add.at(taken, kinds[placed], gangs[placed])
    return taken


def _hold(jobs: Jobs, devices: NDArray[np.int64], rule: Rule) -> NDArray[np.int64]:
    """The kinds of jobs that may not be moved yet; -1 for all others, and where devices are gone."""
    held = np.full(len(jobs), WAITS, dtype=np.int64)
    if rule.hold_s <= 0.0:
        return held
    free = devices.copy()
    for job in np.nonzero((jobs.kinds != WAITS) & (jobs.run_s < rule.hold_s))[0]:
        kind = jobs.kinds[job]
        if jobs.speeds[job, kind] > 0.0 and free[kind] >= jobs.gangs[job]:
            held[job] = kind
            free[kind] -= jobs.gangs[job]
    return held


def _round(
    values: NDArray[np.float64],
    gangs: NDArray[np.int64],
    free: NDArray[np.int64],
    prices: Prices,
    swaps: int,
    *,
    compiled: bool,
) -> NDArray[np.int64]:
    """Whole gangs from prices: by surplus a device, then swaps while they pay."""
    run = kernels("alliage.decide.sharing.placing", compiled=compiled)
    kinds = np.full(len(gangs), WAITS, dtype=np.int64)
    left = free.copy()
    run.fill(values, gangs, prices.by_kind, kinds, left)
    run.improve(values, gangs, prices.by_kind, kinds, left, swaps)
    return kinds
