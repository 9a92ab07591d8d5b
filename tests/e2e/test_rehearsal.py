"""A rehearsed fleet beside this machine: the same commands and clients, real processes, real deaths."""

import threading
from collections.abc import Iterator
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
count = 2
devices = [{ chip = "nvidia-h20", count = 2, speed = 12 }]
"""


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with two rehearsed nodes and a service on one of them."""
    file = tmp_path_factory.mktemp("fleet") / "fleet.toml"
    file.write_text(FLEET)
    with a_cloud() as cloud:
        cloud.up("--fleet", str(file))
        eventually(lambda: {"h20-1", "h20-2"} <= _nodes(cloud).keys(), what="the rehearsed nodes are there")
        cloud.run("deploy", "qwen3-0.6b", "--name", "chat")
        yield cloud


def test_nodes_and_replicas_say_that_they_are_rehearsed(rehearsed: Cloud) -> None:
    """In `status`, in its JSON, and not of this machine's own node."""
    nodes = _nodes(rehearsed)
    assert {name for name, node in nodes.items() if node["rehearsed"]} == {"h20-1", "h20-2"}
    assert len(nodes) == 3
    shown = rehearsed.run("status").stdout
    assert "h20-1/nvidia0 to nvidia1" in shown
    assert "rehearsed: " in shown
    assert "rehearsing 2 nodes with 4 x nvidia-h20" in rehearsed.output
    (replica,) = rehearsed.see("replicas")["replicas"]
    assert replica["recipe"]["chip"] == "nvidia-h20"
    assert replica["recipe"]["evidence"] == "estimated"


def test_the_official_client_talks_to_it_and_the_answer_is_labelled(rehearsed: Cloud) -> None:
    """Streamed and whole are one text; the gateway passes the label on."""
    client = rehearsed.client()
    asked: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}
    whole = client.chat.completions.create(**asked)
    text = "".join(
        chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**asked, stream=True)
    )
    assert text == whole.choices[0].message.content
    assert [int(word.split(":")[0]) for word in text.split()] == list(range(20))
    assert client.chat.completions.with_raw_response.create(**asked).headers["X-Alliage-Rehearsal"] == "true"


def test_it_is_never_measured(rehearsed: Cloud) -> None:
    """A probe of what only keeps a predicted time would measure the prediction."""
    done = rehearsed.run("probe", "chat", "--seconds", "1", "--concurrency", "1", "--output-tokens", "8", check=False)
    assert done.returncode == 2
    assert "rehearsed node" in done.stderr
    assert rehearsed.ask("probe", "--list")["measurements"] == []


def test_a_stream_outlives_the_agent_of_the_rehearsal(rehearsed: Cloud) -> None:
    """Killed in the middle of an answer, it is started again and adopts what runs; nothing of the answer is lost."""
    (before,) = rehearsed.see("replicas")["replicas"]
    words: list[str] = []

    def read() -> None:
        stream = rehearsed.client().chat.completions.create(
            model="chat",
            messages=[{"role": "user", "content": "long"}],
            max_tokens=3000,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        words.extend(chunk.choices[0].delta.content or "" for chunk in stream)

    reading = threading.Thread(target=read)
    reading.start()
    eventually(lambda: len(words) > 50, what="the stream runs")
    agents = rehearsed.pids()["rehearsal"]
    rehearsed.kill("rehearsal")
    reading.join(60)
    assert [int(word.split(":")[0]) for word in "".join(words).split()] == list(range(3000))
    eventually(lambda: rehearsed.pids().get("rehearsal", agents) != agents, what="the agent is back")
    eventually(lambda: _ready(rehearsed) == [before["id"]], what="the replica is adopted")
    again = ("rehearse", "revive", before["node"])
    eventually(lambda: rehearsed.run(*again, check=False).returncode == 0, what="it takes faults again")


def test_engines_that_die_are_started_again(rehearsed: Cloud) -> None:
    """The process of the rehearsed engines is killed: the replica's end is told, and it, or one in its place, comes by itself."""
    (before,) = rehearsed.see("replicas")["replicas"]
    rehearsed.kill("rehearsed-engines")
    eventually(lambda: _failures(rehearsed, before["id"]) != before["failures"], what="its end is told")
    eventually(lambda: bool(_ready(rehearsed)), what="the service is back")
    answer = rehearsed.client().chat.completions.create(
        model="chat", messages=[{"role": "user", "content": "hi"}], max_tokens=3
    )
    assert answer.choices[0].message.content


def test_faults_on_command(rehearsed: Cloud) -> None:
    """A replica that is made to die comes back, or another one in its place; a device that is lost is gone from its node; wrong names are told."""
    eventually(lambda: bool(_ready(rehearsed)), what="the service runs, whatever the tests before did to it")
    (replica,) = rehearsed.see("replicas")["replicas"]
    assert "die" in rehearsed.run("rehearse", "die", replica["id"]).stderr
    eventually(lambda: _failures(rehearsed, replica["id"]) != replica["failures"], what="its end is told")
    eventually(lambda: bool(_ready(rehearsed)), what="the service is back")
    rehearsed.run("rehearse", "lose", "h20-2/nvidia1")
    eventually(lambda: len(_nodes(rehearsed)["h20-2"]["devices"]) == 1, what="the device is gone")
    rehearsed.run("rehearse", "die", "h20-2")
    eventually(lambda: not _nodes(rehearsed)["h20-2"]["connected"], what="the node is gone")
    rehearsed.run("rehearse", "revive", "h20-2")
    eventually(lambda: len(_nodes(rehearsed)["h20-2"]["devices"]) == 2, what="the node is back, whole")
    for wrong, said in ((("die", "nobody"), "nothing rehearsed is called 'nobody'"), (("lose", "h20-1"), "is a node")):
        done = rehearsed.run("rehearse", *wrong, check=False)
        assert done.returncode != 0
        assert said in done.stderr


def test_a_wrong_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """With the file, the value and the way out."""
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET.replace("nvidia-h20", "nvidia-h21"))
    with a_cloud() as cloud:
        done = cloud.run("up", "--port", "0", "--admin-port", "0", "--fleet", str(file), check=False)
    assert done.returncode == 2
    assert "no chip 'nvidia-h21'" in done.stderr


def _nodes(cloud: Cloud) -> dict[str, Any]:
    return {node["id"]: node for node in cloud.see("status")["nodes"]}


def _failures(cloud: Cloud, replica: str) -> int | None:
    """None of one that was given up: it failed too often before, in another test."""
    return next((each["failures"] for each in cloud.see("replicas")["replicas"] if each["id"] == replica), None)


def _ready(cloud: Cloud) -> list[str]:
    return [each["id"] for each in cloud.see("replicas")["replicas"] if each["phase"] == "ready"]
