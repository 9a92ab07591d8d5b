"""What the gateway sees of engines that keep exactly the time that is predicted, or half of it, on a virtual clock."""

from pathlib import Path

import pytest

from alliage.control.orders import DeployOrder
from alliage.fleet.ids import ServiceName
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
count = 2
devices = [{{ chip = "nvidia-h20", count = 2, speed = {speed} }}]
"""
MODEL = ServiceName("qwen3-8b")
BEGIN_S = 60.0


def told(folder: Path, asked: list[Request], *, until_s: float, speed: float = 1.0) -> list[str]:
    """What the history has of a service that was asked so, as to how fast it is."""
    file = folder / "fleet.toml"
    file.write_text(FLEET.format(speed=speed))
    cloud = Cloud(CATALOG, read_fleet(file, CATALOG), prices={"nvidia-h20": 1.0})
    order = DeployOrder(
        model=MODEL, name=None, tenant="default", ttft_s=None, tpot_s=None, min_replicas=1, max_replicas=1, remote_code=False, dry_run=False,
    )  # fmt: skip
    try:
        assert cloud.deploy(order)
        cloud.run([Coming(service=MODEL, request=one) for one in asked], until_s=until_s)
        return [each.what for each in cloud.desk.history(MODEL, 100) if "predicted" in each.what]
    finally:
        cloud.close()


@pytest.mark.parametrize(("count", "prompt", "answer"), [(48, 500, 150), (16, 4000, 30)])
def test_bursts_are_as_predicted(tmp_path: Path, count: int, prompt: int, answer: int) -> None:
    """Many at once each quarter of a minute, more than the engine takes too, then nobody: nothing is told of its speed."""
    asked = [
        Request(at_s=BEGIN_S + 15.0 * burst + 0.001 * number, prompt_tokens=prompt, output_tokens=answer)
        for burst in range(3)
        for number in range(count)
    ]
    assert told(tmp_path, asked, until_s=BEGIN_S + 75) == []


def test_half_the_speed_is_told_within_a_minute(tmp_path: Path) -> None:
    """Under steady load a device that does half of what its data sheet says is found out."""
    asked = [Request(at_s=BEGIN_S + 0.4 * number, prompt_tokens=500, output_tokens=150) for number in range(150)]
    assert told(tmp_path, asked, until_s=BEGIN_S + 60, speed=0.5)
    assert told(tmp_path, asked, until_s=BEGIN_S + 60) == []
