"""`alliage replay`, as a person's shell runs it."""

import json
from pathlib import Path

import pytest

from alliage.faces.cli.replaying import STRESS_KINDS
from alliage.replay.stress.generate import KINDS
from tests.faces.shell import Ran, alliage
from tests.replay.builders import write_trace


def _openb(folder: Path, *arguments: str) -> Ran:
    return alliage("replay", "openb", *arguments, home=folder / "home", cwd=folder)


def test_one_line_of_json_a_seed(tmp_path: Path) -> None:
    """With files named one by one: exactly the promised fields, nothing else on the output."""
    files = write_trace(tmp_path)
    named = ("--nodes", str(files.nodes), "--pods", str(files.pods), "--arrivals", str(files.arrivals))
    ran = _openb(tmp_path, *named, "--policy", "fgd", "--json")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["seed"] for line in lines] == [7, 8]
    for line in lines:
        assert list(line) == ["seed", "allocated", "decisions_per_s"]
        assert list(line["allocated"]) == ["90", "95", "100", "110", "120", "130"]
    assert "replaying fgd" in ran.err


def test_a_table_files_and_a_picture(tmp_path: Path) -> None:
    """A folder, several policies and node orders; the same run again writes the same bytes."""
    write_trace(tmp_path)
    asked = (".", "--policy", "fgd,best-fit", "--seeds", "7", "--permute", "3")
    first = _openb(tmp_path, *asked, "--out", "a")
    assert first.code == 0, first.err
    assert "WORST @130" in first.out
    assert [line.split()[0] for line in first.out.splitlines()] == ["POLICY", "fgd", "best-fit"]
    _openb(tmp_path, *asked, "--out", "b", "--json")
    for name in ("result.json", "curve.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_without_arrivals_orders_are_drawn(tmp_path: Path) -> None:
    """Seeds as typed, else 42 to 51."""
    files = write_trace(tmp_path)
    assert files.arrivals is not None
    files.arrivals.unlink()
    lines = _openb(tmp_path, ".", "--policy", "best-fit", "--json").out.splitlines()
    assert [json.loads(line)["seed"] for line in lines] == list(range(42, 52))
    lines = _openb(tmp_path, ".", "--policy", "best-fit,random", "--seeds", "1,2", "--json").out.splitlines()
    told = [json.loads(line) for line in lines]
    assert [(line["policy"], line["seed"]) for line in told] == [(p, s) for p in ("best-fit", "random") for s in (1, 2)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no trace is named"),
        ((".", "--policy", "luck"), "there is no policy 'luck'\n  try: policies: alliage, fgd"),
        ((".", "--workload", "many"), "no workload 'many'\n  try: workloads there: default"),
        ((".", "--seeds", "9"), "no seed 9\n  try: its seeds: 7, 8"),
        ((".", "--pods", "none.csv"), "none.csv cannot be read"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """One line, with the way out, and exit code 2."""
    write_trace(tmp_path)
    ran = _openb(tmp_path, *(arguments if "--policy" in arguments else (*arguments, "--policy", "best-fit")))
    assert ran.code == 2
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_stress_lines_and_table(tmp_path: Path) -> None:
    """A line a workload, seed and policy; a table otherwise; a kind there is none of is refused."""
    asked = ("replay", "stress", "--policy", "best-fit,fgd", "--seeds", "1,2", "--kind", "gangs,pins")
    ran = alliage(*asked, "--json", home=tmp_path)
    assert ran.code == 0, ran.err
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert [(line["kind"], line["seed"], line["policy"]) for line in told[:3]] == [
        ("gangs", 1, "best-fit"),
        ("gangs", 1, "fgd"),
        ("gangs", 2, "best-fit"),
    ]
    assert set(told[0]) == {"policy", "kind", "seed", "allocated", "allocated_at_full", "refused", "requests"}
    assert alliage(*asked, home=tmp_path).out.splitlines()[1].split()[:2] == ["gangs", "best-fit"]
    assert alliage("replay", "stress", "--policy", "fgd", "--kind", "rain", home=tmp_path).code == 2


def test_help_names_every_stress_workload() -> None:
    """The list that the help text repeats."""
    assert tuple(STRESS_KINDS.split(", ")) == KINDS
