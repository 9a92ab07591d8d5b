"""The real loop on a virtual clock: a tiny cloud is killed in part, and is the same every time."""

from collections import Counter
from math import isnan
from pathlib import Path

import pytest

from alliage.control.orders import DeployOrder
from alliage.errors import BadInput
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.traffic import Traffic
from alliage.rehearsal.fleet_file import read_fleet
from alliage.replay.cloud.bursts import Bursts, Lengths, draw_requests
from alliage.replay.cloud.experiment import read_experiment
from alliage.replay.cloud.fates import tally
from alliage.replay.cloud.world import Cloud, Coming
from tests.builders import CATALOG

FLEET = """
[[sites]]
name = "hall"

[[nodes]]
name = "h20"
site = "hall"
count = 3
devices = [{ chip = "nvidia-h20", count = 2 }]
"""
SERVICES = (ServiceName("qwen3-0.6b"), ServiceName("qwen3-1.7b"))
ROOT = Path(__file__).parents[3]


def some_bursts(*, rate_rps: float = 6.0, length_s: float = 60.0) -> Bursts:
    """Short requests, more on than off."""
    return Bursts(
        rate_rps=rate_rps,
        zipf=1.2,
        on_s=40.0,
        off_s=10.0,
        length_s=length_s,
        prompt=Lengths(median=200, sigma=0.5, least=16, most=1000),
        output=Lengths(median=150, sigma=0.5, least=1, most=400),
    )


def a_cloud(folder: Path) -> Cloud:
    """Six devices, two services of which each has one replica at least."""
    file = folder / "fleet.toml"
    file.write_text(FLEET)
    cloud = Cloud(CATALOG, read_fleet(file, CATALOG), prices={"nvidia-h20": 1.0})
    for name in SERVICES:
        order = DeployOrder(
            model=name, name=None, tenant="default", ttft_s=2.0, tpot_s=0.05, min_replicas=1, max_replicas=None, remote_code=False, dry_run=False,
        )  # fmt: skip
        assert cloud.deploy(order)
    return cloud


def one_run(folder: Path, *, seed: int) -> tuple[Cloud, str]:
    """A minute of traffic with the death of a node that serves; what became of all, as text."""
    cloud = a_cloud(folder)
    try:
        cloud.run((), until_s=40.0)
        node = NodeId(next(name for name, report in cloud.agents.observe().items() if report.replicas))
        requests = [
            Coming(service=one.service, request=shifted)
            for one in draw_requests(some_bursts(), SERVICES, seed)
            for shifted in [type(one.request)(at_s=one.request.at_s + 40.0, prompt_tokens=one.request.prompt_tokens,
                                              output_tokens=one.request.output_tokens)]
        ]  # fmt: skip
        cloud.run(requests, until_s=100.0, kill=[(70.0, node)])
    finally:
        cloud.close()
    return cloud, repr((cloud.door.fates, cloud.agents.uses))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of a run depends on real time, on hashes or on the folder of its store; another seed is another run."""
    (_, first), (_, again), (_, other) = (one_run(tmp_path, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_request_ends_once_though_a_node_dies(tmp_path: Path) -> None:
    """What the dead node was answering goes on elsewhere, and the door's sums come to what its clients saw."""
    cloud, _ = one_run(tmp_path, seed=1)
    fates = cloud.door.fates
    assert fates
    assert not any(isnan(fate.ended_s) for fate in fates)
    assert any(fate.continued for fate in fates)
    assert all(fate.first_s <= fate.ended_s for fate in fates if fate.is_answered)
    (door,) = cloud.doors.observe()
    counts = Counter(fate.service for fate in fates)
    for name, traffic in door.traffic.items():
        assert traffic.asked == counts[name] == traffic.answered + traffic.failed
        assert traffic.kept + traffic.missed == traffic.asked
        assert (traffic.held, traffic.in_flight) == (0, 0)
        assert traffic.kept == sum(fate.is_kept for fate in fates if fate.service == name)
        assert isinstance(traffic, Traffic)
    assert not any(stats.in_flight for stats in door.replicas.values())
    assert tally(fates).kept > 0.5


def test_shares_of_traffic_follow_zipf() -> None:
    """Over a long time the first of two services is asked 2^1.2 times as often, at the rate that was named."""
    requests = draw_requests(some_bursts(length_s=20_000.0), SERVICES, 3)
    counts = Counter(one.service for one in requests)
    assert counts[SERVICES[0]] / counts[SERVICES[1]] == pytest.approx(2**1.2, rel=0.1)
    assert len(requests) / 20_000 == pytest.approx(6.0, rel=0.1)
    assert [one.request.at_s for one in requests] == sorted(one.request.at_s for one in requests)


def test_the_committed_experiment_is_read(tmp_path: Path) -> None:
    """Number 3's file names ten models of the catalogue; a mistake in one is told with its place."""
    path = ROOT / "bench" / "shared" / "experiment.toml"
    experiment = read_experiment(path)
    assert len(experiment.models) == 10
    assert set(experiment.models) <= CATALOG.models.keys()
    spoiled = tmp_path / "experiment.toml"
    spoiled.write_text(path.read_text().replace("zipf = 1.2", "zipf = -1"))
    with pytest.raises(BadInput, match="zipf"):
        read_experiment(spoiled)
