"""The command line's pure parts: tables, references, steps, and what may reach a terminal."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType
from syrupy.assertion import SnapshotAssertion

from alliage.control.observed import EngineState
from alliage.errors import NotFound, Unavailable
from alliage.faces.admin import answers, tell
from alliage.faces.cli import tables
from alliage.faces.cli.chatting import pick, texts_in
from alliage.faces.cli.deploying import Step, step_of, telling
from alliage.faces.cli.reference import model_reference
from alliage.faces.cli.screen import show_json
from alliage.faces.telling import error_text, printable
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.replicas import Evidence
from alliage.units import MIB
from tests.builders import CATALOG, a_node, a_node_report, a_replica, a_replica_report
from tests.control.world import World


def drawn(*parts: RenderableType) -> list[str]:
    """Lines at a fixed width, without colours."""
    console = Console(file=io.StringIO(), width=160, no_color=True, highlight=False)
    for part in parts:
        console.print(part)
    written = console.file
    assert isinstance(written, io.StringIO)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def a_replica_answer(phase: ReplicaPhase, *, fetched: int = 0, note: str = "") -> answers.ReplicaAnswer:
    """A replica as the API tells it."""
    report = replace(
        a_replica_report("tiny-000001", EngineState.FETCHING),
        fetched_bytes=fetched,
        total_bytes=94 * MIB if fetched else 0,
    )
    replica = replace(a_replica(phase=phase), note=note)
    return tell._replica(replica, a_node_report(a_node(), report), (), replica.recipe.evidence)


def test_tables(snapshot: SnapshotAssertion) -> None:
    """What each noun's table shows, drawn from the real desk's answers."""
    world = World(a_node())
    world.run(1)
    assert world.deploy("one")
    world.run(3)
    view = world.desk.view()
    now_s = world.clock.now_s() + 90
    shown = [
        tables.nodes_table(tell.tell_nodes(world.desk, view)),
        tables.services_table(tell.tell_services(world.desk, view), now_s=now_s),
        tables.replicas_table(tell.tell_replicas(world.desk, view), now_s=now_s),
        tables.models_table([tell.tell_model(CATALOG.models[name]) for name in ("qwen3-235b-a22b", "smollm2-135m")]),
        tables.replicas_table([a_replica_answer(ReplicaPhase.FETCHING, fetched=12 * MIB)], now_s=60),
    ]
    assert drawn(*shown) == snapshot


def test_values_are_not_markup() -> None:
    """A note with brackets or escape sequences is shown as it is, less what drives a terminal."""
    row = drawn(tables.replicas_table([a_replica_answer(ReplicaPhase.BACKOFF, note="[red]\x1b[2Jno")], now_s=0))[1]
    assert "[red][2Jno" in row


def test_printable_keeps_text() -> None:
    """Letters of every language, lines and tabs stay; what drives a terminal goes."""
    assert printable("é漢\n\tx\x1b[31m\x07\x9b\r") == "é漢\n\tx[31m"


def test_an_error_is_two_lines() -> None:
    """What was wrong and the way out; none, no second line; nothing in it drives a terminal."""
    assert error_text(NotFound("no \x1b[2J", remedy="take \x07 another")) == "error: no [2J\n  try: take  another"
    assert error_text(NotFound("no")) == "error: no"


def test_json_is_free_of_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    """Also of those that JSON may hold as they are; what it says stays the same."""
    show_json(json.dumps({"é\x9b": "\x1b\x7f\x9b漢"}))
    out = capsys.readouterr().out
    assert out == '{\n  "é\\u009b": "\\u001b\\u007f\\u009b漢"\n}\n'
    assert json.loads(out) == {"é\x9b": "\x1b\x7f\x9b漢"}


def test_a_live_line_drives_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine's last words in the progress line set no title of the terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with telling("m") as tell:
        tell(Step(words="waiting (\x1b]0;title\x07)"))
    err = capsys.readouterr().err
    assert "m: waiting (]0;title)" in err
    assert "\x1b]0;" not in err


@pytest.mark.parametrize(
    "data", ["", "{", "5", "null", '"x"', "[1]", '{"choices": 5}', '{"choices": [5]}', '{"error": "no"}']
)
def test_what_is_no_chunk_is_told(data: str) -> None:
    """An event that is no part of an answer ends it with a clear error."""
    with pytest.raises(Unavailable, match="no part of an answer"):
        texts_in(data)


def test_texts_of_a_chunk() -> None:
    """The new texts; an engine's own error is told in its words."""
    assert texts_in('{"choices": [{"delta": {"content": "a"}}, {"delta": null}, {"delta": {"content": ""}}]}') == ["a"]
    assert texts_in('{"usage": {}, "choices": null}') == []
    with pytest.raises(Unavailable, match="out of slots"):
        texts_in('{"error": {"message": "out of slots"}}')


@pytest.mark.parametrize(
    ("cores", "text"), [((0,), "0"), ((0, 1, 2, 5), "0-2,5"), ((3, 1), "1,3"), ((), ""), (tuple(range(64)), "0-63")]
)
def test_core_ranges(cores: tuple[int, ...], text: str) -> None:
    """Many cores stay readable."""
    assert tables.core_ranges(cores) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (100_000, "27 h"), (1e6, "11 d")],
)
def test_ago(seconds: float, text: str) -> None:
    """Ages are whole and short; a clock that went back is no age."""
    assert tables.ago(seconds) == text


def test_model_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and hub ids pass, paths become absolute, and a name of the catalogue wins over a file of that name."""
    monkeypatch.chdir(tmp_path)
    for folder in ("known", "here", "org/there"):
        (tmp_path / folder).mkdir(parents=True)
    cases = {
        "known": "known",
        "other": "other",
        "here": f"{tmp_path}/here",
        "./known": f"{tmp_path}/known",
        "x.gguf": f"{tmp_path}/x.gguf",
        "X.GGUF": f"{tmp_path}/X.GGUF",
        "org/name": "org/name",
        "org/name@main": "org/name@main",
        "org/name#sub/x.gguf": "org/name#sub/x.gguf",
        "org/x.gguf": f"{tmp_path}/org/x.gguf",
        "org/there": f"{tmp_path}/org/there",
        "a/b/c": f"{tmp_path}/a/b/c",
        "hf:org/name": "hf:org/name",
        "pypi:a==1#b.gguf": "pypi:a==1#b.gguf",
        "file:x": f"{tmp_path}/x",
        "~/m": str(Path("~/m").expanduser()),
        "/abs/m": "/abs/m",
    }
    assert {text: model_reference(text, catalogue={"known"}) for text in cases} == cases


def test_steps() -> None:
    """Progress shows the slowest replica, with bytes while files come."""
    assert step_of([]) == Step(words="waiting for a replica")
    ready, starting = a_replica_answer(ReplicaPhase.READY), a_replica_answer(ReplicaPhase.STARTING)
    coming = a_replica_answer(ReplicaPhase.FETCHING, fetched=MIB)
    assert step_of([ready, starting]) == Step(words="starting")
    assert step_of([ready, starting, coming]) == Step(words="fetching", done_bytes=MIB, total_bytes=94 * MIB)
    failed = a_replica_answer(ReplicaPhase.BACKOFF, note="bad magic")
    assert step_of([coming, failed]).words == "waiting to start again (bad magic)"


def test_pick() -> None:
    """Chat takes the first service that is ready, else one that is starting, else one at rest, else says what there is."""
    world = World(a_node())
    world.run(1)
    assert world.deploy("one")
    world.run(3)
    (ready,) = tell.tell_services(world.desk, world.desk.view())
    starting = ready.model_copy(update={"name": "late", "phase": "starting"})
    embedding = ready.model_copy(
        update={"name": "embed", "model": ready.model.model_copy(update={"tasks": ("embed",)})}
    )
    assert pick((embedding, starting, ready)) == "one"
    assert pick((embedding, starting)) == "late"
    idle = ready.model_copy(update={"name": "idle", "phase": "idle"})
    assert pick((embedding, idle, starting)) == "late"
    assert pick((embedding, idle)) == "idle"
    with pytest.raises(NotFound, match=r"services: embed \(ready\)"):
        pick((embedding,))


def test_live_follows_the_report() -> None:
    """What really runs is told from the agent's report, and is null while the agent is away."""
    assert a_replica_answer(ReplicaPhase.READY).live is not None
    assert tell._live(a_replica(), None) is None
    assert tell._replica(a_replica(), None, (), Evidence.ESTIMATED).id == ReplicaId("tiny-000001")
    assert tell._replica(a_replica(), None, (), Evidence.ESTIMATED).node == NodeId("laptop")
