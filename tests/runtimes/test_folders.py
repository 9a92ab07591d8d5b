"""The folders of replicas."""

import os
from pathlib import Path

import pytest

from alliage.errors import BadInput, HomeError
from alliage.fleet.ids import ReplicaId
from alliage.runtimes.folders import FORMAT, Spec, WatchSpec, folder_of, kept_folders, prune_folders


def _spec(name: str) -> Spec:
    watch = WatchSpec(argv=("a",), environment={"K": "v"}, cores=(1,), claim_s=1, log_bytes_max=1, log_files=1)
    return Spec(
        format=FORMAT,
        replica=ReplicaId(name),
        attempt=2,
        host="h",
        port=3,
        key="k",
        ready_path="/",
        ready_within_s=1.5,
        boot_id="b",
        watch=watch,
    )


def test_what_was_prepared_is_read_back_until_it_is_forgotten(tmp_path: Path) -> None:
    """The spec survives its file, which only its user can read; forgetting leaves the logs alone."""
    folder = folder_of(tmp_path, "r-1")
    folder.prepare(_spec("r-1"))
    folder.log_path.write_text("said\n")
    assert folder.spec() == _spec("r-1")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "spec.json").stat().st_mode & 0o777 == 0o600
    assert kept_folders(tmp_path) == (folder,)
    folder.forget()
    assert [path.name for path in folder.path.iterdir()] == ["engine.log"]
    assert folder.spec() is None
    assert folder.exit() is None
    assert kept_folders(tmp_path) == ()


def test_the_newest_forgotten_folders_are_kept(tmp_path: Path) -> None:
    """Old logs go, newer ones and those of replicas that are there stay."""
    for number in range(6):
        folder = folder_of(tmp_path, f"r-{number}")
        folder.prepare(_spec(f"r-{number}"))
        if number != 1:
            folder.forget()
        os.utime(folder.path, (number, number))
    prune_folders(tmp_path, keep=2)
    assert sorted(path.name for path in (tmp_path / "run/replicas").iterdir()) == ["r-1", "r-4", "r-5"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\0b", "-x", "x" * 300])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Replica ids are file names here, so nothing else may pass."""
    with pytest.raises(BadInput, match="is not a replica id"):
        folder_of(tmp_path, name)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A home that is in the way of its folders is a clear error."""
    (tmp_path / "run").write_text("a file")
    with pytest.raises(HomeError, match="run/replicas/r-1 cannot be written"):
        folder_of(tmp_path, "r-1").prepare(_spec("r-1"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', "\xff"])
def test_a_damaged_spec_is_none(tmp_path: Path, text: str) -> None:
    """A half-written or foreign file is not adopted and no crash."""
    folder = folder_of(tmp_path, "r-1")
    folder.prepare(_spec("r-1"))
    (folder.path / "spec.json").write_text(text, encoding="latin-1")
    assert folder.spec() is None
