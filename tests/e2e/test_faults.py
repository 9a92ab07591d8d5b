"""What dies in a rehearsed fleet of two sites is replaced elsewhere, live: real processes, real connections, a client that asks on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually

pytestmark = pytest.mark.e2e

FLEET = """
[[sites]]
name = "north"

[[sites]]
name = "south"

[[nodes]]
name = "n"
site = "north"
count = 2
devices = [{ chip = "nvidia-h20", count = 2, speed = 12 }]

[[nodes]]
name = "s"
site = "south"
count = 2
devices = [{ chip = "nvidia-h20", count = 2, speed = 12 }]
"""
SETTINGS = """
[agent]
health_every_s = 0.2
health_timeout_s = 0.3
health_failures = 2
ill_s = 3.0
"""
HUNG_S = (0.2 + 0.3) * 2
NOTICED_S = 5.0
"""What is promised: from a fault to the table without what it hit."""
SLACK_S = 5.0
"""For a machine that is busy with other things: a promise in seconds is not what decides here."""
OURS = {"n-1", "n-2", "s-1", "s-2"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fleet."""
    file = tmp_path_factory.mktemp("fleet") / "fleet.toml"
    file.write_text(FLEET)
    return file


@pytest.fixture(scope="module")
def cloud(file: Path) -> Iterator[Cloud]:
    """Four rehearsed nodes in two sites, a service on one of them, and control that has settled."""
    with a_cloud(SETTINGS) as cloud:
        cloud.up("--fleet", str(file))
        eventually(lambda: set(_nodes(cloud)) > OURS, what="this machine and the rehearsed nodes are there")
        cloud.run("node", "cordon", _real(cloud))
        cloud.run("deploy", "qwen3-0.6b", "--name", "chat")
        eventually(lambda: cloud.see("history", "chat")["observations"], what="something is told of it")
        yield cloud


def test_a_lost_device_is_replaced(cloud: Cloud) -> None:
    """Its replica leaves, another one is ready on a device that is there."""
    before = _ready(cloud)
    device = before["bindings"][0]["device"]
    cloud.run("rehearse", "lose", device)
    after = eventually(lambda: _other(cloud, before), what="a successor is ready")
    assert after["bindings"][0]["device"] != device
    assert _answers(cloud)
    cloud.run("rehearse", "revive", before["node"])


def test_a_hung_replica_is_taken_out_within_its_deadline_and_started_again(cloud: Cloud) -> None:
    """It is ready no more once its probes have failed so often; when it has been ill for long it is ended, and it, or another, comes back."""
    before = _ready(cloud)
    cloud.run("rehearse", "hang", before["id"])
    eventually(lambda: not _all_ready(cloud), within_s=HUNG_S + NOTICED_S + SLACK_S, what="it is out of the table")
    eventually(lambda: _was_ended(cloud, before), what="it was ended")
    eventually(lambda: bool(_all_ready(cloud)), what="it is back")
    assert _answers(cloud)


def test_a_node_that_refuses_starts_says_so(cloud: Cloud) -> None:
    """The replica waits before its next start, or is given up there, with the reason; revived, it is served again."""
    before = _ready(cloud)
    cloud.run("rehearse", "refuse", before["node"])
    cloud.run("rehearse", "die", before["id"])
    eventually(lambda: _is_told(cloud, "refused to start"), what="the refusal is told")
    cloud.run("rehearse", "revive", before["node"])
    eventually(lambda: bool(_all_ready(cloud)), what="it is back")


def test_a_drain_moves_a_service_that_is_asked_all_the_while(cloud: Cloud) -> None:
    """No request fails; the node is empty at the end."""
    before = _ready(cloud)
    cloud.run("node", "drain", before["node"], "--no-wait")
    after = eventually(lambda: _answers(cloud) and _other(cloud, before), what="a successor is ready")
    assert after["node"] != before["node"]
    eventually(lambda: _answers(cloud) and len(_replicas(cloud)) == 1, what="the old one is gone")
    cloud.run("node", "uncordon", before["node"])


def test_a_node_that_dies_is_replaced(cloud: Cloud) -> None:
    """Its agent is away and the gateway reaches nothing there: lost, replaced, and back when it is revived."""
    before = _ready(cloud)
    cloud.run("rehearse", "die", before["node"])
    eventually(
        lambda: before["id"] not in {each["id"] for each in _replicas(cloud)},
        within_s=NOTICED_S + SLACK_S,
        what="its replica is given up",
    )
    assert _nodes(cloud)[before["node"]]["phase"] == "lost"
    eventually(lambda: _other(cloud, before), what="a successor is ready")
    assert _answers(cloud)
    assert "is lost" in cloud.run("explain", "chat").stdout
    cloud.run("rehearse", "revive", before["node"])
    eventually(lambda: _nodes(cloud)[before["node"]]["phase"] == "ready", what="the node is back")


def test_a_node_that_stands_still_is_replaced(cloud: Cloud) -> None:
    """Nobody closes its lines: its agent's silence is what is noticed."""
    before = _ready(cloud)
    cloud.run("rehearse", "hang", before["node"])
    eventually(
        lambda: before["id"] not in {each["id"] for each in _replicas(cloud)},
        within_s=NOTICED_S + SLACK_S,
        what="its replica is given up",
    )
    eventually(lambda: _other(cloud, before), what="a successor is ready")
    assert _answers(cloud)
    cloud.run("rehearse", "revive", before["node"])
    eventually(lambda: _nodes(cloud)[before["node"]]["phase"] == "ready", what="the node is back")


def test_a_site_that_dies_is_replaced_by_the_other(cloud: Cloud) -> None:
    """Half of the fleet at once, with all that runs."""
    before = _ready(cloud)
    site = _nodes(cloud)[before["node"]]["site"]
    told = cloud.run("rehearse", "die", site).stderr
    assert told.count(" died with ") == 2
    after = eventually(lambda: _other(cloud, before), what="a successor is ready")
    assert _nodes(cloud)[after["node"]]["site"] not in (site, "local")
    assert _answers(cloud)
    cloud.run("rehearse", "revive", site)
    eventually(
        lambda: all(node["phase"] == "ready" for node in _nodes(cloud).values()),
        what="the site is back",
    )


def test_nodes_that_no_file_has_are_dropped_at_the_next_start(cloud: Cloud, file: Path) -> None:
    """Without `--fleet`: only this machine is left, and the service waits for a place; with it again it is served again."""
    assert cloud.process is not None
    cloud.process.terminate()
    cloud.wait_end()
    cloud.up()
    eventually(lambda: not OURS & set(_nodes(cloud)), what="the rehearsed nodes are gone")
    assert _replicas(cloud) == []
    assert cloud.process is not None
    cloud.process.terminate()
    cloud.wait_end()
    cloud.up("--fleet", str(file))
    eventually(lambda: set(_nodes(cloud)) >= OURS, what="the rehearsed nodes are back")
    _ready(cloud)


def _nodes(cloud: Cloud) -> dict[str, Any]:
    return {node["id"]: node for node in cloud.see("status")["nodes"]}


def _real(cloud: Cloud) -> str:
    return next(name for name, node in _nodes(cloud).items() if not node["rehearsed"])


def _replicas(cloud: Cloud) -> list[Any]:
    return list(cloud.see("replicas")["replicas"])


def _was_ended(cloud: Cloud, before: Any) -> bool:
    """It was started again, or with the third failure in a row given up where it was."""
    now = next((each for each in _replicas(cloud) if each["id"] == before["id"]), None)
    return now is None or now["starts"] > before["starts"]


def _is_told(cloud: Cloud, words: str) -> bool:
    """Of a replica that is there, or of one that was given up after its third failure."""
    return words in json.dumps(_replicas(cloud)) + cloud.run("explain", "chat").stdout


def _all_ready(cloud: Cloud) -> list[Any]:
    return [each for each in _replicas(cloud) if each["phase"] == "ready"]


def _ready(cloud: Cloud) -> Any:
    return eventually(lambda: next(iter(_all_ready(cloud)), None), what="a replica is ready")


def _other(cloud: Cloud, before: Any) -> Any:
    return next((each for each in _all_ready(cloud) if each["id"] != before["id"]), None)


def _answers(cloud: Cloud) -> bool:
    answer = cloud.client().chat.completions.create(
        model="chat", messages=[{"role": "user", "content": "hi"}], max_tokens=3
    )
    return bool(answer.choices[0].message.content)
