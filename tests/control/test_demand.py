"""The loop serves by objective: what is asked decides how many replicas there are, of what, and whether there are any."""

import asyncio
from dataclasses import replace

from alliage.control.ports import Changes
from alliage.decide.reasons import Outcome, ReasonCode
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import LEAVING, ReplicaPhase, ServicePhase
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.tenants import Guarantee, Tenant
from alliage.fleet.traffic import ReplicaTraffic, Traffic
from tests.builders import a_node
from tests.control.world import World, an_order
from tests.decide.test_devices import rack

READY = ReplicaPhase.READY


def a_fleet() -> tuple[Node, ...]:
    """Two makes, two nodes of eight cards each."""
    return tuple(
        rack(f"{name}-{number}", chip=chip, gib=95)
        for name, chip in (("h20", "nvidia-h20"), ("ppu", "thead-ppu-810e"))
        for number in (1, 2)
    )


def deploy(
    world: World, model: str, *, rate_rps: float | None = None, replicas: int = 1, name: str | None = None
) -> None:
    """Ask for it with a latency goal."""
    order = an_order(model, replicas=replicas, name=name, ttft_s=1.0, tpot_s=0.04, rate_rps=rate_rps)
    asyncio.run(world.desk.deploy(order))


def alive(world: World, name: str) -> list[Replica]:
    """Its replicas that are wanted."""
    return [each for each in world.desk.view().replicas_of(ServiceName(name)) if each.phase not in LEAVING]


def ready(world: World, name: str) -> list[Replica]:
    """Those of them that are ready."""
    return [each for each in alive(world, name) if each.phase is READY]


def come_in(world: World, name: str, rps: float, seconds: float) -> list[int]:
    """Requests at a steady rate; how many replicas were ready at each pass."""
    counts = []
    key = ServiceName(name)
    owed = 0.0
    for _ in range(round(seconds)):
        before = world.doors.traffic.get(key, Traffic(began_s=world.clock.now_s()))
        owed += rps
        asked, owed = int(owed), owed - int(owed)
        world.doors.traffic[key] = replace(before, asked=before.asked + asked, in_flight=int(rps))
        world.run(1, step_s=1.0)
        counts.append(len(ready(world, name)))
    world.doors.traffic[key] = replace(world.doors.traffic[key], in_flight=0)
    return counts


def carried_rps(world: World, name: str) -> float:
    """What its ready replicas carry, by the plan."""
    aims = world.loop.planning.aims
    assert aims is not None
    rates = {(each.kind.name, each.recipe.devices): each.rate_rps or 0.0 for each in aims.aims[ServiceName(name)]}
    return sum(
        rate
        for replica in ready(world, name)
        for (kind, devices), rate in rates.items()
        if devices == replica.recipe.devices
        and any(
            replica.node in each.nodes for each in (a.kind for a in aims.aims[ServiceName(name)]) if each.name == kind
        )
    )


def test_a_rate_that_is_told_is_carried_from_the_start() -> None:
    """Asked for with --rate 5: the replicas that are placed carry it, each by the objective."""
    world = World(*a_fleet())
    world.run(1)
    deploy(world, "qwen3-8b", rate_rps=5)
    world.run(10)
    assert carried_rps(world, "qwen3-8b") >= 5


def test_a_rate_that_is_seen_is_carried_and_let_go_late() -> None:
    """From one replica up while requests come, without one less in between; down again only after they have stayed away."""
    world = World(*a_fleet())
    world.run(1)
    deploy(world, "qwen3-8b")
    world.run(5)
    before = {replica.id for replica in ready(world, "qwen3-8b")}
    counts = come_in(world, "qwen3-8b", 12, 120)
    assert carried_rps(world, "qwen3-8b") >= 12
    assert min(counts) >= 1
    peak = sum(each.recipe.devices for each in alive(world, "qwen3-8b"))
    world.run(200, step_s=2.0)
    assert sum(each.recipe.devices for each in alive(world, "qwen3-8b")) == peak
    world.run(300, step_s=2.0)
    assert sum(each.recipe.devices for each in alive(world, "qwen3-8b")) < peak
    assert before


def test_steady_traffic_makes_no_new_plans() -> None:
    """After it has settled, the same rate brings neither solves nor moves."""
    world = World(*a_fleet())
    world.run(1)
    deploy(world, "qwen3-8b")
    come_in(world, "qwen3-8b", 4, 150)
    solves, replicas = world.loop.planning.solves, [each.id for each in alive(world, "qwen3-8b")]
    come_in(world, "qwen3-8b", 4, 120)
    assert world.loop.planning.solves == solves
    assert [each.id for each in alive(world, "qwen3-8b")] == replicas


def test_a_service_with_no_least_number_rests_and_is_woken() -> None:
    """Nobody asks for five minutes: none is left, and the route says that it starts when a request waits, which wakes it."""
    world = World(*a_fleet())
    world.run(1)
    deploy(world, "qwen3-8b", replicas=0)
    world.run(5)
    assert ready(world, "qwen3-8b")
    world.run(700, step_s=2.0)
    assert world.desk.view().replicas == ()
    assert world.desk.view().service("qwen3-8b").phase is ServicePhase.IDLE
    assert world.doors.table is not None
    route = world.doors.table.routes[ServiceName("qwen3-8b")]
    assert (route.upstreams, route.refusal) == ((), "")
    assert route.waiting
    world.doors.traffic[ServiceName("qwen3-8b")] = Traffic(began_s=world.clock.now_s(), asked=1, held=1)
    world.run(5)
    assert ready(world, "qwen3-8b")


def test_a_restart_of_control_takes_nothing_away() -> None:
    """What control knew of demand is gone with it: it is watched for as long again before anything is let go."""
    world = World(*a_fleet())
    world.run(1)
    deploy(world, "qwen3-8b")
    come_in(world, "qwen3-8b", 12, 120)
    devices = sum(each.recipe.devices for each in alive(world, "qwen3-8b"))
    world.restart_control()
    world.run(250, step_s=2.0)
    assert sum(each.recipe.devices for each in alive(world, "qwen3-8b")) == devices


def test_a_slow_make_is_found_out_and_the_plan_changes() -> None:
    """Replicas that write half as fast as their make should: within a minute it is known, and what carries the rate is others."""
    world = World(*a_fleet())
    world.run(1)
    deploy(world, "qwen3-8b", rate_rps=2)
    world.run(10)
    first = ready(world, "qwen3-8b")
    chips = {each.recipe.chip for each in first}
    assert len(chips) == 1
    for second in range(60):
        for replica in first:
            world.doors.replicas[replica.id] = at_work(second, tpot_s=0.12)
        world.run(1, step_s=1.0)
    assert any(each.chip in chips for each in world.desk.measured())
    world.run(20)
    assert {each.recipe.chip for each in ready(world, "qwen3-8b")}.isdisjoint(chips)


def at_work(second: int, *, tpot_s: float) -> ReplicaTraffic:
    """A replica's sums after so many seconds with four in flight."""
    answered = second
    return ReplicaTraffic(
        began_s=1.0,
        answered=answered,
        input_tokens=1024 * answered,
        output_tokens=256 * answered,
        first_tokens=answered,
        ttft_s=0.4 * answered,
        decode_tokens=255 * answered,
        decode_s=255 * tpot_s * answered,
        busy_s=4.0 * second,
        in_flight=4,
    )


def test_a_shortage_is_told_with_what_would_help_and_falls_on_the_later_tier() -> None:
    """Two tenants ask for more than there is: the one of tier 0 has its guarantee, the other reads what it lacks and why."""
    world = World(rack("h20-1", chip="nvidia-h20", gib=95))
    world.run(1)
    view = world.desk.view()
    first = Tenant(name="first", tier=0, guarantees=(Guarantee(chips=("nvidia-h20",), devices=6),))
    world.store.commit(view.version, Changes(tenants=(first, Tenant(name="later", tier=1))))
    for name, tenant in (("a", "later"), ("b", "first")):
        order = replace(an_order("qwen3-8b", name=name, ttft_s=1.0, tpot_s=0.04, rate_rps=40.0), tenant=tenant)
        asyncio.run(world.desk.deploy(order))
    world.run(30)
    devices = {name: sum(each.recipe.devices for each in alive(world, name)) for name in ("a", "b")}
    assert devices["b"] >= 6
    assert devices["a"] + devices["b"] <= 8
    short = next(each for each in world.desk.decisions("a", 50) if each.outcome in {Outcome.SHORT, Outcome.REFUSED})
    assert ReasonCode.BY_PLAN in {each.reason.code for each in short.rejected}
    assert any(change.facts.get("why") == "add_nodes" for change in short.would_change)


def test_more_of_the_same_after_a_node_dies() -> None:
    """What stood on the node that died stands elsewhere, and the rate is carried again."""
    world = World(*a_fleet())
    world.run(1)
    deploy(world, "qwen3-8b", rate_rps=8)
    world.run(15)
    node = ready(world, "qwen3-8b")[0].node
    world.agents.kill(node)
    world.run(40)
    assert all(each.node != node for each in alive(world, "qwen3-8b"))
    assert carried_rps(world, "qwen3-8b") >= 8


def test_a_cpu_fleet_without_objectives_stays_as_it_was() -> None:
    """No goal, no rate: the least number, wherever there is room; traffic changes nothing."""
    world = World(a_node("a", cores=4), a_node("b"))
    world.run(1)
    world.deploy("tiny")
    world.run(5)
    (only,) = alive(world, "tiny")
    come_in(world, "tiny", 5, 60)
    assert [each.id for each in alive(world, "tiny")] == [only.id]
