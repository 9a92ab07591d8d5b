"""Which files are read: those named, else the folder's."""

from pathlib import Path

import pytest

from alliage.errors import BadInput
from alliage.replay.openb.files import TraceFiles, find_files
from tests.replay.builders import write_trace

NOTHING = TraceFiles(nodes=None, pods=None, arrivals=None)


def test_the_folder_has_all(tmp_path: Path) -> None:
    """Nodes, pods and arrivals of a workload."""
    files = write_trace(tmp_path)
    assert find_files(tmp_path, "default", NOTHING) == files


def test_arrivals_of_the_folder_are_not_taken_for_other_pods(tmp_path: Path) -> None:
    """They are indices into the folder's own pods."""
    write_trace(tmp_path)
    other = TraceFiles(nodes=None, pods=tmp_path / "mine.csv", arrivals=None)
    assert find_files(tmp_path, "default", other).arrivals is None


def test_a_workload_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    """Or with what the folder should hold."""
    with pytest.raises(BadInput) as refused:
        find_files(tmp_path, "default", NOTHING)
    assert "folder that holds" in refused.value.remedy
    write_trace(tmp_path)
    with pytest.raises(BadInput, match="'many'") as refused:
        find_files(tmp_path, "many", NOTHING)
    assert "default" in refused.value.remedy


def test_without_a_folder_nodes_and_pods_must_be_named(tmp_path: Path) -> None:
    """Arrivals may be left out."""
    with pytest.raises(BadInput, match="no trace"):
        find_files(None, "default", NOTHING)
    named = TraceFiles(nodes=tmp_path, pods=tmp_path, arrivals=None)
    assert find_files(None, "default", named) == named
