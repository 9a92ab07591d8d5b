"""A plain checker of plans that knows nothing of how they are made: it reads the problem and counts."""

from collections import Counter

from alliage.decide.solve.answer import Plan, Unmet
from alliage.decide.solve.problem import Guarantee, JobAsk, Pool, Problem, ServiceAsk, Spread, Way
from alliage.fleet.replicas import Evidence


def faults(problem: Problem, plan: Plan) -> list[str]:  # noqa: C901, PLR0912 - a list of rules, one after the other
    """Everything that a plan does which it may not."""
    pools = {pool.name: pool for pool in problem.pools}
    works = {work.name: work for work in problem.works}
    sites = {site.name: site for site in problem.sites}
    found: list[str] = []
    for each in plan.assigned:
        work, pool = works[each.work], pools[each.pool]
        way = next(way for way in work.ways if way.name == each.way)
        site = sites[pool.site]
        held = next(
            (run.held for run in problem.running if (run.work, run.way, run.pool) == (each.work, each.way, each.pool)),
            0,
        )
        if work.residency and not {site.name, site.region, *site.tags} & work.residency:
            found.append(f"residency of {each.work} broken at {site.name}")
        if way.chip != pool.chip or each.devices != way.devices or each.count <= 0:
            found.append(f"{each.work} in {each.pool} is no way of it")
        if way.evidence is Evidence.FAILED and each.count > held:
            found.append(f"{each.work} uses a failed recipe")
        if isinstance(work, JobAsk) and not way.rate:
            found.append(f"{each.work} runs at an unknown speed")
        if isinstance(work, JobAsk) and work.deadline_s is not None and way.rate:
            is_late = work.remaining / way.rate * 3600 > work.deadline_s * (1 + 1e-6)
            found.extend([f"{each.work} is too late"] if is_late else [])
    for name, pool in pools.items():
        found.extend(_packing_faults(problem, plan, name, pool))
    for work in works.values():
        count = sum(each.count for each in plan.assigned if each.work == work.name)
        most = work.count if isinstance(work, JobAsk) else work.max_replicas
        if count > most:
            found.append(f"{work.name} has {count} of {most}")
        if isinstance(work, ServiceAsk) and work.spread is Spread.SITES:
            places = Counter(
                pools[each.pool].site for each in plan.assigned if each.work == work.name for _ in range(each.count)
            )
            if places and max(places.values()) > 1:
                found.append(f"{work.name} has two replicas at one site")
    for tenant in problem.tenants:
        cost = sum(
            each.count * each.devices * pools[each.pool].price_micros
            for each in plan.assigned
            if works[each.work].tenant == tenant.name
        )
        if tenant.budget_micros is not None and cost > tenant.budget_micros:
            found.append(f"{tenant.name} spends {cost} of {tenant.budget_micros}")
    return found


def _packing_faults(problem: Problem, plan: Plan, name: str, pool: Pool) -> list[str]:
    """Really put every gang on nodes, by search; a gang larger than a node takes whole nodes."""
    apart = {service.name for service in problem.services if service.spread is Spread.NODES}
    gangs = [
        (each.devices, each.work if each.work in apart else "")
        for each in plan.assigned
        if each.pool == name
        for _ in range(each.count)
    ]
    nodes = [pool.node_devices] * pool.nodes
    small = []
    for devices, work in sorted(gangs, reverse=True):
        if devices > pool.node_devices:
            if devices % pool.node_devices or len(nodes) < devices // pool.node_devices:
                return [f"a gang of {devices} does not fit in {name}"]
            del nodes[: devices // pool.node_devices]
        else:
            small.append((devices, work))
    if not _placed(small, [(free, frozenset[str]()) for free in nodes]):
        return [f"{small} do not pack into {len(nodes)} nodes of {name}"]
    return []


def _placed(gangs: list[tuple[int, str]], nodes: list[tuple[int, frozenset[str]]]) -> bool:
    """Depth first; alike nodes are tried once."""
    if not gangs:
        return True
    (devices, work), rest = gangs[0], gangs[1:]
    tried = set()
    for index, (free, there) in enumerate(nodes):
        if free < devices or (work and work in there) or (free, there) in tried:
            continue
        tried.add((free, there))
        after = (free - devices, there | {work} if work else there)
        if _placed(rest, [*nodes[:index], after, *nodes[index + 1 :]]):
            return True
    return False


def takeable(problem: Problem, plan: Plan) -> list[str]:  # noqa: C901, PLR0912 - as above
    """Guaranteed work that is missing although taking borrowed work of others would make room for it, and is worth it.

    Borrowed is what a tenant has in a pool beyond all of its guarantees that cover the pool; jobs that are not
    preemptible or within their minimum run time may not be taken.
    """
    pools = {pool.name: pool for pool in problem.pools}
    sites = {site.name: site for site in problem.sites}
    works = {work.name: work for work in problem.works}
    held = {(run.work, run.way, run.pool): _held(works[run.work], run.count, run.held) for run in problem.running}

    def used(tenant: str, right: Guarantee) -> int:
        mine = [each for each in plan.assigned if works[each.work].tenant == tenant]
        return sum(each.count * each.devices for each in mine if right.covers(pools[each.pool]))

    found = []
    for tenant in problem.tenants:
        spent = sum(
            each.count * each.devices * pools[each.pool].price_micros
            for each in plan.assigned
            if works[each.work].tenant == tenant.name
        )
        for right in tenant.guarantees:
            left = right.devices - used(tenant.name, right)
            for lack in plan.unmet:
                work = works[lack.work]
                if lack.tenant != tenant.name or (isinstance(work, ServiceAsk) and work.spread is not Spread.NONE):
                    continue
                count = sum(each.count for each in plan.assigned if each.work == lack.work)
                if isinstance(work, ServiceAsk) and count >= work.max_replicas:
                    continue
                for way in work.ways:
                    for pool in problem.pools:
                        site = sites[pool.site]
                        if way.chip != pool.chip or not right.covers(pool) or way.devices > left:
                            continue
                        if work.residency and not {site.name, site.region, *site.tags} & work.residency:
                            continue
                        if way.evidence is Evidence.FAILED or not _worth(work, way, pool, lack):
                            continue
                        more = way.devices * pool.price_micros
                        if tenant.budget_micros is not None and spent + more > tenant.budget_micros:
                            continue
                        stays = []
                        for each in plan.assigned:
                            if each.pool != pool.name:
                                continue
                            owner = next(one for one in problem.tenants if one.name == works[each.work].tenant)
                            takes = 0
                            if owner.name != tenant.name:
                                rights = [one for one in owner.guarantees if one.covers(pool)]
                                over = min((used(owner.name, one) - one.devices for one in rights), default=10**9)
                                fixed = held.get((each.work, each.way, each.pool), 0)
                                takes = min(each.count - fixed, max(0, over) // each.devices)
                            stays += [each.devices] * (each.count - takes)
                        # several works of one owner are not taken beyond what it borrowed: only single ones are tried
                        owners = [works[each.work].tenant for each in plan.assigned if each.pool == pool.name]
                        if len(owners) == len(set(owners)) and _fits([*stays, way.devices], pool):
                            found.append(f"{lack.work} by {way.name} in {pool.name}")
    return found


def _held(work: ServiceAsk | JobAsk, count: int, held: int) -> int:
    return count if isinstance(work, JobAsk) and not work.is_preemptible else held


def _worth(work: ServiceAsk | JobAsk, way: Way, pool: Pool, lack: Unmet) -> bool:
    """Whether one more is worth its devices and its start; the value must have been stated, and be of known speed."""
    if not way.rate or work.value_micros is None or (isinstance(work, ServiceAsk) and work.min_replicas):
        return False
    if isinstance(work, JobAsk):
        best = max((each.rate or 0 for each in work.ways if each.evidence is not Evidence.FAILED), default=0)
        if work.deadline_s is not None and work.remaining:
            best = work.remaining / work.deadline_s * 3600
            if way.rate < best:
                return False
        gain = work.value_micros * min(1.0, way.rate / best, lack.missing)
    else:
        gain = work.value_micros * min(1.0, way.rate / work.demand_rps, lack.missing / work.demand_rps)
    return gain > way.devices * pool.price_micros + work.start_micros


def _fits(gangs: list[int], pool: Pool) -> bool:
    """Powers of two and whole nodes only, as the plan counts gangs: others are rounded up there."""
    sizes = [size if size % pool.node_devices == 0 else 1 << (size - 1).bit_length() for size in gangs]
    sizes = [
        size if size <= pool.node_devices or size % pool.node_devices == 0 else pool.node_devices for size in sizes
    ]
    whole = sum(size // pool.node_devices for size in sizes if size >= pool.node_devices)
    if any(size > pool.node_devices and size % pool.node_devices for size in gangs) or whole > pool.nodes:
        return False
    small = sorted(((size, "") for size in sizes if size < pool.node_devices), reverse=True)
    return _placed(small, [(pool.node_devices, frozenset[str]())] * (pool.nodes - whole))
