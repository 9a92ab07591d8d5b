"""The watcher alone, with small programs as engines: log, claim, orders, ends."""

import asyncio
import os
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

from alliage.errors import Unavailable
from alliage.fleet.ids import ReplicaId
from alliage.runtimes.claim import Claim, claim, reap, start_watcher
from alliage.runtimes.folders import FORMAT, Exit, ReplicaFolder, Spec, WatchSpec, folder_of
from alliage.runtimes.processes import boot_id, started_ticks
from tests.runtimes.scene import assert_nothing_left, short_home, until


def _spec(*argv: str, claim_s: float = 30.0, log_bytes_max: int = 1 << 20, cores: tuple[int, ...] = ()) -> Spec:
    return Spec(
        format=FORMAT,
        replica=ReplicaId("r"),
        attempt=1,
        host="127.0.0.1",
        port=1,
        key="secret",
        ready_path="/",
        ready_within_s=1.0,
        boot_id=boot_id(),
        watch=WatchSpec(
            argv=argv,
            environment={"SECRET": "in the environment"},
            cores=cores,
            claim_s=claim_s,
            log_bytes_max=log_bytes_max,
            log_files=3,
        ),
    )


def _python(program: str, home: Path) -> tuple[str, ...]:
    """A Python program as an engine; the home in its arguments lets the test find it."""
    return (sys.executable, "-I", "-S", "-c", program, str(home))


async def _watched(home: Path, spec: Spec) -> tuple[ReplicaFolder, int, Claim]:
    folder = folder_of(home, "r")
    folder.prepare(spec)
    watcher = await start_watcher(folder)
    return folder, watcher, await claim(folder)


async def _reaped(watcher: int) -> None:
    await until(lambda: reap(watcher), 5)


def test_it_tells_who_runs_and_how_it_ended() -> None:
    """A claim hears the engine's pid and start time, then its exit code and last words, which exit.json holds too."""

    async def play(home: Path) -> None:
        program = "import os, sys; print('hello', os.environ); sys.stdin.read(); open('go').read(); sys.exit(7)"
        os.mkfifo(home / "go")
        program = program.replace("'go'", repr(str(home / "go")))
        folder, watcher, claimed = await _watched(home, _spec(*_python(program, home)))
        assert claimed.watched.watcher_pid == watcher
        assert claimed.watched.started == started_ticks(claimed.watched.pid)
        assert claimed.watched.boot_id == boot_id()
        assert os.getsid(watcher) == watcher
        assert os.getpgid(claimed.watched.pid) == claimed.watched.pid
        (home / "go").write_text("")
        end = await claimed.ended()
        claimed.close()
        await _reaped(watcher)
        assert end is not None
        assert (end.code, end.signal, end.why) == (7, None, "self")
        assert end.tail == "hello environ({'SECRET': 'in the environment', 'LC_CTYPE': 'C.UTF-8'})\n"
        assert folder.exit() == end

    with short_home() as home:
        asyncio.run(play(home))


def test_a_program_that_is_not_there_is_named() -> None:
    """An engine that cannot be executed ends with 127 and says which program and why."""

    async def play(home: Path) -> None:
        folder = folder_of(home, "r")
        folder.prepare(_spec("/no/such/program"))
        watcher = await start_watcher(folder)
        await _reaped(watcher)
        end = folder.exit()
        assert end is not None
        assert end.code == 127
        assert "cannot start /no/such/program on any core: No such file" in end.tail

    with short_home() as home:
        asyncio.run(play(home))


def test_a_core_that_is_not_there_is_named() -> None:
    """An affinity that this machine does not have is told, not ignored."""

    async def play(home: Path) -> None:
        folder = folder_of(home, "r")
        folder.prepare(_spec("/bin/true", cores=(1000,)))
        watcher = await start_watcher(folder)
        await _reaped(watcher)
        end = folder.exit()
        assert end is not None
        assert "on cores [1000]: Invalid argument" in end.tail

    with short_home() as home:
        asyncio.run(play(home))


def test_stop_asks_first_and_kills_after_the_grace() -> None:
    """SIGTERM ends a willing engine at once; an unwilling one is killed when its grace is over."""

    async def play(home: Path, program: str) -> tuple[Exit | None, float]:
        folder, watcher, claimed = await _watched(home, _spec(*_python(program, home)))
        await until(lambda: "up" in folder.log_path.read_text(), 5)
        began = time.monotonic()
        claimed.stop(0.5)
        end = await claimed.ended()
        claimed.close()
        await _reaped(watcher)
        return end, time.monotonic() - began

    with short_home() as home:
        willing = "import time; print('up', flush=True); time.sleep(60)"
        end, _ = asyncio.run(play(home, willing))
        assert end is not None
        assert (end.signal, end.why) == (signal.SIGTERM, "asked")
    with short_home() as home:
        unwilling = "import signal; signal.signal(15, signal.SIG_IGN); " + willing
        end, took_s = asyncio.run(play(home, unwilling))
        assert end is not None
        assert (end.signal, end.why) == (signal.SIGKILL, "asked")
        assert took_s >= 0.5


def test_children_of_the_engine_go_with_it() -> None:
    """What the engine started in its process group is gone when the engine is."""

    async def play(home: Path) -> None:
        child = f"import subprocess; subprocess.Popen(['sleep', '61', {str(home)!r}][:2], executable='/bin/sleep')"
        program = f"{child}; print('up', flush=True); import time; time.sleep(60)"
        folder, watcher, claimed = await _watched(home, _spec(*_python(program, home)))
        await until(lambda: "up" in folder.log_path.read_text(), 5)
        group = claimed.watched.pid
        os.kill(group, signal.SIGKILL)
        assert await claimed.ended() is not None
        claimed.close()
        await _reaped(watcher)
        await until(lambda: not _group_members(group), 5)

    with short_home() as home:
        asyncio.run(play(home))


def _group_members(group: int) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[2] == str(group) and fields[0] != "Z":
            found.append(entry.name)
    return found


def test_the_log_is_capped_and_rotated() -> None:
    """However much an engine says, its newest words are kept, in no more than the stated files of the stated size."""

    async def play(home: Path) -> None:
        program = "for n in range(20000): print(f'line {n}')"
        folder = folder_of(home, "r")
        folder.prepare(_spec(*_python(program, home), log_bytes_max=70_000))
        watcher = await start_watcher(folder)
        await _reaped(watcher)
        sizes = {path.name: path.stat().st_size for path in folder.path.glob("engine.log*")}
        assert set(sizes) == {"engine.log", "engine.log.1", "engine.log.2"}
        assert max(sizes.values()) <= 70_000
        assert folder.log_path.read_text().endswith("line 19999\n")
        older = folder.path / "engine.log.1"
        first, last = folder.log_path.read_text().splitlines()[0], older.read_text().splitlines()[-1]
        assert int((last + first).replace("line", " ").split()[-1]) in range(20000)

    with short_home() as home:
        asyncio.run(play(home))


def test_a_second_watcher_of_one_folder_is_refused() -> None:
    """While one watches, another says so and leaves; the first goes on."""

    async def play(home: Path) -> None:
        folder, watcher, claimed = await _watched(home, _spec(*_python("import time; time.sleep(60)", home)))
        with pytest.raises(Unavailable, match="did not start"):
            await start_watcher(folder)
        claimed.stop(1.0)
        assert await claimed.ended() is not None
        claimed.close()
        await _reaped(watcher)

    with short_home() as home:
        asyncio.run(play(home))


def test_a_told_watcher_ends_its_engine() -> None:
    """SIGTERM to the watcher (as a machine that shuts down sends it) ends both."""

    async def play(home: Path) -> None:
        folder, watcher, claimed = await _watched(home, _spec(*_python("import time; time.sleep(60)", home)))
        os.kill(watcher, signal.SIGTERM)
        end = await claimed.ended()
        claimed.close()
        assert end is not None
        assert end.why == "terminated"
        await _reaped(watcher)
        assert folder.exit() == end

    with short_home() as home:
        asyncio.run(play(home))
        assert_nothing_left(home)


def test_a_long_path_can_be_watched_and_claimed() -> None:
    """The folder may lie deeper than the 107 bytes that a socket's path may have, and in letters beyond ASCII."""

    async def play(home: Path) -> None:
        deep = home / ("ä" * 60) / ("x" * 100)
        deep.mkdir(parents=True)
        _, watcher, claimed = await _watched(deep, _spec(*_python("import time; time.sleep(60)", deep)))
        claimed.stop(1.0)
        assert await claimed.ended() is not None
        claimed.close()
        await _reaped(watcher)

    with short_home() as home:
        asyncio.run(play(home))


def test_nonsense_on_the_socket_costs_only_that_line() -> None:
    """A peer that speaks no JSON is dropped; the engine and the other claim stay."""

    async def play(home: Path) -> None:
        folder, watcher, claimed = await _watched(home, _spec(*_python("import time; time.sleep(60)", home)))
        other = await claim(folder)
        other._writer.write(b"hello?\n[]\n\n")
        assert await other.ended() is None
        other.close()
        claimed.stop(1.0)
        end = await claimed.ended()
        claimed.close()
        assert end is not None
        assert end.why == "asked"
        await _reaped(watcher)

    with short_home() as home:
        asyncio.run(play(home))


def test_it_is_light() -> None:
    """A watcher holds less than 10 MB of its own (PSS)."""

    async def play(home: Path) -> None:
        _, watcher, claimed = await _watched(home, _spec(*_python("import time; time.sleep(60)", home)))
        rollup = Path(f"/proc/{watcher}/smaps_rollup").read_text()
        pss_kb = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        claimed.stop(1.0)
        assert await claimed.ended() is not None
        claimed.close()
        await _reaped(watcher)
        assert pss_kb < 10_000

    with short_home() as home:
        asyncio.run(play(home))


def test_the_engine_inherits_nothing_of_ours() -> None:
    """Its standard input is empty and it holds no other descriptor than its three."""

    async def play(home: Path) -> None:
        held = os.open(home, os.O_RDONLY)
        os.set_inheritable(held, True)
        program = "import os; print(sorted(os.listdir('/proc/self/fd')), flush=True)"
        folder = folder_of(home, "r")
        folder.prepare(_spec(*_python(program, home)))
        watcher = await start_watcher(folder)
        await _reaped(watcher)
        os.close(held)
        # 3 is the listing's own
        assert folder.log_path.read_text().strip() == "['0', '1', '2', '3']"
        assert stat.S_IMODE(folder.log_path.stat().st_mode) == 0o600

    with short_home() as home:
        asyncio.run(play(home))
