"""The result file, the lines and the picture: complete, and the same bytes for the same seeds."""

import json
from pathlib import Path

import pytest

from alliage.errors import BadInput
from alliage.replay.openb.experiment import Result, mean_of, run_policy
from alliage.replay.openb.files import TraceFiles
from alliage.replay.openb.plot import draw
from alliage.replay.openb.reading import read_orders, read_trace
from alliage.replay.openb.results import to_line, write_results
from alliage.replay.policies import find_policies
from tests.replay.builders import write_trace

PNG = b"\x89PNG\r\n\x1a\n"


def _results(files: TraceFiles, permutations: int = 1) -> dict[str, list[Result]]:
    assert files.nodes is not None
    assert files.pods is not None
    assert files.arrivals is not None
    trace = read_trace(files.nodes, files.pods)
    orders = read_orders(files.arrivals, len(trace.pods))
    policies = find_policies("fgd,random")
    return {policy.name: list(run_policy(policy, trace, orders, permutations)) for policy in policies}


def _write(files: TraceFiles, folder: Path) -> None:
    assert files.nodes is not None
    assert files.pods is not None
    results = _results(files, 2)
    write_results(folder, read_trace(files.nodes, files.pods), results, [files.nodes, files.pods])
    curves = {of[0].policy.title: mean_of(of) for of in results.values()}
    draw(curves, folder / "curve.png", title="small", note="a test")


def test_the_same_seeds_give_the_same_bytes(tmp_path: Path) -> None:
    """Result file and picture; timings are in a file of their own."""
    files = write_trace(tmp_path)
    for name in ("a", "b"):
        _write(files, tmp_path / name)
    for name in ("result.json", "curve.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "decisions_per_s" not in (tmp_path / "a" / "result.json").read_text()
    assert set(json.loads((tmp_path / "a" / "timings.json").read_text())["decisions_per_s"]) == {"fgd", "random"}


def test_the_result_says_what_was_replayed(tmp_path: Path) -> None:
    """The trace with the digests of its files, and each policy's curve, seed by seed and node order by node order."""
    _write(write_trace(tmp_path), tmp_path)
    told = json.loads((tmp_path / "result.json").read_text())
    assert (told["trace"]["hosts"], told["trace"]["devices"], told["trace"]["pods"]) == (2, 6, 4)
    assert set(told["trace"]["files"]) == {"openb_node_list_gpu_node.csv", "openb_pod_list_default.csv"}
    seeds = told["policies"]["fgd"]["seeds"]
    assert [each["seed"] for each in seeds] == [7, 8]
    assert [len(each["allocated"]) for each in seeds] == [2, 2]
    assert seeds[0]["arrivals"] == 10


def test_the_picture_is_one(tmp_path: Path) -> None:
    """A PNG of the size it should have, also of one short curve and of none."""
    _write(write_trace(tmp_path), tmp_path)
    for name, curves in (("curve", None), ("short", {"Alliage": (None, 1.0, 2.0)}), ("none", {"FGD": ()})):
        if curves is not None:
            draw(curves, tmp_path / f"{name}.png", title=name, note="")
        raw = (tmp_path / f"{name}.png").read_bytes()
        assert raw.startswith(PNG)
        assert (int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24])) == (1380, 810)


def test_a_line_a_seed(tmp_path: Path) -> None:
    """Exactly the promised fields; None where so much never arrived; the worst node order where there are several."""
    files = write_trace(tmp_path, orders="7 0 1 2\n")
    line = to_line(_results(files)["fgd"][0])
    assert list(line) == ["seed", "allocated", "decisions_per_s"]
    assert list(line["allocated"]) == ["90", "95", "100", "110", "120", "130"]
    assert set(line["allocated"].values()) == {None}
    assert line["decisions_per_s"] > 0
    several = to_line(_results(files, 3)["fgd"][0])
    assert list(several) == ["seed", "allocated", "worst", "decisions_per_s"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """Its name is told."""
    files = write_trace(tmp_path)
    assert files.pods is not None
    with pytest.raises(BadInput, match="cannot be written"):
        _write(files, files.pods / "out")
