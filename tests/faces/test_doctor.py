"""`alliage doctor` as a person runs it, and what it prints of a machine with problems."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from alliage.app.doctor import Examination
from alliage.faces.cli import doctor
from alliage.fleet.ids import DeviceId
from alliage.fleet.nodes import Device
from alliage.runtimes.detection.problems import Lack, Problem
from tests.builders import a_node
from tests.faces.shell import alliage

SICK = Examination(
    node=a_node(),
    free_bytes={},
    problems=(Problem(stack="nvidia", lack=Lack.DRIVER, what="no \x1b[31mdriver", fix="sudo mend it"),),
)


def test_it_examines_this_machine_without_a_cloud(tmp_path: Path) -> None:
    """Exit code 0 and a last line that says so, or 1 with what is missing and its fix."""
    ran = alliage("doctor", home=tmp_path / "none")
    assert ran.code in (0, 1), ran.err
    assert "cpu0" in ran.out
    assert "llama.cpp" in ran.out
    assert ("nothing is missing" in ran.out) == (ran.code == 0)
    assert ("fix: " in ran.out) == (ran.code == 1)


def test_as_json_it_is_json_and_nothing_else(tmp_path: Path) -> None:
    """The same facts; `fine` is what the exit code says."""
    ran = alliage("doctor", "--json", home=tmp_path / "none")
    told = json.loads(ran.out)
    assert told["fine"] == (ran.code == 0)
    assert told["devices"][0]["free_bytes"] > 0
    assert {engine["engine"] for engine in told["engines"]} == {"llama.cpp"}
    assert all(problem["fix"] for problem in told["problems"])


def test_wrong_facts_are_an_error_with_their_file(tmp_path: Path) -> None:
    """Exit code 2, as for any bad input."""
    folder = tmp_path / "catalog" / "chips"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("id = 7\n")
    ran = alliage("doctor", home=tmp_path)
    assert ran.code == 2
    assert "mine.toml" in ran.err


def test_problems_are_printed_with_their_fix_and_without_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    """What a tool said cannot drive the terminal."""
    doctor.tell(SICK, as_json=False)
    out = capsys.readouterr().out
    assert "missing (1):" in out
    assert "  driver: no [31mdriver" in out
    assert "    fix: sudo mend it" in out
    assert "\x1b" not in out


def test_unknown_figures_are_unknown_and_null(capsys: pytest.CaptureFixture[str]) -> None:
    """Never a zero, in either form."""
    card = Device(
        id=DeviceId("laptop/nvidia0"), chip="unknown-nvidia", cores=(), memory_bytes=0, facts={"health": "gone"}
    )
    ill = Examination(node=replace(a_node(), devices=(card,)), free_bytes={}, problems=())
    doctor.tell(ill, as_json=True)
    (told,) = json.loads(capsys.readouterr().out)["devices"]
    assert (told["memory_bytes"], told["free_bytes"]) == (None, None)
    doctor.tell(ill, as_json=False)
    assert "unknown  unknown" in capsys.readouterr().out
