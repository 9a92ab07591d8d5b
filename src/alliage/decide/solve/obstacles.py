"""Why work is missing: what keeps it from one more replica or job, way by way and pool by pool."""

from collections.abc import Mapping, Sequence

from alliage.decide.solve.answer import Unmet
from alliage.decide.solve.gangs import gang_in
from alliage.decide.solve.options import full_rate, refusal, step_of
from alliage.decide.solve.parts import Part, PartKind
from alliage.decide.solve.problem import JobAsk, Pool, Problem, ServiceAsk, Spread, Way
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.decide.solve.standing import Missing, Standing, devices_in, missing_of, room_for

REASONS_MAX = 12
"""Reasons that one work is told; on a large fleet the rest are alike."""


def unmet_of(place: Standing, parts: Mapping[int, list[Part]]) -> tuple[Unmet, ...]:
    """Every work that lacks something, with what binds it."""
    found: list[Unmet] = []
    for index, ask in enumerate(place.problem.works):
        missing = missing_of(place, index)
        if not missing.is_nothing:
            found.append(
                Unmet(
                    work=ask.name,
                    tenant=ask.tenant,
                    missing=missing.amount,
                    missing_replicas=missing.replicas,
                    because=binding_of(place, index, missing, parts.get(index, [])),
                )
            )
    return tuple(found)


def binding_of(place: Standing, work: int, missing: Missing, parts: list[Part]) -> tuple[Why, ...]:
    """What keeps a work from one more replica or job, way by way and pool by pool; each reason once."""
    problem = place.problem
    ask = problem.works[work]
    if not ask.ways:
        return (Why(code=WhyCode.NO_WAY, facts={"work": ask.name}),)
    full = most(place, work)
    if full is not None:
        return (full,)
    reasons: list[Why] = []
    chips = {pool.chip for pool in problem.pools if pool.nodes}
    for way in ask.ways:
        if way.chip not in chips:
            reasons.append(Why(code=WhyCode.UNAVAILABLE, facts={"work": ask.name, "way": way.name, "chip": way.chip}))
        for number, pool in enumerate(problem.pools):
            if pool.chip == way.chip and pool.nodes:
                why = hindrance(place, work, way, number, missing)
                reasons.append(
                    why
                    if why is not None
                    else not_worth(problem, work, way, pool, worth(problem, work, way, missing, parts))
                )
    unique = list({(why.code, tuple(sorted(why.facts.items()))): why for why in reasons}.values())
    return tuple(sorted(unique, key=lambda why: _RANK.get(why.code, 9))[:REASONS_MAX])


_RANK = {
    WhyCode.BUDGET: 0,
    WhyCode.NO_GANG_FREE: 1,
    WhyCode.HELD: 1,
    WhyCode.DEVICES_FULL: 2,
    WhyCode.SPREAD: 2,
    WhyCode.NOT_WORTH: 3,
    WhyCode.RESIDENCY: 4,
    WhyCode.GANG_TOO_LARGE: 5,
    WhyCode.TOO_LATE: 5,
    WhyCode.RATE_UNKNOWN: 6,
    WhyCode.FAILED: 7,
    WhyCode.UNAVAILABLE: 8,
}


def most(place: Standing, work: int) -> Why | None:
    """A service that has as many replicas as it may have; a shape all of whose jobs run, some by a slower way."""
    ask = place.problem.works[work]
    count = sum(count for _, count in place.of_work(work))
    if isinstance(ask, JobAsk):
        return None if count < ask.count else Why(code=WhyCode.ALL_RUN, facts={"work": ask.name, "count": ask.count})
    if count < ask.max_replicas:
        return None
    return Why(code=WhyCode.REPLICAS_MAX, facts={"work": ask.name, "max_replicas": ask.max_replicas})


def hindrance(place: Standing, work: int, way: Way, number: int, missing: Missing) -> Why | None:
    """Why one more may not stand in this pool by this way; None where only its worth is in question."""
    problem = place.problem
    ask, pool = problem.works[work], problem.pools[number]
    why = refusal(problem, ask, way, pool)
    if why is not None and not (why.code is WhyCode.RATE_UNKNOWN and missing.replicas):
        return why
    gang = gang_in(way.devices, pool)
    if gang is None:
        return why
    apart = _spread(place, work, number)
    if apart is not None:
        return apart
    if not room_for(place, number, gang):
        return _full(place, work, way, number)
    return _over_budget(place, ask.tenant, way.devices * pool.price_micros)


def _full(place: Standing, work: int, way: Way, number: int) -> Why:
    pool = place.problem.pools[number]
    taken = devices_in(place, number)
    free = pool.devices - taken
    if free >= way.devices:
        facts: dict[str, str | int | float] = {
            "way": way.name,
            "pool": pool.name,
            "chip": pool.chip,
            "devices": way.devices,
            "free": free,
        }
        return Why(code=WhyCode.NO_GANG_FREE, facts=facts)
    own = sum(count * option.way.devices for option, count in place.of_work(work) if option.pool == number)
    name = place.problem.works[work].name
    return Why(
        code=WhyCode.DEVICES_FULL,
        facts={"work": name, "pool": pool.name, "devices": pool.devices, "taken": taken, "own": own},
    )


def _spread(place: Standing, work: int, number: int) -> Why | None:
    ask = place.problem.works[work]
    if isinstance(ask, JobAsk) or ask.spread is Spread.NONE:
        return None
    pool = place.problem.pools[number]
    if ask.spread is Spread.NODES:
        there, places = sum(count for option, count in place.of_work(work) if option.pool == number), pool.nodes
    else:
        pools = place.problem.pools
        there = sum(count for option, count in place.of_work(work) if pools[option.pool].site == pool.site)
        places = 1
    if there < places:
        return None
    where = pool.name if ask.spread is Spread.NODES else pool.site
    return Why(
        code=WhyCode.SPREAD,
        facts={"work": ask.name, "spread": str(ask.spread), "places": places, "where": where},
    )


def _over_budget(place: Standing, name: str, more: int) -> Why | None:
    tenant = next(each for each in place.problem.tenants if each.name == name)
    if tenant.budget_micros is None:
        return None
    spent = place.spent_micros(name)
    if spent + more <= tenant.budget_micros:
        return None
    facts: dict[str, str | int | float] = {"tenant": name, "budget_micros": tenant.budget_micros, "spent_micros": spent}
    return Why(code=WhyCode.BUDGET, facts=facts)


def not_worth(problem: Problem, work: int, way: Way, pool: Pool, gain: float) -> Why:
    """That one more serves less (`gain`, micros an hour) than it costs."""
    ask = problem.works[work]
    facts: dict[str, str | int | float] = {
        "work": ask.name,
        "way": way.name,
        "pool": pool.name,
        "value_micros": round(gain),
        "cost_micros": round(cost(problem, ask, way, pool)),
    }
    return Why(code=WhyCode.NOT_WORTH, facts=facts)


def cost(problem: Problem, ask: ServiceAsk | JobAsk, way: Way, pool: Pool) -> float:
    """Micros an hour of one more: its devices and its cold start."""
    return way.devices * pool.price_micros + ask.start_micros / (problem.horizon_s / 3600.0)


def worth(problem: Problem, work: int, way: Way, missing: Missing, parts: Sequence[Part]) -> float:
    """Micros an hour that one more by this way would serve of what is missing."""
    ask = problem.works[work]
    full = full_rate(ask)
    worth = 0.0
    for part in parts:
        if part.kind is PartKind.LEAST and isinstance(ask, ServiceAsk):
            worth += part.value / ask.min_replicas if missing.replicas else 0.0
        elif full > 0:
            whole = ask.count if isinstance(ask, JobAsk) else ask.demand_rps
            worth += part.value * min(step_of(ask, way, full), missing.amount / whole)
    return worth
