"""Every place where a work could stand: (work, way, pool) with what it takes and gives, or why it cannot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from alliage.decide.solve.gangs import Gang, gang_in
from alliage.decide.solve.problem import USABLE, JobAsk, Pool, Problem, Running, ServiceAsk, Site, Spread, Way
from alliage.decide.solve.reasons import Why, WhyCode


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Option:
    """A place for a work. Indices are positions in the problem's `works` and `pools`.

    `step` is the part of all the work asks for that one replica or job there serves (0: speed unknown); `running` and
    `held` run there now; no more than `limit` may. Options are told apart by identity: the same place is one object within a model.
    """

    work: int
    pool: int
    way: Way
    gang: Gang
    step: float
    running: int
    held: int
    limit: int


Runs = Mapping[tuple[str, str, str], Running]


def runs_of(problem: Problem) -> Runs:
    """What runs by (work, way, pool)."""
    return {(each.work, each.way, each.pool): each for each in problem.running}


def options_of(problem: Problem) -> list[Option]:
    """Every option that could be part of the best plan: one that another beats in its pool in all respects is not."""
    sites = {site.name: site for site in problem.sites}
    by_chip: dict[str, list[int]] = {}
    for index, pool in enumerate(problem.pools):
        by_chip.setdefault(pool.chip, []).append(index)
    runs = runs_of(problem)
    found: list[Option] = []
    for index, work in enumerate(problem.works):
        ways = _ways_by_chip(work)
        for chip in by_chip.keys() & ways.keys():
            for place in by_chip[chip]:
                found.extend(_in_pool(problem, index, place, ways[chip], sites, runs))
    found.sort(key=lambda option: (option.work, option.pool, option.gang.devices, option.way.name))
    return found


def _ways_by_chip(work: ServiceAsk | JobAsk) -> dict[str, list[tuple[Way, float]]]:
    grouped: dict[str, list[tuple[Way, float]]] = {}
    full = full_rate(work)
    for way in work.ways:
        grouped.setdefault(way.chip, []).append((way, step_of(work, way, full)))
    for ways in grouped.values():
        ways.sort(key=lambda each: (each[0].devices, -each[1], each[0].name))
    return grouped


def _in_pool(  # noqa: PLR0917 - what a pool's options depend on
    problem: Problem, index: int, pool: int, ways: list[tuple[Way, float]], sites: Mapping[str, Site], runs: Runs
) -> Iterator[Option]:
    """The ways worth having in one pool, fewest devices first: each does more than all with fewer devices."""
    work, place = problem.works[index], problem.pools[pool]
    if not place.nodes or not sites[place.site].keeps(work.residency):
        return
    best = -1.0
    for way, step in ways:
        run = runs.get((work.name, way.name, place.name))
        count, held = (run.count, held_of(work, run)) if run is not None else (0, 0)
        if (step <= best and not count) or not _is_usable(work, way, step, held):
            continue
        gang = gang_in(way.devices, place)
        if gang is None:
            continue
        is_failed = way.evidence not in USABLE
        if not is_failed:
            best = max(best, step)
        limit = held if is_failed else max(held, _limit(work, place, gang, step))
        yield Option(
            work=index, pool=pool, way=way, gang=gang, step=step, running=min(count, limit), held=held, limit=limit
        )


def _is_usable(work: ServiceAsk | JobAsk, way: Way, step: float, held: int) -> bool:
    if held:
        return True
    if way.evidence not in USABLE:
        return False
    return step > 0 or (isinstance(work, ServiceAsk) and work.min_replicas > 0)


def _limit(work: ServiceAsk | JobAsk, pool: Pool, gang: Gang, step: float) -> int:
    """The most that would be of use there, were there one node more (which is what a price is about)."""
    nodes = pool.nodes + 1
    room = nodes // gang.nodes if gang.nodes else nodes * (pool.node_devices // gang.slot)
    if isinstance(work, JobAsk):
        return min(room, work.count)
    if work.spread is Spread.NODES:
        room = pool.nodes
    elif work.spread is Spread.SITES:
        room = min(room, 1)
    return min(room, useful(work, step))


def useful(work: ServiceAsk, step: float) -> int:
    """More replicas than this of one option serve nothing more."""
    most = work.min_replicas
    if step > 0 and work.demand_rps > 0:
        most = max(most, int(min(1e9, -(-1.0 // step))))
    return min(work.max_replicas, most)


def held_of(work: ServiceAsk | JobAsk, run: Running) -> int:
    """How many of what runs may not be taken away."""
    return run.count if isinstance(work, JobAsk) and not work.is_preemptible else run.held


def full_rate(work: ServiceAsk | JobAsk) -> float:
    """The speed that counts as all: of a service its demand, of one job what keeps its deadline or its fastest way."""
    if isinstance(work, ServiceAsk):
        return work.demand_rps
    if work.deadline_s is not None and work.remaining > 0:
        return work.remaining / max(work.deadline_s / 3600.0, 1e-9)
    return max((way.rate or 0.0 for way in work.ways if way.evidence in USABLE), default=0.0)


def step_of(work: ServiceAsk | JobAsk, way: Way, full: float) -> float:
    """The part of the whole work that one replica or job by this way serves; 0 where nothing is known or too late."""
    if not way.rate or full <= 0:
        return 0.0
    part = way.rate / full
    if isinstance(work, ServiceAsk):
        return 0.0 if part < 1e-9 else min(1.0, part)
    is_late = work.deadline_s is not None and part < 1 - 1e-9
    return 0.0 if is_late or not work.count or part < 1e-9 else min(1.0, part) / work.count


def refusal(problem: Problem, work: ServiceAsk | JobAsk, way: Way, pool: Pool) -> Why | None:  # noqa: PLR0911 - one return a reason
    """Why the work cannot stand in this pool by this way, whatever room there is; None where it can."""
    facts: dict[str, str | int | float] = {"work": work.name, "way": way.name, "pool": pool.name}
    site = next(site for site in problem.sites if site.name == pool.site)
    if pool.chip != way.chip:
        return Why(code=WhyCode.UNAVAILABLE, facts={**facts, "chip": way.chip})
    if not site.keeps(work.residency):
        return Why(code=WhyCode.RESIDENCY, facts={**facts, "site": site.name})
    if way.evidence not in USABLE:
        return Why(code=WhyCode.FAILED, facts=facts)
    if gang_in(way.devices, pool) is None:
        facts |= {"chip": pool.chip, "devices": way.devices, "node_devices": pool.node_devices}
        return Why(code=WhyCode.GANG_TOO_LARGE, facts=facts)
    if step_of(work, way, full_rate(work)) > 0:
        return None
    if way.rate and isinstance(work, JobAsk) and work.deadline_s is not None:
        facts |= {"finish_s": round(work.remaining / way.rate * 3600.0), "deadline_s": work.deadline_s}
        return Why(code=WhyCode.TOO_LATE, facts=facts)
    return Why(code=WhyCode.RATE_UNKNOWN, facts=facts)
