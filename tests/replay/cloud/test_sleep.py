"""Sleep on a virtual clock, by the real loop: who is idle holds no device, a request wakes it, and nobody is put on what is held."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alliage.control.loop import LoopSettings
from alliage.control.orders import DeployOrder
from alliage.control.taking_out import Word
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.replicas import Replica
from alliage.rehearsal.fleet_file import read_fleet
from alliage.replay.cloud.world import Cloud, Coming
from alliage.replay.requests.trace import Request
from tests.builders import CATALOG

FLEET = """
[[sites]]
name = "hall"

[[nodes]]
name = "h20"
site = "hall"
count = {nodes}
memory_gb = {memory_gb}
devices = [{{ chip = "nvidia-h20", count = {devices} }}]
"""
SMALL, LARGE = ServiceName("qwen3-0.6b"), ServiceName("qwen3-1.7b")


class Watched:
    """A cloud whose state is looked at after each pass: no device is ever held twice, nor a node's memory by more than half."""

    def __init__(self, cloud: Cloud, memory_bytes: float) -> None:
        self.cloud = cloud
        self.memory_bytes = memory_bytes
        self.phases: dict[ServiceName, list[ReplicaPhase]] = {}

    def replicas(self, service: ServiceName) -> tuple[Replica, ...]:
        """Of one service, now."""
        return self.cloud.desk.view().replicas_of(service)

    def play(self, until_s: float, *requests: tuple[float, ServiceName]) -> None:
        """Let time pass, with some requests."""
        coming = [
            Coming(service=service, request=Request(at_s=at_s, prompt_tokens=100, output_tokens=20))
            for at_s, service in requests
        ]
        self.cloud.run(coming, until_s=until_s, look=self._look)

    def _look(self, _: float) -> None:
        view = self.cloud.desk.view()
        held = [binding.device for replica in view.replicas for binding in replica.bindings]
        assert len(held) == len(set(held))
        for node in view.nodes:
            assert sum(each.host_bytes for each in view.replicas if each.node == node.id) <= self.memory_bytes / 2
        for replica in view.replicas:
            seen = self.phases.setdefault(replica.service, [])
            if not seen or seen[-1] is not replica.phase:
                seen.append(replica.phase)
            assert bool(replica.bed) == (replica.phase is ReplicaPhase.ASLEEP) or not replica.bindings


@contextmanager
def a_cloud(
    folder: Path,
    *,
    nodes: int = 1,
    devices: int = 1,
    memory_gb: float = 100.0,
    services: tuple[ServiceName, ...] = (SMALL,),
) -> Iterator[Watched]:
    """Services that may rest, on nodes with memory to sleep in."""
    file = folder / "fleet.toml"
    file.write_text(FLEET.format(nodes=nodes, devices=devices, memory_gb=memory_gb))
    settings = LoopSettings(idle_s=60.0, rest_s=20.0)
    cloud = Cloud(CATALOG, read_fleet(file, CATALOG), prices={"nvidia-h20": 1.0}, settings=settings)
    try:
        for name in services:
            order = DeployOrder(
                model=name, name=None, tenant="default", ttft_s=5.0, tpot_s=0.05, min_replicas=0, max_replicas=None, remote_code=False, dry_run=False,
            )  # fmt: skip
            assert cloud.deploy(order)
        yield Watched(cloud, memory_gb * 1e9)
    finally:
        cloud.close()


def test_an_idle_service_sleeps_and_a_request_wakes_it_in_seconds(tmp_path: Path) -> None:
    """It held a device while it loaded and while it was asked; its first request after the rest waits seconds, not a load."""
    with a_cloud(tmp_path) as seen:
        seen.play(120.0)
        (asleep,) = seen.replicas(SMALL)
        assert (asleep.phase, asleep.bindings, len(asleep.bed)) == (ReplicaPhase.ASLEEP, (), 1)
        assert asleep.host_bytes > 10**9
        assert seen.cloud.desk.view().service(SMALL).phase == "idle"
        seen.play(160.0, (122.2, SMALL))
        (fate,) = seen.cloud.door.fates
        assert fate.is_kept
        assert 0 < fate.held_s < 5
        (same,) = seen.replicas(SMALL)
        assert (same.id, same.phase) == (asleep.id, ReplicaPhase.ASLEEP)
        assert {ReplicaPhase.WAKING, ReplicaPhase.READY, ReplicaPhase.DOZING} <= set(seen.phases[SMALL])
        started, woken = seen.cloud.agents.uses
        assert (started.is_wake, woken.is_wake) == (False, True)
        assert woken.ended_s is not None
        assert woken.ended_s - woken.began_s < 60


def test_two_services_take_turns_on_one_device(tmp_path: Path) -> None:
    """While one serves, the other sleeps on; the one device is never held twice, and both are answered without a load."""
    with a_cloud(tmp_path, services=(SMALL, LARGE)) as seen:
        seen.play(200.0, (80.0, SMALL), (130.0, LARGE))
        assert {each.phase for name in (SMALL, LARGE) for each in seen.replicas(name)} == {ReplicaPhase.ASLEEP}
        assert seen.replicas(SMALL)
        assert seen.replicas(LARGE)
        starts = sum(not use.is_wake for use in seen.cloud.agents.uses)
        seen.play(310.0, (210.0, SMALL), (250.0, LARGE), (251.0, LARGE), (290.0, SMALL))
        assert all(fate.is_answered for fate in seen.cloud.door.fates)
        assert sum(not use.is_wake for use in seen.cloud.agents.uses) == starts


def test_who_finds_no_memory_to_sleep_in_ends(tmp_path: Path) -> None:
    """A node whose memory is smaller than the weights keeps no sleeper: the next request waits for a load."""
    with a_cloud(tmp_path, memory_gb=1.0) as seen:
        seen.play(120.0)
        assert seen.replicas(SMALL) == ()
        assert ReplicaPhase.ASLEEP not in seen.phases[SMALL]


def test_the_sleeper_of_a_dead_node_is_gone_and_another_one_is_loaded(tmp_path: Path) -> None:
    """Its weights were in that machine's memory."""
    with a_cloud(tmp_path, nodes=2) as seen:
        seen.play(120.0)
        (asleep,) = seen.replicas(SMALL)
        node = NodeId(asleep.node)
        seen.cloud.run((), until_s=170.0, kill=[(125.0, node)])
        assert asleep.id not in {each.id for each in seen.replicas(SMALL)}
        seen.play(230.0, (180.0, SMALL))
        (fate,) = seen.cloud.door.fates
        assert fate.is_answered
        assert {use.is_wake for use in seen.cloud.agents.uses} == {False}


def test_a_cordoned_node_keeps_no_sleeper(tmp_path: Path) -> None:
    """Nothing could wake there."""
    with a_cloud(tmp_path) as seen:
        seen.play(120.0)
        (asleep,) = seen.replicas(SMALL)
        assert asleep.phase is ReplicaPhase.ASLEEP
        asyncio.run(seen.cloud.desk.take_out("h20", Word.DRAIN, dry_run=False))
        seen.play(140.0)
        assert seen.replicas(SMALL) == ()
