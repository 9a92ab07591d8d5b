"""What a live view and `explain` are told of the plan: what is aimed at, prices, and what would change."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from alliage.control.aimed import wanted_replicas
from alliage.control.explaining import Explaining
from alliage.control.ports import Changes
from alliage.control.top import Top
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.lifecycles import ReplicaPhase
from tests.builders import a_node
from tests.control.world import World, a_serving_world, an_order
from tests.faces.mixed import a_mixed_world

TINY, CHAT = ServiceName("tiny"), ServiceName("chat")


def test_wanted_is_what_is_aimed_at() -> None:
    """By objective and rate six replicas are aimed at where the least number is one; as many are there."""
    world, _ = a_mixed_world()
    top: Top = world.desk.top(events=5)
    chat = top.view.service("chat")
    assert chat.min_replicas == 1
    assert top.wanted[CHAT] == len(top.view.replicas_of(CHAT)) == 6
    assert top.missing_rps[CHAT] == pytest.approx(1.18, abs=0.01)
    assert len(top.observations) == len(top.decisions) == 5
    assert top.observations[0].at_s == max(each.at_s for each in top.observations)


def test_prices_are_of_the_last_plan() -> None:
    """A kind of nodes that is full and asked for costs more than its list price; one that nobody can use, its list price."""
    world, _ = a_mixed_world()
    prices = {each.chip: each for each in world.desk.top(events=0).prices}
    h20, c500 = prices["nvidia-h20"], prices["metax-c500"]
    assert (h20.site, h20.given, h20.devices) == ("hohhot-1", 16, 16)
    assert h20.price_micros is not None
    assert h20.price_micros > h20.list_micros > 0
    assert (c500.given, c500.price_micros) == (0, c500.list_micros)


def test_before_any_plan_the_least_number_is_wanted() -> None:
    """A control that has just begun aims at nothing yet; nor does it for a service that came since."""
    world = a_serving_world()
    world.restart_control()
    top = world.desk.top(events=3)
    assert (top.wanted, top.prices, top.missing_rps) == ({TINY: 1}, (), {})


def test_replicas_on_a_cordoned_node_are_wanted_and_leaving_ones_are_not() -> None:
    """What stays where nothing new may be placed counts; a service that is deleted wants none."""
    world = a_serving_world(a_node("a"), a_node("b"))
    (replica,) = world.desk.view().replicas
    view = world.desk.view()
    node = view.node(replica.node)
    assert node is not None
    world.store.commit(view.version, Changes(nodes=(replace(node, is_cordoned=True),)))
    world.run(3)
    after = world.desk.view()
    assert [each.id for each in after.replicas] == [replica.id]
    assert world.desk.wanted(after) == {TINY: 1}
    asyncio.run(world.desk.delete("tiny"))
    assert world.desk.wanted(world.desk.view()) == {TINY: 0}


def test_what_it_lacks_of_its_least_number_is_wanted() -> None:
    """Two are asked for and there is room for one."""
    world = World(a_node(cores=1))
    world.run(1)
    world.deploy("tiny")
    world.run(5)
    asyncio.run(world.desk.deploy(an_order(replicas=2)))
    view = world.desk.view()
    world.run(2)
    ready = sum(1 for each in world.desk.view().replicas if each.phase is ReplicaPhase.READY)
    assert (ready, wanted_replicas(view, world.loop.planning.aims)) == (1, {TINY: 2})


def test_top_knows_who_is_on_the_line() -> None:
    """Nodes whose agent is there, and gateways."""
    world = a_serving_world(a_node("a"), a_node("b"))
    world.agents.away.add(NodeId("b"))
    top = world.desk.top(events=0)
    assert top.connected == frozenset({NodeId("a")})
    assert (top.doors, top.observations, top.decisions) == (1, (), ())


def test_explained_by_the_plan_of_now() -> None:
    """What was told, what is planned for, what each replica carries, what lacks, and what would change that."""
    world, _ = a_mixed_world()
    told = asyncio.run(world.desk.explained_by_plan("chat"))
    assert told is not None
    assert (told.told_rps, told.planned_rps) == (12.0, 12.0)
    assert sum(each.count for each in told.aims) == 6
    assert all(each.rate_rps is not None for each in told.aims)
    lacks = told.explanation.lacks
    assert lacks is not None
    assert lacks.because
    assert any(tried.why.facts.get("left") == 0.0 for tried in told.explanation.would_change)
    assert not told.explanation.is_cut_short


def test_nothing_is_said_where_the_plan_knows_nothing() -> None:
    """No such service, or no plan yet."""
    world = a_serving_world()
    assert asyncio.run(world.desk.explained_by_plan("other")) is None
    world.restart_control()
    assert asyncio.run(world.desk.explained_by_plan("tiny")) is None


def test_changes_are_tried_once_a_plan_and_only_while_there_is_time() -> None:
    """Asked again, the same explanation is told; when time is over from the first on, it says that it was cut short."""
    world, _ = a_mixed_world()
    first, again = (asyncio.run(world.desk.explained_by_plan("chat")) for _ in range(2))
    assert first is not None
    assert again is not None
    assert again.explanation is first.explanation

    times_s = itertools.count(world.clock.t_s, 100.0)  # each look at the clock costs more than all the time there is
    world.desk._explaining = Explaining(lambda: next(times_s))
    late = asyncio.run(world.desk.explained_by_plan("chat"))
    assert late is not None
    assert late.explanation.is_cut_short
    assert late.explanation.would_change == ()
    assert late.explanation.chosen == first.explanation.chosen
