"""A stream survives its replica: real engines, a real kill -9 in the middle of an answer, checked to the letter."""

import asyncio
import os
import signal
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from alliage.app.home import Home
from alliage.rehearsal.faults import Ask, Calamity, ask_for_fault
from tests.e2e.cloud import Cloud, a_cloud, eventually
from tests.models.alphabet import alphabet

pytestmark = pytest.mark.e2e

LETTERS = 3500
FLEET = """
[[sites]]
name = "hall"

[[nodes]]
name = "box"
site = "hall"
count = 2
devices = [{ chip = "nvidia-h20", count = 1, speed = 2 }]
"""


def read(cloud: Cloud, chunks: list[Any], **asked: Any) -> tuple[threading.Thread, dict[str, Any]]:
    """Read a stream in a thread of its own; returns, as soon as it is known, which replica answers."""

    def take() -> None:
        chunks.extend(
            cloud.client().chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked)
        )

    reading = threading.Thread(target=take)
    reading.start()
    return reading, eventually(lambda: busy(cloud), what="somebody answers")


def strike(cloud: Cloud, kind: Calamity, node: str) -> None:
    """As `alliage rehearse` does, without its start: on a slow machine the stream would be over before."""
    asyncio.run(ask_for_fault(Home(root=cloud.home).faults_socket, Ask(kind=kind, target=node)))


def continued(cloud: Cloud) -> int:
    """How many answers were gone on with, as the gateway counts."""
    key = (cloud.home / "admin.key").read_text().strip()
    asked = urllib.request.Request(
        cloud.url.removesuffix("/v1") + "/metrics", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(asked) as answer:
        lines = answer.read().decode().splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith("alliage_gateway_continued_total{")))


def busy(cloud: Cloud) -> dict[str, Any] | None:
    """The replica that is answering."""
    replicas: list[dict[str, Any]] = cloud.see("replicas")["replicas"]
    return next((each for each in replicas if each["in_flight"]), None)


def text_of(chunks: list[Any]) -> str:
    """All that was said."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_on_real_llama_cpp(slow_alphabet: Path) -> None:
    """Two replicas of the reciting model; the one that answers is killed: the other recites on from the next letter."""
    with a_cloud() as cloud:
        cloud.up()
        cloud.run("deploy", str(slow_alphabet), "--name", "alphabet", "--min-replicas", "2")
        eventually(
            lambda: [each["phase"] for each in cloud.see("replicas")["replicas"]] == ["ready", "ready"],
            what="both are ready",
        )
        chunks: list[Any] = []
        asked = {"model": "alphabet", "messages": [{"role": "user", "content": "go"}], "max_tokens": LETTERS}
        reading, first = read(cloud, chunks, **asked)
        os.kill(first["live"]["pid"], signal.SIGKILL)
        reading.join(90)
        assert continued(cloud) == 1
        assert text_of(chunks) == alphabet(LETTERS)
        assert len({chunk.id for chunk in chunks}) == 1
        assert chunks[-1].usage.completion_tokens == LETTERS
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"


def test_on_a_rehearsed_fleet_whose_node_dies(tmp_path: Path) -> None:
    """The node that carries the stream dies; what the client reads has every number once, in order."""
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    with a_cloud() as cloud:
        cloud.up("--fleet", str(file))
        eventually(lambda: len(cloud.see("status")["nodes"]) == 3, what="the rehearsed nodes are there")
        cloud.run("deploy", "qwen3-0.6b", "--name", "chat", "--min-replicas", "2")
        eventually(
            lambda: [each["phase"] for each in cloud.see("replicas")["replicas"]] == ["ready", "ready"],
            what="both are ready",
        )
        chunks: list[Any] = []
        asked = {"model": "chat", "messages": [{"role": "user", "content": "go"}], "max_tokens": 6000}
        reading, carrying = read(cloud, chunks, **asked, extra_body={"ignore_eos": True})
        strike(cloud, Calamity.DIE, carrying["node"])
        assert reading.is_alive()
        reading.join(90)
        assert continued(cloud) == 1
        numbers = [int(word.split(":")[0]) for word in text_of(chunks).split()]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) in {
            5999,
            6000,
        }  # the blank at the seam may be said again, which costs a token, and is taken out
        assert len({chunk.id for chunk in chunks}) == 1
        assert chunks[-1].usage.completion_tokens == 6000


def test_held_until_a_successor_is_there(tmp_path: Path) -> None:
    """The only replica's node freezes; the open stream waits until control has put another one elsewhere, and that one goes on.

    Its connections stay open and new ones are accepted: only that nothing is answered tells that it is lost.
    """
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    with a_cloud() as cloud:
        cloud.up("--fleet", str(file))
        eventually(lambda: len(cloud.see("status")["nodes"]) == 3, what="the rehearsed nodes are there")
        cloud.run("node", "cordon", next(each["id"] for each in cloud.see("status")["nodes"] if not each["rehearsed"]))
        cloud.run("deploy", "qwen3-0.6b", "--name", "chat")
        chunks: list[Any] = []
        asked = {"model": "chat", "messages": [{"role": "user", "content": "go"}], "max_tokens": 6000}
        reading, carrying = read(cloud, chunks, **asked, extra_body={"ignore_eos": True})
        assert len(cloud.see("replicas")["replicas"]) == 1
        strike(cloud, Calamity.HANG, carrying["node"])
        assert reading.is_alive()
        reading.join(90)
        assert not reading.is_alive()
        (successor,) = cloud.see("replicas")["replicas"]
        assert successor["node"] != carrying["node"]
        assert continued(cloud) == 1
        numbers = [int(word.split(":")[0]) for word in text_of(chunks).split()]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) in {5999, 6000}  # as above
        assert len({chunk.id for chunk in chunks}) == 1
        assert "is lost" in cloud.run("explain", "chat").stdout
