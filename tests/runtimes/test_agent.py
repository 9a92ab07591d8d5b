"""The agent's contract, with real engines: what control orders happens, and what happens is told."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

from alliage.catalog.records import Task
from alliage.control.observed import EngineState, ReplicaReport
from alliage.errors import NotFound
from alliage.fleet.ids import ReplicaId
from alliage.link.line import AnsweredLine
from alliage.link.messages import AgentHello, Refused
from alliage.runtimes.agent import run_agent
from alliage.runtimes.claim import reap, start_watcher
from alliage.runtimes.folders import FORMAT, Spec, WatchSpec, folder_of
from alliage.runtimes.processes import boot_id
from alliage.runtimes.starting import PASSED_ON
from tests.link.listening import listening
from tests.models.alphabet import write_alphabet
from tests.runtimes.scene import (
    CHIPS,
    NODE,
    QUICK,
    FileWeights,
    SlowWeights,
    agent,
    agent_process,
    assert_nothing_left,
    card_of,
    processes_of,
    replica_of,
    scene,
    short_home,
    until,
    watcher_of,
    with_claim,
)

R = "alpha-1"


def _ask(report: ReplicaReport, path: str, body: dict[str, object], key: str) -> tuple[int, str]:
    connection = HTTPConnection(report.host, report.port, timeout=20)
    try:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _is_gone(pid: int) -> bool:
    return (
        not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    )


def test_the_node_is_told_with_its_region_and_tags() -> None:
    """What the settings say of the machine's site comes with each report."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at, replace(QUICK, region="cn-north", tags=("state", "hall"))):
            node = at.hub.observe()[NODE].node
            assert (node.site, node.region, node.tags) == ("site", "cn-north", ("state", "hall"))

    with short_home() as home:
        asyncio.run(play(home))


def test_a_replica_starts_answers_by_its_key_and_stops() -> None:
    """Start leads to READY; the engine answers its key only, under the service's name; Stop leads to nothing left."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R))
            report = await at.until(R, EngineState.READY)
            body: dict[str, object] = {"model": "alpha", "prompt": "abc", "max_tokens": 5}
            status, text = await asyncio.to_thread(_ask, report, "/v1/completions", body, report.key)
            assert (status, json.loads(text)["choices"][0]["text"]) == (200, "defgh")
            assert (await asyncio.to_thread(_ask, report, "/v1/completions", body, "wrong"))[0] == 401
            assert len(report.key) >= 40
            assert report.resident_bytes > 1 << 20
            assert report.fetched_bytes == report.total_bytes == at.model.stat().st_size
            watcher = watcher_of(report.pid)
            at.stop(R)
            stopped = await at.until(R, EngineState.STOPPED)
            assert (stopped.pid, stopped.key) == (0, "")
            assert _is_gone(report.pid)
            await until(lambda: _is_gone(watcher), 5)
            await until(lambda: at.report(R) is None, 5)
            assert not (home / "run/replicas" / R / "spec.json").exists()

    with short_home() as home:
        asyncio.run(play(home))
        assert_nothing_left(home)


def test_secrets_are_in_no_command_and_files_are_private() -> None:
    """The key is in no process's arguments, its files are its user's, and the engine gets nothing else of ours."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R))
            report = await at.until(R, EngineState.READY)
            for pid in (report.pid, watcher_of(report.pid)):
                assert report.key.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
            folder = home / "run/replicas" / R
            assert folder.stat().st_mode & 0o777 == 0o700
            for name in ("spec.json", "engine.log", "watcher.sock"):
                assert (folder / name).stat().st_mode & 0o077 == 0
            assert report.key not in (folder / "engine.log").read_text()
            environment = Path(f"/proc/{report.pid}/environ").read_bytes().split(b"\0")
            names = {entry.partition(b"=")[0].decode() for entry in environment if entry}
            assert names - set(PASSED_ON) == {"ALLIAGE_REPLICA_KEY"}

    with short_home() as home:
        asyncio.run(play(home))


def test_orders_may_be_repeated() -> None:
    """The same Start again changes nothing; Stop of an unknown replica is answered by STOPPED."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R))
            first = await at.until(R, EngineState.READY)
            at.start(replica_of(R))
            at.stop("never-there")
            await at.until("never-there", EngineState.STOPPED, attempt=0)
            again = await at.until(R, EngineState.READY)
            assert again.pid == first.pid
            assert again.ready_for_s > 0

    with short_home() as home:
        asyncio.run(play(home))
        assert_nothing_left(home)


def test_a_killed_engine_is_told_with_its_signal_and_started_again_by_the_next_attempt() -> None:
    """A kill -9 of an engine leads to ENDED naming SIGKILL; the same attempt does not start it again, the next does."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R))
            first = await at.until(R, EngineState.READY)
            os.kill(first.pid, signal.SIGKILL)
            ended = await at.until(R, EngineState.ENDED)
            assert "SIGKILL" in ended.ended_why
            at.start(replica_of(R))
            at.stop("marker")
            await at.until("marker", EngineState.STOPPED, attempt=0)
            assert at.report(R) == ended
            at.start(replica_of(R), attempt=2)
            second = await at.until(R, EngineState.READY, attempt=2)
            assert second.pid != first.pid
            assert second.key != first.key

    with short_home() as home:
        asyncio.run(play(home))
        assert_nothing_left(home)


def test_an_engine_that_cannot_start_says_why() -> None:
    """A cut model file ends in ENDED with llama.cpp's own words, short enough to show."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            cut = home / "cut.gguf"
            cut.write_bytes(at.model.read_bytes()[: at.model.stat().st_size // 2])
            at.start(replica_of(R), model=card_of(cut))
            why = (await at.until(R, EngineState.ENDED)).ended_why
            assert "exit code 1" in why
            assert "model is corrupted or incomplete" in why
            assert len(why) < 600
            at.stop(R)
            await at.until(R, EngineState.STOPPED)

    with short_home() as home:
        asyncio.run(play(home))


def test_what_cannot_be_fetched_says_why() -> None:
    """An error of the weights becomes the replica's end."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R), model=card_of(home / "missing.gguf"))
            assert "missing.gguf" in (await at.until(R, EngineState.ENDED)).ended_why

    with short_home() as home:
        asyncio.run(play(home))


def test_a_stop_while_fetching_ends_the_fetch() -> None:
    """A Stop of a replica whose model still comes leads to STOPPED, and nothing was started."""

    async def play(home: Path) -> None:
        weights = SlowWeights()
        async with scene(home) as at, agent(at, weights=weights):
            at.start(replica_of(R))
            report = await at.until(R, EngineState.FETCHING)
            await until(lambda: (at.report(R) or report).fetched_bytes == 1, 5)
            at.stop(R)
            await at.until(R, EngineState.STOPPED)
            assert weights.cancelled
            assert not (home / "run/replicas" / R).exists()

    with short_home() as home:
        asyncio.run(play(home))


def test_an_engine_of_another_kind_is_a_clear_no() -> None:
    """A recipe for an engine that this node does not have ends at once, naming both."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            replica = replica_of(R)
            at.start(replace(replica, recipe=replace(replica.recipe, engine="vllm")))
            why = (await at.until(R, EngineState.ENDED)).ended_why
            assert why == "this node has no engine 'vllm'; engines here: llama.cpp"

    with short_home() as home:
        asyncio.run(play(home))


def test_an_engine_that_is_never_ready_is_ended_in_time() -> None:
    """A program that runs but does not serve within its time is ended, and the end says so."""

    async def play(home: Path) -> None:
        folder = folder_of(home, R)
        argv = (sys.executable, "-c", "import time; print('loading', flush=True); time.sleep(60)", str(home))
        watch = WatchSpec(argv=argv, environment={}, cores=(), claim_s=30, log_bytes_max=1 << 20, log_files=3)
        spec = Spec(
            format=FORMAT,
            replica=ReplicaId(R),
            attempt=4,
            host="127.0.0.1",
            port=1,
            key="k",
            ready_path="/",
            ready_within_s=0.5,
            boot_id=boot_id(),
            watch=watch,
        )
        folder.prepare(spec)
        watcher = await start_watcher(folder)
        async with scene(home) as at, agent(at):
            why = (await at.until(R, EngineState.ENDED, attempt=4)).ended_why
            assert why.startswith("the engine was not ready within 0.5 s; the engine was ended by SIGTERM")
        await until(lambda: reap(watcher), 5)

    with short_home() as home:
        asyncio.run(play(home))
        assert_nothing_left(home)


def test_folders_of_another_boot_or_version_are_no_failures() -> None:
    """What ran before the machine was started again is forgotten; a folder of another format is left alone."""

    async def play(home: Path) -> None:
        async with scene(home) as at:
            async with agent(at, stay=True):
                for name in ("rebooted", "newer"):
                    at.start(replica_of(name))
                reports = [await at.until(name, EngineState.READY) for name in ("rebooted", "newer")]
            for name, old, new in (("rebooted", boot_id(), "another"), ("newer", '"format":1', '"format":9')):
                path = home / "run/replicas" / name / "spec.json"
                path.write_text(path.read_text().replace(old, new))
            os.kill(watcher_of(reports[0].pid), signal.SIGKILL)
            await until(lambda: _is_gone(reports[0].pid), 5)
            async with agent(at):
                assert at.report("rebooted") is None
                assert at.report("newer") is None
            assert not (home / "run/replicas/rebooted/spec.json").exists()
            assert (home / "run/replicas/newer/spec.json").exists()

    with short_home() as home:
        asyncio.run(play(home))


def test_a_killed_agent_is_followed_by_one_that_adopts() -> None:
    """After kill -9 of the agent the engine runs on, and the next agent reports the same pid, key and port as READY."""

    async def play(home: Path) -> None:
        async with scene(home) as at:
            async with agent_process(at) as process:
                await at.connected()
                at.start(replica_of(R))
                before = await at.until(R, EngineState.READY)
                process.kill()
                await process.wait()
            await until(lambda: NODE not in at.hub.observe(), 5)
            async with agent(at):
                after = at.report(R)
                assert after is not None
                assert (after.state, after.attempt) == (EngineState.READY, 1)
                assert (after.pid, after.port, after.key) == (before.pid, before.port, before.key)
                at.stop(R)
                await at.until(R, EngineState.STOPPED)

    with short_home() as home:
        asyncio.run(play(home))
        assert_nothing_left(home)


def test_what_ended_while_no_agent_was_there_is_told_by_the_next() -> None:
    """An engine that was killed between two agents is reported as ENDED by the second."""

    async def play(home: Path) -> None:
        async with scene(home) as at:
            async with agent(at, stay=True):
                at.start(replica_of(R))
                report = await at.until(R, EngineState.READY)
            os.kill(report.pid, signal.SIGKILL)
            await until((home / "run/replicas" / R / "exit.json").exists, 5)
            async with agent(at):
                assert "SIGKILL" in (await at.until(R, EngineState.ENDED)).ended_why

    with short_home() as home:
        asyncio.run(play(home))


def test_an_agent_that_is_stopped_ends_its_engines() -> None:
    """A told agent leaves nothing running, and the next one has nothing to report."""

    async def play(home: Path) -> None:
        async with scene(home) as at:
            async with agent(at):
                at.start(replica_of(R))
                await at.until(R, EngineState.READY)
            await until(lambda: processes_of(home) == [], 5)
            async with agent(at):
                assert at.report(R) is None

    with short_home() as home:
        asyncio.run(play(home))


def test_a_killed_watcher_takes_its_engine_along() -> None:
    """A kill -9 of the watcher ends the engine too, and is told."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R))
            report = await at.until(R, EngineState.READY)
            os.kill(watcher_of(report.pid), signal.SIGKILL)
            assert "watcher" in (await at.until(R, EngineState.ENDED)).ended_why
            await until(lambda: _is_gone(report.pid), 5)

    with short_home() as home:
        asyncio.run(play(home))


def test_an_unclaimed_engine_is_gone_after_the_claim_time() -> None:
    """With no agent, watcher and engine end within the claim time, and the next agent counts that as no failure."""

    async def play(home: Path) -> None:
        async with scene(home) as at:
            async with agent(at, with_claim(QUICK, 2.0), stay=True):
                at.start(replica_of(R))
                report = await at.until(R, EngineState.READY)
            assert not _is_gone(report.pid)
            await until(lambda: processes_of(home) == [], 2.5)
            async with agent(at):
                assert at.report(R) is None

    with short_home() as home:
        asyncio.run(play(home))


def test_a_hung_engine_is_ill_and_well_again() -> None:
    """An engine that does not answer becomes ILL, and READY once it goes on; a hung one can still be stopped."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R))
            report = await at.until(R, EngineState.READY)
            os.kill(report.pid, signal.SIGSTOP)
            await at.until(R, EngineState.ILL)
            os.kill(report.pid, signal.SIGCONT)
            await at.until(R, EngineState.READY)
            os.kill(report.pid, signal.SIGSTOP)
            at.stop(R, grace_s=1.0)
            await at.until(R, EngineState.STOPPED)
            assert _is_gone(report.pid)

    with short_home() as home:
        asyncio.run(play(home))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core cannot be divided")
def test_two_replicas_keep_to_their_own_cores() -> None:
    """Each engine's threads may run on the cores of its binding only."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            cores = sorted(os.sched_getaffinity(0))[:2]
            for core in cores:
                at.start(replica_of(f"alpha-{core}", cores=(core,)))
            for core in cores:
                report = await at.until(f"alpha-{core}", EngineState.READY)
                for task in Path(f"/proc/{report.pid}/task").iterdir():
                    assert f"Cpus_allowed_list:\t{core}\n" in (task / "status").read_text()

    with short_home() as home:
        asyncio.run(play(home))
        assert_nothing_left(home)


def test_an_embedding_model_embeds() -> None:
    """A card with the embed task only is served in embedding mode."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            path = home / "embedding.gguf"
            write_alphabet(path, embedding=True)
            at.start(replica_of(R), model=card_of(path, Task.EMBED))
            report = await at.until(R, EngineState.READY)
            body: dict[str, object] = {"model": "alpha", "input": ["abc", "bcd"]}
            status, text = await asyncio.to_thread(_ask, report, "/v1/embeddings", body, report.key)
            assert status == 200
            assert len(json.loads(text)["data"]) == 2

    with short_home() as home:
        asyncio.run(play(home))


def test_logs_are_read_and_followed() -> None:
    """The last lines come at once; a follower gets what the engine says later, until the replica is gone."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R))
            report = await at.until(R, EngineState.READY)
            last = "".join([text async for text in at.hub.logs(NODE, ReplicaId(R), lines=1, follow=False)])
            assert last.count("\n") == 1
            more = "".join([text async for text in at.hub.logs(NODE, ReplicaId(R), lines=9, follow=False)])
            assert "serving alpha at http://127.0.0.1:" in more  # llama.cpp's own thread may log a line behind it
            following = at.hub.logs(NODE, ReplicaId(R), lines=0, follow=True)
            first = asyncio.ensure_future(anext(following))
            await asyncio.to_thread(_ask, report, "/v1/completions", {"prompt": "a", "max_tokens": 1}, report.key)
            assert await asyncio.wait_for(first, 10) is not None
            at.stop(R)
            async with asyncio.timeout(10):
                assert [text async for text in following][-1] == ""
            with pytest.raises(NotFound, match="no log"):
                await anext(at.hub.logs(NODE, ReplicaId("other"), lines=1, follow=False))

    with short_home() as home:
        asyncio.run(play(home))


def test_a_broken_line_to_control_changes_nothing_and_is_dialled_again() -> None:
    """The agent goes on when control goes, and reports the same engine to the next one."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at):
            at.start(replica_of(R))
            before = await at.until(R, EngineState.READY)
            async with scene(home) as later:
                at.hub._agents[NODE].line.close()
                after = await later.until(R, EngineState.READY)
                assert after.pid == before.pid

    with short_home() as home:
        asyncio.run(play(home))
        assert_nothing_left(home)


def test_a_refused_agent_says_so_and_asks_again() -> None:
    """Control may refuse (another protocol): the agent goes on, with its engines, and dials again later."""

    async def play(home: Path) -> None:
        hellos = []

        async def refuse(line: AnsweredLine) -> None:
            hellos.append(await line.receive())
            line.send(Refused(why="another protocol"))

        stop = asyncio.Event()
        async with listening(home / "control.sock", refuse):
            running = asyncio.create_task(
                run_agent(
                    control=home / "control.sock",
                    home=home,
                    node=NODE,
                    site="site",
                    chips=CHIPS,
                    weights=FileWeights(),
                    settings=replace(QUICK, redial_last_s=0.05),
                    stop=stop,
                )
            )
            await until(lambda: len(hellos) >= 3, 10)
            stop.set()
            await running
        assert all(isinstance(hello, AgentHello) and hello.node.id == NODE for hello in hellos)

    with short_home() as home:
        asyncio.run(play(home))
