"""Any process may be killed at any time: real processes, real kill -9, a real stream running meanwhile."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually
from tests.models.alphabet import alphabet

pytestmark = pytest.mark.e2e

LETTERS = 1500


@dataclass
class Reader:
    """Reads a stream in a thread of its own."""

    cloud: Cloud
    text: str = ""
    error: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    def start(self) -> "Reader":
        """Begin, and return once the first letters are here."""
        threading.Thread(target=self._read, daemon=True).start()
        eventually(lambda: len(self.text) > 20 or self.done.is_set(), what="the first letters")
        return self

    def _read(self) -> None:
        try:
            stream = self.cloud.client().chat.completions.create(
                model="alphabet", messages=[{"role": "user", "content": "go"}], max_tokens=LETTERS, stream=True
            )
            for chunk in stream:
                self.text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        except Exception as error:  # noqa: BLE001 - whatever the client raises is what the test looks at
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self.done.set()

    def end(self) -> "Reader":
        """Wait for it."""
        assert self.done.wait(60), "the stream does not end"
        return self


@pytest.fixture
def cloud(slow_alphabet: Path) -> Iterator[Cloud]:
    """A cloud of one service that a test may end."""
    with a_cloud() as cloud:
        cloud.up()
        cloud.deploy(slow_alphabet, "alphabet")
        yield cloud


@pytest.fixture(scope="module")
def steady(slow_alphabet: Path) -> Iterator[Cloud]:
    """The same for tests that leave it as it was: each waits until all is right again."""
    with a_cloud("[agent]\nclaim_s = 60.0\n") as cloud:
        cloud.up()
        cloud.deploy(slow_alphabet, "alphabet")
        yield cloud


def is_right(cloud: Cloud) -> bool:
    """Status is as it should be: service ready, one replica, gateway and agent on the line, no problem told."""
    try:
        status = cloud.see("status")
    except OSError:  # control is not there yet
        return False
    return (
        [service["phase"] for service in status["services"]] == ["ready"]
        and [replica["phase"] for replica in status["replicas"]] == ["ready"]
        and bool(status["doors"])
        and not status["problems"]
    )


def recites(cloud: Cloud) -> bool:
    """The service answers."""
    answer = cloud.client().chat.completions.create(
        model="alphabet", messages=[{"role": "user", "content": "go"}], max_tokens=26
    )
    return answer.choices[0].message.content == alphabet(26)


@pytest.mark.parametrize("victim", ["control", "agent"])
def test_stream_outlives_control_and_agent(steady: Cloud, victim: str) -> None:
    """The stream ends complete, status is right soon, and the engine is the same process as before."""
    engine = steady.pid("engine")
    reader = Reader(steady).start()
    killed = steady.kill(victim)
    assert reader.end().error == ""
    assert reader.text == alphabet(LETTERS)
    eventually(lambda: steady.pids().get(victim, [killed]) != [killed], what=f"a new {victim}")
    eventually(lambda: is_right(steady), what="the right status")
    assert steady.pid("engine") == engine
    assert recites(steady)


def test_killed_gateway_closes_its_streams_and_nothing_else(steady: Cloud) -> None:
    """The client sees a cut, never a wrong end; the next request is answered by a new gateway and the same engine."""
    engine = steady.pid("engine")
    reader = Reader(steady).start()
    steady.kill("gateway")
    assert reader.end().error != ""
    assert alphabet(LETTERS).startswith(reader.text)
    assert len(reader.text) < LETTERS
    assert recites(steady)
    assert steady.pid("engine") == engine
    eventually(lambda: is_right(steady), what="the right status")


def test_killed_engine_is_started_again_and_the_stream_goes_on(steady: Cloud) -> None:
    """It is the only one: the stream is held until the new engine goes on with it, to the letter; explain tells what happened."""
    reader = Reader(steady).start()
    killed = steady.kill("engine")
    assert reader.end().error == ""
    assert reader.text == alphabet(LETTERS)
    eventually(lambda: steady.pids().get("engine", [killed]) != [killed], what="a new engine")
    eventually(lambda: is_right(steady), what="the right status")
    assert recites(steady)
    assert "SIGKILL" in steady.run("explain", "alphabet").stdout


def test_killed_watcher_takes_its_engine_along_and_both_come_back(steady: Cloud) -> None:
    """No engine without a watcher: nobody would end it."""
    engine = steady.pid("engine")
    steady.kill("watcher")
    eventually(lambda: steady.pids().get("engine", [engine]) != [engine], what="a new engine")
    eventually(lambda: is_right(steady), what="the right status")
    assert engine not in steady.pids()["engine"]


def test_killed_supervisor_leaves_no_orphans(slow_alphabet: Path) -> None:
    """Control, gateway and agent leave by themselves; the engine when nobody claimed it (12 s here, 60 s by default)."""
    with a_cloud("[agent]\nclaim_s = 12.0\n") as cloud:
        cloud.up()
        cloud.deploy(slow_alphabet, "alphabet")
        cloud.kill("supervisor")
        eventually(lambda: not {"control", "gateway", "agent"} & cloud.pids().keys(), what="their leaving")
        eventually(lambda: not cloud.pids(), what="the engine's end")


def test_next_up_adopts_what_a_killed_supervisor_left(cloud: Cloud) -> None:
    """Started at once on the same ports: it waits for the old processes; the same engine serves on."""
    engine, ports = cloud.pid("engine"), cloud.running
    cloud.kill("supervisor")
    assert cloud.process is not None
    cloud.process.wait()
    cloud.up("--port", str(ports["port"]), "--admin-port", str(ports["admin_port"]))
    eventually(lambda: is_right(cloud), what="the right status")
    assert cloud.pid("engine") == engine
    assert recites(cloud)


def test_everything_killed_at_once_comes_back_with_the_state(cloud: Cloud) -> None:
    """A power cut: the next `up` finds the service and starts a new engine for it."""
    for pids in cloud.pids().values():
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    assert cloud.process is not None
    cloud.process.wait()
    cloud.up()
    eventually(lambda: is_right(cloud), what="the right status")
    assert recites(cloud)


def test_ctrl_c_finishes_what_was_begun_and_leaves_nothing(cloud: Cloud) -> None:
    """One SIGINT: the stream in work ends complete, then all processes are gone and the exit code is 0."""
    reader = Reader(cloud).start()
    assert cloud.process is not None
    cloud.process.send_signal(signal.SIGINT)
    assert reader.end().error == ""
    assert reader.text == alphabet(LETTERS)
    assert cloud.wait_end() == 0
    assert cloud.pids() == {}
    assert "stopped" in cloud.output


def test_second_ctrl_c_stops_at_once(cloud: Cloud) -> None:
    """Two SIGINTs: the stream is cut, everything is gone within moments, engines too."""
    reader = Reader(cloud).start()
    assert cloud.process is not None
    cloud.process.send_signal(signal.SIGINT)
    eventually(lambda: "stopping" in cloud.output, what="the first to be heard")
    cloud.process.send_signal(signal.SIGINT)
    assert cloud.wait_end() == 0
    reader.end()
    assert len(reader.text) < LETTERS
    eventually(lambda: not cloud.pids(), what="the end of everything")


def test_second_ctrl_c_kills_even_a_hung_engine(cloud: Cloud) -> None:
    """An engine that hears nothing does not hold the second Ctrl-C up, which comes while the gateway still drains."""
    reader = Reader(cloud).start()
    os.kill(cloud.pid("engine"), signal.SIGSTOP)
    assert cloud.process is not None
    cloud.process.send_signal(signal.SIGINT)
    eventually(lambda: "ending gateway" in cloud.output, what="the drain")
    cloud.process.send_signal(signal.SIGINT)
    assert cloud.wait_end(8) == 0
    reader.end()
    eventually(lambda: not cloud.pids(), what="the end of everything")


def test_process_that_refuses_to_run_later_does_not_end_the_cloud(steady: Cloud) -> None:
    """The settings file is spoiled while it runs and control dies: it is tried until the file is mended."""
    settings = steady.home / "alliage.toml"
    good, before = settings.read_text(), steady.output.count("it is started again")
    settings.write_text("[nonsense]\n")
    steady.kill("control")
    eventually(lambda: steady.output.count("it is started again") >= before + 3, what="some tries")
    assert recites(steady)
    settings.write_text(good)
    eventually(lambda: is_right(steady), what="the right status")


def test_delete_drains(cloud: Cloud) -> None:
    """A service deleted under a running stream: the stream ends complete, new requests are told there is no such model."""
    reader = Reader(cloud).start()
    cloud.run("delete", "alphabet", "--yes")
    assert reader.end().error == ""
    assert reader.text == alphabet(LETTERS)
    eventually(lambda: not cloud.see("services")["services"], what="the service to be gone")
    eventually(lambda: "engine" not in cloud.pids(), what="the engine to be gone")


def test_down_stops_and_up_goes_on(cloud: Cloud) -> None:
    """`alliage down` from another terminal; the next `up` has the same service and keys."""
    key = (cloud.home / "user.key").read_text()
    cloud.run("down")
    assert cloud.wait_end() == 0
    assert cloud.pids() == {}
    cloud.up()
    eventually(lambda: is_right(cloud), what="the right status")
    assert (cloud.home / "user.key").read_text() == key
    assert recites(cloud)
