"""`alliage replay azure` and `mooncake`, as a person's shell runs them, on the made-up traces of the examples."""

import json
from pathlib import Path

import pytest

from alliage.faces.cli.replaying_requests import REQUEST_POLICIES
from alliage.replay.requests.policies import POLICIES
from tests.faces.shell import Ran, alliage
from tests.replay.requests.builders import EXPERIMENT, SAMPLES


def _replay(folder: Path, trace: str, *arguments: str) -> Ran:
    file = str(SAMPLES / trace)
    kind = trace.split(".", maxsplit=1)[0]
    return alliage("replay", kind, file, "--experiment", str(EXPERIMENT), *arguments, home=folder / "home", cwd=folder)


def test_a_line_of_json_a_run_and_the_same_files_again(tmp_path: Path) -> None:
    """Policies that draw are run with each seed; the same seeds give the same bytes, plot and all."""
    asked = ("--policy", "alliage,two-choices", "--speed-up", "4", "--json")
    ran = _replay(tmp_path, "azure.csv", *asked, "--out", "one")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [(line["policy"], line["seed"], line["speed_up"]) for line in lines] == [
        ("alliage", 1, 4.0),
        ("two-choices", 1, 4.0),
        ("two-choices", 2, 4.0),
    ]
    assert all(line["requests"] == 60 and 0 <= line["kept_share"] <= 1 for line in lines)
    assert "alliage: " in ran.err
    assert _replay(tmp_path, "azure.csv", *asked, "--out", "two").code == 0
    for name in ("requests.jsonl", "requests.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    head, *rest = (tmp_path / "one" / "requests.jsonl").read_text().splitlines()
    assert json.loads(head)["trace"]["requests"] == 60
    assert rest == ran.out.splitlines()


def test_a_table_of_a_slice(tmp_path: Path) -> None:
    """The experiment's speed-ups, the first requests of the trace, a row a run."""
    ran = _replay(tmp_path, "mooncake.jsonl", "--policy", "prefix-affinity", "--count", "20", "--seconds", "30")
    assert ran.code == 0, ran.err
    head, *rows = ran.out.splitlines()
    assert head.split()[:3] == ["SPEED-UP", "POLICY", "SEED"]
    assert [row.split()[:2] for row in rows] == [["1", "prefix-affinity"], ["4", "prefix-affinity"]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--policy", "fate"), "no policy 'fate'"),
        (("--speed-up", "fast"), "--speed-up fast"),
        (("--speed-up", "-1"), "speed-up -1"),
        (("--experiment", "none.toml"), "none.toml cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """One line, with the way out, and exit code 2."""
    ran = _replay(tmp_path, "azure.csv", *arguments)
    assert ran.code == 2
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_help_names_every_policy() -> None:
    """The list that the help text repeats."""
    assert tuple(REQUEST_POLICIES.split(", ")) == tuple(POLICIES)
