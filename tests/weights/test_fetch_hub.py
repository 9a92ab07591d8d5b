"""Fetching from the hub: a stand-in on loopback, our real child process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from alliage.catalog.records import ModelCard, WeightsFormat
from alliage.errors import ChecksumMismatch, DiskFull, NotFound, UnsafeFile, WeightsError
from alliage.weights.fetch import PART_AGE_MAX_S, WeightStore
from tests.weights.hub_stand_in import COMMIT, Hub, serving
from tests.weights.weights_cards import Steps, card, file_of

DATA = bytes(range(256)) * 4096
"""1 MiB."""
FILE = "w.gguf"
PROGRAM = Path(__file__).with_name("fetch_program.py")


def hub(**changes: object) -> Hub:
    """A hub with one model of one file."""
    return Hub(repository="org/model", files={FILE: DATA}, **changes)  # type: ignore[arg-type]


def hub_card(**changes: str) -> ModelCard:
    """Its card."""
    return card("hf:org/model", file_of(FILE, DATA, **changes), revision=COMMIT)


def fetch(store: WeightStore, model: ModelCard) -> Path:
    """Fetch and wait."""
    return asyncio.run(store.fetch(model, Steps()))


def wait_for(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def partial_bytes(root: Path) -> int:
    """Bytes that lie in unfinished files."""
    return sum(path.stat().st_size for path in root.glob(".parts/*/files/*.part"))


def test_a_model_is_fetched_once_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call, also of another store, asks nobody; progress ends at the whole."""
    steps = Steps()
    with serving(hub(), monkeypatch) as there:
        store = WeightStore(tmp_path / "models")
        assert store.path_of(hub_card()) is None
        path = asyncio.run(store.fetch(hub_card(), steps))
        assert path.read_bytes() == DATA
        assert fetch(WeightStore(tmp_path / "models"), hub_card()) == path == store.path_of(hub_card())
    assert [name for name, _ in there.served] == [FILE]
    assert steps.told[-1] == (len(DATA), len(DATA))
    assert not list((tmp_path / "models" / ".parts").iterdir())


def test_a_connection_that_breaks_is_taken_up_where_it_broke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two breaks and a busy server later the file is whole, and no byte came twice."""
    with serving(hub(break_after=[300_000, 200_000], statuses=[503]), monkeypatch) as there:
        assert fetch(WeightStore(tmp_path), hub_card()).read_bytes() == DATA
    assert [span for _, span in there.served] == ["", "", "bytes=300000-", "bytes=500000-"]


def test_a_server_without_ranges_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer 200 to a range replaces what was there."""
    with serving(hub(break_after=[300_000], ranges=False), monkeypatch):
        assert fetch(WeightStore(tmp_path), hub_card()).read_bytes() == DATA


def test_a_killed_fetch_leaves_no_process_and_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kill -9` of the fetching process ends its child too; the next one asks for the rest only."""
    with serving(hub(hold_after=500_000), monkeypatch) as there:
        arguments = [sys.executable, str(PROGRAM), msgspec.json.encode(hub_card()).decode(), str(tmp_path)]
        with subprocess.Popen(arguments) as process:
            try:
                wait_for(lambda: partial_bytes(tmp_path) > 400_000)
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                assert children
            finally:
                process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(is_running(int(child)) for child in children))
        have = partial_bytes(tmp_path)
        there.go.set()
        assert fetch(WeightStore(tmp_path), hub_card()).read_bytes() == DATA
    assert there.served[-1] == (FILE, f"bytes={have}-")


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def children() -> set[str]:
    """Our child processes, of whatever test."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_a_cancelled_fetch_ends_its_child_and_keeps_the_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the cancellation nothing runs and nothing is locked; the next call goes on."""

    async def cancel_midway(store: WeightStore) -> None:
        task = asyncio.create_task(store.fetch(hub_card(), Steps()))
        await asyncio.to_thread(wait_for, lambda: partial_bytes(tmp_path) >= 400_000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = children()
    with serving(hub(hold_after=500_000), monkeypatch) as there:
        store = WeightStore(tmp_path)
        asyncio.run(asyncio.wait_for(cancel_midway(store), 30))
        assert children() <= before
        assert partial_bytes(tmp_path) > 400_000
        there.go.set()
        assert fetch(store, hub_card()).read_bytes() == DATA


def test_two_fetches_of_one_model_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks and another process ask for it at the same time; its bytes come once."""

    async def both() -> list[Path]:
        stores = [WeightStore(tmp_path), WeightStore(tmp_path)]
        return await asyncio.gather(*(store.fetch(hub_card(), Steps()) for store in stores))

    with serving(hub(hold_after=200_000), monkeypatch) as there:
        arguments = [sys.executable, str(PROGRAM), msgspec.json.encode(hub_card()).decode(), str(tmp_path)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            try:
                wait_for(lambda: partial_bytes(tmp_path) > 100_000)
                there.go.set()
                first, second = asyncio.run(both())
                other, _ = process.communicate(timeout=30)
            finally:
                process.kill()
    assert str(first) == str(second) == other
    assert len(there.served) == 1


def test_a_wrong_hash_names_both_and_removes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it stays to be used by mistake; with the right card it is fetched."""
    wrong = "1" * 64
    with serving(hub(), monkeypatch):
        store = WeightStore(tmp_path)
        with pytest.raises(ChecksumMismatch) as caught:
            fetch(store, hub_card(sha256=wrong))
        right = file_of(FILE, DATA).sha256
        assert wrong in caught.value.message
        assert right is not None
        assert right in caught.value.message
        assert store.path_of(hub_card()) is None
        assert not list(tmp_path.rglob("*.gguf*"))
        assert fetch(store, hub_card()).read_bytes() == DATA


def test_a_hub_that_sends_more_than_it_told_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless file cannot fill the disk."""
    with serving(hub(), monkeypatch):
        model = card("hf:org/model", file_of(FILE, DATA[:1000]), revision=COMMIT)
        with pytest.raises(WeightsError, match="more of"):
            fetch(WeightStore(tmp_path), model)


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names what is needed, what is free, and where."""
    with serving(hub(), monkeypatch) as there:
        with pytest.raises(DiskFull) as caught:
            fetch(WeightStore(tmp_path, free_bytes=lambda _: 64 * 1024**2), hub_card())
        assert all(word in str(caught.value) for word in ("65 MiB", "64 MiB", str(tmp_path), "free 1 MiB"))
        assert there.served == []


def test_files_that_can_run_code_are_never_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that names pickle or Python is refused; Python goes where an admin allowed it."""
    files = {"m.safetensors": b"w", "modeling.py": b"print()", "config.json": b"{}", "model.bin": b"p"}
    with serving(Hub(repository="org/model", files=files), monkeypatch) as there:
        store = WeightStore(tmp_path)
        told = [file_of(path, data) for path, data in files.items() if path != "model.bin"]
        kind = WeightsFormat.SAFETENSORS
        for bad in (
            card("hf:org/model", file_of("model.bin", b"p"), revision=COMMIT, remote_code=True),
            card("hf:org/model", *told, revision=COMMIT, kind=kind),
        ):
            with pytest.raises(UnsafeFile):
                fetch(store, bad)
        assert there.served == []
        folder = fetch(store, card("hf:org/model", *told, revision=COMMIT, kind=kind, remote_code=True))
    assert sorted(path.name for path in folder.iterdir() if path.name != ".alliage.json") == sorted(
        {"m.safetensors", "modeling.py", "config.json"}
    )


def test_a_file_that_went_from_the_hub_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NotFound, at once: asking again would not help."""
    with serving(hub(), monkeypatch) as there:
        with pytest.raises(NotFound, match="no such file"):
            fetch(WeightStore(tmp_path), card("hf:org/model", file_of("gone.gguf", b"x"), revision=COMMIT))
        assert len(there.served) == 1


def test_a_damaged_copy_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that lost bytes, or a stamp that is none, makes the model be not there."""
    with serving(hub(), monkeypatch):
        store = WeightStore(tmp_path)
        path = fetch(store, hub_card())
        for damaged, rest in ((path, DATA[:-1]), (path.parent / ".alliage.json", b"{")):
            damaged.write_bytes(rest)
            assert store.path_of(hub_card()) is None
            assert fetch(store, hub_card()).read_bytes() == DATA


def test_old_parts_are_removed_and_young_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven days after its last change what was begun is given up."""
    with serving(hub(statuses=[403]), monkeypatch):
        store = WeightStore(tmp_path)
        with pytest.raises(WeightsError, match="403"):
            fetch(store, hub_card())
    assert list((tmp_path / ".parts").iterdir())
    store.remove_old_parts(time.time() + PART_AGE_MAX_S - 60)
    assert list((tmp_path / ".parts").iterdir())
    store.remove_old_parts(time.time() + PART_AGE_MAX_S + 60)
    assert not list((tmp_path / ".parts").iterdir())


def test_a_root_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With its path and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match=r"models cannot be kept in .*file/models"):
        fetch(WeightStore(tmp_path / "file" / "models"), hub_card())
