"""What befalls a replayed cloud, one fault at a time: what goes on, what is told, and what stays as it was."""

import asyncio
from collections.abc import Iterator
from math import isnan
from pathlib import Path

import pytest

from alliage.control.observed import EngineState
from alliage.control.orders import DeployOrder
from alliage.fleet.ids import ServiceName
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase
from alliage.fleet.replicas import Replica
from alliage.rehearsal.fleet_file import read_fleet
from alliage.replay.cloud.door import CLOSED, LEFT
from alliage.replay.cloud.world import Cloud, Coming
from alliage.replay.requests.trace import Request
from tests.builders import CATALOG

FLEET = """
[[sites]]
name = "hall"

[[nodes]]
name = "h20"
site = "hall"
count = 3
devices = [{ chip = "nvidia-h20", count = 1 }]
"""
SERVICE = ServiceName("qwen3-0.6b")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """Three nodes of a card, two gateways, two ready replicas of one service."""
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    made = Cloud(CATALOG, read_fleet(file, CATALOG), prices={}, doors=2)
    order = DeployOrder(
        model=SERVICE, name=None, tenant="default", ttft_s=None, tpot_s=None, min_replicas=2, max_replicas=2, remote_code=False, dry_run=False,
    )  # fmt: skip
    assert made.deploy(order)
    wait(made, 40.0)
    assert [each.phase for each in made.desk.view().replicas] == [ReplicaPhase.READY] * 2
    yield made
    made.close()


def wait(cloud: Cloud, seconds: float) -> None:
    """Control does a pass each second."""
    for _ in range(round(seconds)):
        cloud.advance(cloud.clock.t_s + 1.0)
        cloud.loop.pass_once()


def ask(cloud: Cloud, *, door: int = 0, tokens: int = 5000) -> int:
    """A long request; its key. It has begun to be answered."""
    request = Request(at_s=cloud.clock.t_s, prompt_tokens=50, output_tokens=tokens)
    cloud.arrive(Coming(service=SERVICE, request=request), cloud.doors.all[door])
    cloud.advance(cloud.clock.t_s + 1.0)
    return len(cloud.doors.fates) - 1


def at_work(cloud: Cloud, key: int, *, door: int = 0) -> Replica:
    """The replica that answers it."""
    replica = cloud.doors.all[door].open[key].replica
    return next(each for each in cloud.desk.view().replicas if each.id == replica)


def test_a_machine_that_falls_silent_loses_no_stream(cloud: Cloud) -> None:
    """Nobody closed a connection: both gateways and control find out, the other replica goes on, and a third takes the place."""
    key = ask(cloud)
    old = at_work(cloud, key)
    cloud.agents.freeze(old.node)
    wait(cloud, 8)
    assert at_work(cloud, key).id != old.id
    assert cloud.doors.fates[key].continued == 1
    wait(cloud, 120)
    view = cloud.desk.view()
    assert {node.id: node.phase for node in view.nodes}[old.node] is NodePhase.LOST
    assert [each.phase for each in view.replicas] == [ReplicaPhase.READY] * 2
    fate = cloud.doors.fates[key]
    assert fate.is_answered
    assert sum(piece.tokens for piece in fate.pieces) == 5000


def test_an_engine_that_hangs_is_ended_by_its_agent(cloud: Cloud) -> None:
    """It is asked no more at once; what it was answering goes on elsewhere when its agent ends it."""
    key = ask(cloud, tokens=20_000)
    old = at_work(cloud, key)
    cloud.agents.hang(old.id)
    wait(cloud, 3)
    assert all(each.replica != old.id for each in cloud.doors.all[0].table.routes[SERVICE].upstreams)  # type: ignore[union-attr]
    wait(cloud, 62)
    assert at_work(cloud, key).id != old.id


def test_a_node_that_was_out_of_reach_comes_back_without_what_was_replaced(cloud: Cloud) -> None:
    """Meanwhile it is lost and its replica replaced; what went on there is told to stop, and no card is held twice."""
    key = ask(cloud)
    old = at_work(cloud, key)
    cloud.agents.part(old.node)
    wait(cloud, 60)
    assert old.id not in {each.id for each in cloud.desk.view().replicas}
    assert old.id in cloud.agents.holding[old.node]
    cloud.agents.come_back(old.node)
    wait(cloud, 15)
    assert old.id not in cloud.agents.holding[old.node]
    assert {node.phase for node in cloud.desk.view().nodes} == {NodePhase.READY}


def test_an_agent_that_is_away_costs_nothing(cloud: Cloud) -> None:
    """Its engine is reached, so that it is left alone, through a restart of control too."""
    key = ask(cloud)
    old = at_work(cloud, key)
    cloud.agents.leave(old.node)
    wait(cloud, 20)
    cloud.restart_control()
    wait(cloud, 20)
    assert old.id in {each.id for each in cloud.desk.view().replicas}
    assert cloud.doors.fates[key].continued == 0


def test_a_gateway_that_dies_takes_only_its_own_along(cloud: Cloud) -> None:
    """Its connection closes, and the engine works on that no more; the other gateway's request is answered."""
    mine, other = ask(cloud), ask(cloud, door=1)
    replica = at_work(cloud, mine).id
    cloud.doors.restart(0)
    assert cloud.doors.fates[mine].why == CLOSED
    assert str(mine) not in cloud.engines.asked(replica)
    wait(cloud, 120)
    assert cloud.doors.fates[other].is_answered
    assert cloud.doors.fates[ask(cloud)].ends == 0


def test_a_client_that_leaves_is_worked_for_no_more(cloud: Cloud) -> None:
    """The engine forgets it, and so does the gateway."""
    key = ask(cloud)
    replica = at_work(cloud, key).id
    cloud.doors.all[0].leave(key)
    assert cloud.doors.fates[key].why == LEFT
    assert not cloud.engines.asked(replica)
    assert not cloud.doors.all[0].report().in_flight


def test_a_gateway_that_sees_nothing_loses_no_node(cloud: Cloud) -> None:
    """It is its own trouble: the other one reaches all, control hears all."""
    cloud.doors.all[0].reach.is_blind = True
    key = ask(cloud)
    wait(cloud, 30)
    assert {node.phase for node in cloud.desk.view().nodes} == {NodePhase.READY}
    assert isnan(cloud.doors.fates[key].ended_s)
    cloud.doors.all[0].reach.is_blind = False
    wait(cloud, 60)
    assert cloud.doors.fates[key].is_answered


@pytest.mark.parametrize("is_back", [True, False])
def test_a_drain_waits_for_a_gateway_that_is_away(cloud: Cloud, is_back: bool) -> None:  # noqa: FBT001 - a parameter
    """It may answer through the replica and send it more: that is stopped when it is back without, or when its time is over."""
    cloud.doors.away.add("door-2")
    asyncio.run(cloud.desk.delete(SERVICE))
    wait(cloud, 20)
    assert cloud.agents.cut == []
    if is_back:
        cloud.doors.come_back()
        wait(cloud, 3)
    else:
        wait(cloud, 15)
    assert len(cloud.agents.cut) == 2


@pytest.mark.parametrize("start", [EngineState.ENDED, EngineState.STARTING])
def test_starts_that_go_wrong_are_seen(cloud: Cloud, start: EngineState) -> None:
    """An engine that refuses is told of at once, one that hangs never becomes ready; the other replica serves."""
    old = cloud.desk.view().replicas[0]
    cloud.agents.spoil(old.node, start)
    cloud.agents.end(old.id)
    wait(cloud, 3)
    told = cloud.agents.observe()[old.node].replicas
    assert told[old.id].state is start
    assert cloud.doors.fates[ask(cloud)].ends == 0


def test_a_card_that_falls_off_its_bus_is_told(cloud: Cloud) -> None:
    """What ran on it ends and is placed on another node; the card is there again when it is restored."""
    old = cloud.desk.view().replicas[0]
    cloud.agents.lose_device(old.bindings[0].device)
    wait(cloud, 60)
    view = cloud.desk.view()
    assert all(each.node != old.node for each in view.replicas)
    assert [each.phase for each in view.replicas] == [ReplicaPhase.READY] * 2
    cloud.agents.restore()
    wait(cloud, 2)
    assert cloud.desk.view().device(old.bindings[0].device) is not None
