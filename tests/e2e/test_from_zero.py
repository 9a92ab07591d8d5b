"""A service that has no replica while nobody asks: the first request starts one, is held meanwhile, and is answered."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually

pytestmark = pytest.mark.e2e

FLEET = """
[[sites]]
name = "hall"

[[nodes]]
name = "box"
site = "hall"
devices = [{ chip = "nvidia-h20", count = 1, speed = 12 }]
"""
SETTINGS = """
[control]
hold_s = 1.0
idle_s = 1.0
"""


def test_it_has_nothing_and_the_first_request_wakes_it(tmp_path: Path) -> None:
    """It goes to nothing by itself; one request starts it and is held meanwhile: nobody has to ask twice, and none is refused."""
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    with a_cloud(SETTINGS) as cloud:
        cloud.up("--fleet", str(file))
        eventually(lambda: len(cloud.see("status")["nodes"]) == 2, what="the rehearsed node is there")
        cloud.run("deploy", "qwen3-0.6b", "--name", "chat", "--min-replicas", "0")
        eventually(lambda: _phase(cloud) == "idle" and not _replicas(cloud), what="nothing of it runs")
        _check_answer(cloud)
        events = cloud.run("history", "chat").stdout
        assert "-> idle" in events


def _check_answer(cloud: Cloud) -> None:
    """To one request, by the official client without retries."""
    answer = cloud.client().chat.completions.create(
        model="chat", messages=[{"role": "user", "content": "hi"}], max_tokens=5
    )
    said = answer.choices[0].message.content
    assert said is not None
    assert [int(word.split(":")[0]) for word in said.split()] == list(range(5))


def _phase(cloud: Cloud) -> str:
    (service,) = cloud.see("status")["services"]
    return str(service["phase"])


def _replicas(cloud: Cloud) -> list[Any]:
    return list(cloud.see("replicas")["replicas"])
