"""`alliage top`: its frames at several sizes, the route behind it, and the command on a terminal and into a pipe."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx2
import pytest
from rich.text import Text
from syrupy.assertion import SnapshotAssertion

from alliage.control.ports import Changes
from alliage.faces.admin.tell_top import tell_top
from alliage.faces.admin.top_answers import TopAnswer
from alliage.faces.cli.top_lines import Section, shares
from alliage.faces.cli.top_view import frame
from alliage.fleet.ids import NodeId
from alliage.fleet.traffic import Traffic
from tests.builders import a_node
from tests.control.world import World
from tests.faces.mixed import a_mixed_world
from tests.faces.served import USER_KEY, served
from tests.faces.shell import alliage
from tests.faces.test_cli import on_terminal

EVENTS = 12


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    """Times are shown in local time: here in UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture(scope="module")
def busy() -> TopAnswer:
    """The four makers and a laptop under load; one node is drained, one is silent, an answer was continued."""
    world, doors = a_mixed_world()
    view = world.desk.view()
    drained = view.node(NodeId("metax-2"))
    assert drained is not None
    world.store.commit(view.version, Changes(nodes=(replace(drained, is_cordoned=True, is_draining=True),)))
    world.agents.away.add(NodeId("metax-1"))
    for second in range(20):
        went_well = second != 5
        doors.add(
            "chat",
            Traffic(
                asked=9,
                answered=8,
                failed=0 if went_well else 1,
                continued=0 if went_well else 2,
                first_tokens=8,
                ttft_s=8 * 0.412,
                paced=8,
                tpot_s=8 * 0.0331,
                kept=8,
                missed=0 if went_well else 1,
                held=1,
                in_flight=7,
            ),
        )
        world.run(1)
    return tell_top(world.desk, version="9.9.9", events=EVENTS, is_admin=True)


def plain(lines: list[Text]) -> list[str]:
    """Without colours."""
    return [line.plain.rstrip() for line in lines]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 45), (1000, None)])
def test_frames(busy: TopAnswer, width: int, height: int | None, snapshot: SnapshotAssertion) -> None:
    """A small terminal, a wide one, and a pipe; nothing is wider or longer than there is room."""
    lines = frame(busy, width=width, height=height)
    assert max(line.cell_len for line in lines) <= width
    assert height is None or len(lines) <= height
    assert plain(lines) == snapshot


@pytest.mark.parametrize("height", range(1, 60))
def test_any_size_has_a_frame(busy: TopAnswer, height: int) -> None:
    """However small a terminal is made, a frame fits it; the services come first."""
    for width in (8, 40, 81, 120):
        lines = frame(busy, width=width, height=height, trouble="control is away")
        assert len(lines) <= height
        assert all(line.cell_len <= width for line in lines)
    if height > 8:
        assert any("chat" in line for line in plain(frame(busy, width=80, height=height)))


def test_what_is_told(busy: TopAnswer) -> None:
    """Figures of the window by hand: 9 asked and 8 answered a second for 19 s, one of 153 judged failed."""
    (chat,) = [each for each in busy.services if each.name == "chat"]
    assert chat.seen is not None
    assert chat.seen.asked_rps == pytest.approx(9 * 19 / chat.seen.window_s, rel=0.06)
    assert chat.seen.ttft_s == pytest.approx(0.412)
    assert chat.seen.tpot_s == pytest.approx(0.0331)
    assert (chat.seen.failed, chat.seen.continued, chat.seen.held, chat.seen.in_flight) == (1, 2, 1, 7)
    assert chat.seen.kept_share == pytest.approx(152 / 153)
    assert chat.replicas_wanted == chat.replicas_ready == 6
    hohhot, local = busy.sites
    assert (hohhot.nodes, hohhot.ready, hohhot.unreachable, hohhot.cordoned, hohhot.rehearsed) == (8, 7, 1, 1, 8)
    assert (hohhot.devices, hohhot.devices_bound, local.devices_bound) == (80, 64, 1)
    assert [each.at_s for each in busy.events] == sorted((each.at_s for each in busy.events), reverse=True)
    assert len(busy.events) == EVENTS


def test_decisions_are_events_of_one_line() -> None:
    """Placed, started again, refused, stopped: where by node and devices, with the reason where it is not a placement."""
    world = World(a_node())
    world.run(1)
    world.deploy("tiny")
    world.run(5)
    (replica,) = world.desk.view().replicas
    world.agents.end(replica.id, why="killed by signal 9")
    world.run(5)
    world.deploy("tiny", replicas=9)
    world.run(2)
    asyncio.run(world.desk.delete("tiny"))
    world.run(20)
    texts = [each.text for each in tell_top(world.desk, version="9.9.9", events=200, is_admin=True).events]
    decided = [text for text in texts if "replica on" in text or "cannot" in text]
    assert decided[-1] == "tiny: a replica on 1 core of laptop by llama.cpp Q4_1"
    assert any(
        text.startswith("tiny: a replica on 1 core of laptop is started again: the engine of") for text in decided
    )
    assert any(text.startswith("tiny: a replica on 1 core of laptop is stopped: tiny-") for text in decided)
    assert all("\n" not in text for text in texts)


def test_an_empty_cloud_says_so() -> None:
    """No node, no service, nothing seen: each says what is missing, and nothing divides by zero."""
    world = World()
    world.run(1)
    world.doors.away = True
    text = "\n".join(plain(frame(tell_top(world.desk, version="9.9.9", events=9, is_admin=True), width=80, height=24)))
    assert "no gateway connected  0 of 0 nodes ready" in text
    assert "deploy one: alliage deploy MODEL" in text
    assert "none: no node has joined" in text


def test_devices_taken_out_one_by_one_are_told() -> None:
    """A device that is drained alone stands in its node's row."""
    world = World(a_node("a"))
    world.run(1)
    view = world.desk.view()
    (node,) = view.nodes
    cpu = node.devices[0].id
    world.store.commit(view.version, Changes(nodes=(replace(node, cordoned=(cpu,), draining=(cpu,)),)))
    text = "\n".join(plain(frame(tell_top(world.desk, version="9.9.9", events=0, is_admin=True), width=80, height=24)))
    assert "0 of 2 cores of cpu-x86 (1 draining)" in text


def test_what_others_wrote_drives_no_terminal(busy: TopAnswer) -> None:
    """Escape sequences and line ends in an event are not passed on."""
    dirty = busy.events[0].model_copy(update={"text": "bad\x1b[2J\nline"})
    lines = plain(frame(busy.model_copy(update={"events": (dirty,)}), width=80, height=None))
    assert lines[-1].endswith("bad[2J line")


def test_lines_are_shared() -> None:
    """Each in turn, by weight, until it has what it wants; what is left over goes on."""
    assert shares([2, 9, 0, 9], [1, 1, 1, 2], 10) == [2, 3, 0, 5]
    assert shares([1, 1], [1, 1], 10) == [1, 1]
    assert shares([3, 3], [1, 1], -2) == [0, 0]
    rows = [Text(str(number)) for number in range(5)]
    assert plain(Section(heading=Text("H"), rows=rows).lines(3)) == ["H", "0", "1", "  and 3 more"]


def test_every_key_may_look() -> None:
    """The route needs a key, of any role; the number of events is bounded."""
    with served() as cloud:
        url = f"{cloud.url}/v1/top"
        assert httpx2.get(url, trust_env=False).status_code == 401
        headers = {"Authorization": f"Bearer {USER_KEY}"}
        answer = httpx2.get(url, params={"events": 1}, headers=headers, trust_env=False)
        assert answer.status_code == 200
        assert len(TopAnswer.model_validate_json(answer.text).events) == 1
        assert httpx2.get(url, params={"events": 501}, headers=headers, trust_env=False).status_code == 400


def test_the_command(tmp_path: Path) -> None:
    """One frame into a pipe, JSON for machines, live on a terminal until Ctrl-C, which ends it quietly."""
    home = tmp_path / "home"
    with served() as cloud:
        cloud.announce(home)
        once = alliage("top", home=home)
        assert (once.code, once.err) == (0, "")
        assert once.out.startswith("Alliage 9.9.9  ")
        assert "1 of 2 cores" not in once.out
        seen = json.loads(alliage("top", "--json", home=home).out)
        assert [each["id"] for each in seen["nodes"]] == ["laptop"]
        hasty = alliage("top", "--interval", "1ms", home=home)
        assert hasty.code == 2
        assert "give 0.2 s at least" in hasty.err
        with on_terminal(home, "top", "--interval", "200ms", TERM="xterm") as terminal:
            terminal.expect("EVENTS, THE NEWEST FIRST")
            terminal.expect("EVENTS, THE NEWEST FIRST")
            terminal.process.send_signal(signal.SIGINT)
            terminal.expect("\x1b[?1049l")
            assert terminal.process.wait(20) == 0
            assert b"Traceback" not in terminal.seen


def test_every_column_is_documented(busy: TopAnswer) -> None:
    """What a frame shows is told in docs/watching.md by the name that stands above it."""
    told = (Path(__file__).parents[2] / "docs" / "watching.md").read_text()
    lines = plain(frame(busy, width=1000, height=None))
    heads = [after for before, after in pairwise(lines) if not before]
    titles = {
        title for head in heads for title in re.split(r"  +", head) if title not in {"SERVICE", "PHASE", "SITE", "NODE"}
    }
    by_section = {"REGION", "NODES", "UNREACHABLE", "LOST", "CORDONED", "REPLICAS"}
    assert {"GOAL", "SCARCITY", "STATE"} <= titles
    for title in titles - by_section - {"PRICE OF A DEVICE-HOUR", "EVENTS, THE NEWEST FIRST"}:
        assert f"`{title}`" in told, title
