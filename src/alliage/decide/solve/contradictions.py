"""What of a problem contradicts itself: work that may not be taken away where it cannot be."""

from alliage.decide.solve.answer import Infeasible
from alliage.decide.solve.gangs import Gang, gang_in
from alliage.decide.solve.options import held_of
from alliage.decide.solve.problem import JobAsk, Problem
from alliage.decide.solve.standing import has_room


def contradiction(problem: Problem) -> Infeasible | None:
    """The first thing that no plan can be made with; None where one can."""
    works = {work.name: work for work in problem.works}
    pools = {pool.name: pool for pool in problem.pools}
    sites = {site.name: site for site in problem.sites}
    held: dict[str, list[tuple[Gang, int]]] = {}
    total: dict[str, int] = {}
    for run in problem.running:
        work, pool = works[run.work], pools[run.pool]
        count = held_of(work, run)
        if not count:
            continue
        way = next((way for way in work.ways if way.name == run.way), None)
        if way is None or way.chip != pool.chip:
            return _no(work.name, f"{count} run in {pool.name} by {run.way!r}, which is none of its ways there")
        if not sites[pool.site].keeps(work.residency):
            return _no(work.name, f"{count} may not be taken away from {pool.name}, where its residency forbids it")
        gang = gang_in(way.devices, pool)
        if gang is None:
            return _no(work.name, f"{way.devices} devices of {way.name} do not go into nodes of {pool.name}")
        held.setdefault(pool.name, []).append((gang, count))
        total[work.name] = total.get(work.name, 0) + count
        if isinstance(work, JobAsk) and total[work.name] > work.count:
            return _no(work.name, f"{total[work.name]} run that may not be taken away, and its count is {work.count}")
    for name, gangs in held.items():
        *others, (gang, count) = gangs
        pool = pools[name]
        if not has_room([*others, (gang, count - 1)], pool, gang):
            return _no(name, f"what runs there and may not be taken away needs more than its {pool.nodes} nodes")
    return None


def _no(culprit: str, reason: str) -> Infeasible:
    return Infeasible(culprit=culprit, reason=reason)
