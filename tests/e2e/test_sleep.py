"""Sleep, live: a rehearsed service that nobody asks holds no device, outlives its control asleep, and is woken by a request."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually

pytestmark = pytest.mark.e2e

FLEET = """
[[sites]]
name = "hall"

[[nodes]]
name = "h20"
site = "hall"
memory_gb = 100
devices = [{ chip = "nvidia-h20", count = 2, speed = 12 }]
"""
SETTINGS = "[control]\nidle_s = 2.0\nrest_s = 2.0\n"


def test_it_sleeps_is_woken_by_a_request_and_dies_with_its_node(tmp_path: Path) -> None:
    """The same replica answers before and after; a killed control finds it asleep; a drained node keeps no sleeper."""
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    with a_cloud(SETTINGS) as cloud:
        cloud.up("--fleet", str(file))
        cloud.run("deploy", "qwen3-0.6b", "--name", "nap", "--min-replicas", "0")
        asleep = eventually(lambda: _one(cloud, "asleep"), what="it is asleep")
        assert asleep["bindings"] == []
        assert asleep["asleep_bytes"] > 10**9
        cloud.kill("control")
        again = eventually(lambda: _one(cloud, "asleep"), what="control is back and knows of it")
        assert (again["id"], again["starts"]) == (asleep["id"], 0)
        answer = cloud.client().chat.completions.create(
            model="nap", messages=[{"role": "user", "content": "hi"}], max_tokens=3
        )
        assert answer.choices[0].message.content
        told = cloud.run("explain", "nap").stdout
        assert "wakes" in told
        eventually(lambda: (one := _one(cloud, "asleep")) and one["id"] == asleep["id"], what="it sleeps again")
        assert f"{asleep['id']} is asleep on h20" in cloud.run("explain", "nap").stdout
        cloud.run("node", "drain", "h20", check=False)
        eventually(lambda: cloud.see("replicas")["replicas"] == [], what="nothing sleeps on a drained node")


def _one(cloud: Cloud, phase: str) -> dict[str, Any] | None:
    """The only replica, once it is in the phase; None while control is away."""
    try:
        found: list[dict[str, Any]] = cloud.see("replicas")["replicas"]
    except OSError:
        return None
    return found[0] if len(found) == 1 and found[0]["phase"] == phase else None
