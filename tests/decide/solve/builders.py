"""Small problems for the tests of the plan, by hand and by Hypothesis."""

from typing import Any

from hypothesis import strategies as st

from alliage.decide.solve.problem import (
    Guarantee,
    JobAsk,
    Pool,
    Problem,
    ServiceAsk,
    Site,
    Spread,
    Tenant,
    Way,
)
from alliage.fleet.replicas import Evidence

UNIT = 1_000_000
CHIPS = ("ppu", "h20")
SITES = (Site(name="paris-1", region="eu"), Site(name="ulm-1", region="eu", tags=frozenset({"de"})))


def a_way(chip: str = "ppu", devices: int = 1, rate: float | None = 1.0, **more: Any) -> Way:
    """A recipe named after its chip and devices."""
    return Way(name=more.pop("name", f"{chip}x{devices}"), chip=chip, devices=devices, rate=rate, **more)


def a_pool(chip: str = "ppu", *, site: str = "paris-1", nodes: int = 1, node_devices: int = 8, price: int = 1) -> Pool:
    """A pool at whole units a device-hour."""
    name = f"{site}-{chip}-{node_devices}"
    return Pool(name=name, site=site, chip=chip, node_devices=node_devices, nodes=nodes, price_micros=price * UNIT)


def a_service(name: str = "chat", demand: float = 4.0, ways: tuple[Way, ...] = (a_way(),), **more: Any) -> ServiceAsk:
    """A service of tenant `a` worth 100 units an hour."""
    value = more.pop("value", 100)
    more.setdefault("tenant", "a")
    return ServiceAsk(
        name=name, demand_rps=demand, ways=ways, value_micros=None if value is None else value * UNIT, **more
    )


def a_job(name: str = "train", count: int = 1, ways: tuple[Way, ...] = (a_way("h20", 8),), **more: Any) -> JobAsk:
    """Jobs of tenant `a`, each worth 100 units an hour."""
    value = more.pop("value", 100)
    more.setdefault("tenant", "a")
    return JobAsk(name=name, count=count, ways=ways, value_micros=value * UNIT, **more)


def a_problem(*works: ServiceAsk | JobAsk, pools: tuple[Pool, ...] = (a_pool(),), **more: Any) -> Problem:
    """A problem of these works, with tenants for all of them."""
    names = sorted({work.tenant for work in works})
    more.setdefault("tenants", tuple(Tenant(name=name) for name in names))
    return Problem(
        sites=SITES,
        pools=pools,
        services=tuple(work for work in works if isinstance(work, ServiceAsk)),
        jobs=tuple(work for work in works if isinstance(work, JobAsk)),
        **more,
    )


def _ways(draw: Any, *, power: bool) -> tuple[Way, ...]:
    sizes = (1, 2, 4) if power else (1, 2, 3, 4, 5, 8)
    ways = []
    for number in range(draw(st.integers(1, 3))):
        way = a_way(
            draw(st.sampled_from(CHIPS)),
            draw(st.sampled_from(sizes)),
            draw(st.sampled_from((None, 0.5, 1.0, 2.0, 3.0, 7.0))),
            name=f"w{number}",
            evidence=draw(st.sampled_from((Evidence.ESTIMATED, Evidence.MEASURED, Evidence.FAILED))),
        )
        ways.append(way)
    return tuple(ways)


@st.composite
def problems(draw: Any, *, power: bool = False, works_max: int = 4, nodes_max: int = 3) -> Problem:
    """Two chips, two sites, up to three tenants, a few services and jobs; anything may be short."""
    tenants = tuple(
        Tenant(
            name=name,
            tier=draw(st.integers(0, 1)),
            weight=draw(st.sampled_from((1.0, 2.0))),
            budget_micros=draw(st.sampled_from((None, None, 6 * UNIT))),
            guarantees=tuple(
                Guarantee(
                    chips=frozenset({chip}), devices=draw(st.integers(0, 8)), site=draw(st.sampled_from(("", "ulm-1")))
                )
                for chip in CHIPS
                if draw(st.booleans())
            ),
        )
        for name in ("a", "b", "c")
    )
    pools = tuple(
        a_pool(
            chip,
            site=site.name,
            nodes=draw(st.integers(0, nodes_max)),
            node_devices=draw(st.sampled_from((2, 4) if power else (1, 3, 4, 6, 8))),
            price=draw(st.integers(0, 3)),
        )
        for chip in CHIPS
        for site in SITES
    )
    works: list[ServiceAsk | JobAsk] = []
    for number in range(draw(st.integers(0, works_max))):
        tenant = draw(st.sampled_from(("a", "b", "c")))
        residency = frozenset(draw(st.sampled_from(((), (), ("de",), ("paris-1",)))))
        start = draw(st.sampled_from((0, UNIT // 2)))
        if draw(st.booleans()):
            least = draw(st.integers(0, 2))
            works.append(
                a_service(
                    f"s{number}",
                    draw(st.sampled_from((0.0, 0.5, 3.0, 8.0))),
                    _ways(draw, power=power),
                    tenant=tenant,
                    residency=residency,
                    start_micros=start,
                    value=draw(st.sampled_from((None, 0, 5, 60))),
                    min_replicas=least,
                    max_replicas=least + draw(st.integers(0, 4)),
                    spread=draw(st.sampled_from((Spread.NONE, Spread.NONE, Spread.NODES, Spread.SITES))),
                )
            )
        else:
            works.append(
                a_job(
                    f"j{number}",
                    draw(st.integers(0, 3)),
                    _ways(draw, power=power),
                    tenant=tenant,
                    residency=residency,
                    start_micros=start,
                    value=draw(st.sampled_from((0, 5, 60))),
                    is_preemptible=draw(st.booleans()),
                    remaining=draw(st.sampled_from((0.0, 4.0))),
                    deadline_s=draw(st.sampled_from((None, 3600.0, 7200.0))),
                )
            )
    return a_problem(*works, pools=pools, tenants=tenants)
