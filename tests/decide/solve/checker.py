"""A plain checker of plans that knows nothing of how they are made: it reads the problem and counts."""

from collections import Counter

from alliage.decide.solve.answer import Plan
from alliage.decide.solve.problem import JobAsk, Pool, Problem, ServiceAsk, Spread
from alliage.fleet.replicas import Evidence


def faults(problem: Problem, plan: Plan) -> list[str]:  # noqa: C901, PLR0912 - one rule after the other
    """Everything that a plan does which it may not."""
    pools = {pool.name: pool for pool in problem.pools}
    works: dict[str, ServiceAsk | JobAsk] = {work.name: work for work in problem.works}
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
        due_s = work.deadline_s if isinstance(work, JobAsk) else None
        if due_s is not None and isinstance(work, JobAsk) and way.rate:
            found.extend([f"{each.work} is too late"] if work.remaining / way.rate * 3600 > due_s * (1 + 1e-6) else [])
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
