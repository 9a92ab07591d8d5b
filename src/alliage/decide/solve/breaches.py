"""Whether a guarantee is kept: what could be taken back from others for it, or what stands in the way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alliage.decide.solve.answer import Unkept
from alliage.decide.solve.obstacles import REASONS_MAX, cost, hindrance, most, not_worth, worth
from alliage.decide.solve.options import Option
from alliage.decide.solve.parts import Part
from alliage.decide.solve.problem import Guarantee, Tenant
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.decide.solve.standing import Missing, Standing, missing_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Work of a tenant that its guarantee covers and that would have room if borrowed devices were taken back."""

    tenant: str
    guarantee: int
    work: str
    way: str
    pool: str
    devices: int


def examine(place: Standing, parts: Mapping[int, list[Part]]) -> tuple[list[Breach], tuple[Unkept, ...]]:
    """Guarantees that are not used up while their tenant lacks work: breaches, and those with a real obstacle."""
    breaches: list[Breach] = []
    unkept: list[Unkept] = []
    for tenant in place.problem.tenants:
        for index, guarantee in enumerate(tenant.guarantees):
            used = used_of(place, tenant, guarantee)
            if used >= guarantee.devices:
                continue
            freed = {
                number: place.without(borrowed(place, tenant.name, number))
                for number, pool in enumerate(place.problem.pools)
                if pool.nodes and guarantee.covers(pool)
            }
            for work, ask in enumerate(place.problem.works):
                if ask.tenant != tenant.name:
                    continue
                missing = missing_of(place, work)
                if missing.is_nothing or most(place, work) is not None:
                    continue
                found = list(_against(freed, tenant, index, used, work, missing, parts.get(work, [])))
                breaches.extend(each for each in found if isinstance(each, Breach))
                obstacles = tuple(each for each in found if isinstance(each, Why))
                if obstacles and len(obstacles) == len(found):
                    unkept.append(
                        Unkept(
                            tenant=tenant.name,
                            chips=guarantee.chips,
                            site=guarantee.site,
                            devices=guarantee.devices,
                            used=used,
                            work=ask.name,
                            because=obstacles[:REASONS_MAX],
                        )
                    )
    return breaches, tuple(unkept)


def used_of(place: Standing, tenant: Tenant, guarantee: Guarantee) -> int:
    """Devices that a tenant has of what a guarantee of its covers."""
    problem = place.problem
    return sum(
        option.gang.devices * count
        for number, pool in enumerate(problem.pools)
        if guarantee.covers(pool)
        for option, count in place.in_pool(number)
        if problem.works[option.work].tenant == tenant.name
    )


def _against(  # noqa: PLR0917 - whose work, by which right
    freed: Mapping[int, Standing],
    tenant: Tenant,
    index: int,
    used: int,
    work: int,
    missing: Missing,
    parts: Sequence[Part],
) -> Iterator[Breach | Why]:
    """For every covered way of the work: a breach if taking back would make room, else what is in the way.

    `freed` is what is left in each covered pool when that is taken back.
    """
    for number, place in freed.items():
        problem = place.problem
        guarantee, ask, pool = tenant.guarantees[index], problem.works[work], problem.pools[number]
        for way in ask.ways:
            if pool.chip != way.chip:
                continue
            why = hindrance(place, work, way, number, missing)
            if why is None and way.devices > guarantee.devices - used:
                left = guarantee.devices - used
                why = Why(code=WhyCode.GUARANTEE_SMALL, facts={"way": way.name, "devices": way.devices, "left": left})
            gain = worth(problem, work, way, missing, parts)
            if why is None and (gain < cost(problem, ask, way, pool) or ask.value_micros == 0):
                why = not_worth(problem, work, way, pool, gain)
            if why is not None and why.code in {WhyCode.DEVICES_FULL, WhyCode.NO_GANG_FREE}:
                why = _holders(place, tenant.name, number) or why
            if why is None:
                yield Breach(
                    tenant=tenant.name,
                    guarantee=index,
                    work=ask.name,
                    way=way.name,
                    pool=pool.name,
                    devices=way.devices,
                )
            else:
                yield why


def _holders(place: Standing, tenant: str, number: int) -> Why | None:
    """Work of others that is held in a pool."""
    problem = place.problem
    names = sorted(
        problem.works[option.work].name
        for option, _ in place.in_pool(number)
        if option.held and problem.works[option.work].tenant != tenant
    )
    if not names:
        return None
    return Why(code=WhyCode.HELD, facts={"pool": problem.pools[number].name, "holders": ", ".join(names)})


def borrowed(place: Standing, tenant: str, number: int) -> dict[Option, int]:
    """What others have in a pool beyond their guarantees and may be taken from them now."""
    problem = place.problem
    tenants = {each.name: each for each in problem.tenants}
    pool = problem.pools[number]
    found: dict[Option, int] = {}
    beyond: dict[str, int] = {}
    for option, count in sorted(place.in_pool(number), key=lambda each: (each[0].work, each[0].way.name)):
        owner = problem.works[option.work].tenant
        if owner == tenant:
            continue
        if owner not in beyond:
            covering = [each for each in tenants[owner].guarantees if each.covers(pool)]
            over = [used_of(place, tenants[owner], each) - each.devices for each in covering]
            beyond[owner] = max(0, min(over)) if over else pool.devices
        taken = min(count - option.held, beyond[owner] // option.gang.devices)
        if taken > 0:
            found[option] = taken
            beyond[owner] -= taken * option.gang.devices
    return found
