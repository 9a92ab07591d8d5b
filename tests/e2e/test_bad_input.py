"""Each bad input ends in a clear message that names the value and the remedy."""

import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually
from tests.models.alphabet import alphabet, write_alphabet

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def empty() -> Iterator[Cloud]:
    """A cloud without a service, which every test leaves as it found it."""
    with a_cloud() as cloud:
        cloud.up()
        yield cloud


def refused_up(cloud: Cloud, *arguments: str) -> str:
    """What a failing `alliage up` prints; it must end by itself and leave nothing."""
    cloud.up(*arguments, settled=False)
    assert cloud.wait_end() != 0
    assert cloud.pids() == {}
    return cloud.output


def test_port_in_use_is_named() -> None:
    """Which port, and the option that changes it."""
    with a_cloud() as cloud, socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        printed = refused_up(cloud, "--port", port)
        assert port in printed
        assert "--port" in printed


def test_home_that_cannot_be_written_is_named() -> None:
    """A file where a folder should be."""
    with a_cloud() as cloud:
        blocked = cloud.home / "file"
        blocked.write_text("")
        outside = Cloud(home=blocked / "home")
        done = outside.run("up", check=False)
        assert done.returncode == 1
        assert str(blocked) in done.stderr
        assert "--home" in done.stderr


def test_two_ups_on_one_home_are_refused(empty: Cloud) -> None:
    """The second names the first's pid and stops nothing."""
    second = Cloud(home=empty.home).run("up", "--port", "0", "--admin-port", "0", check=False)
    assert second.returncode == 1
    assert str(empty.running["pid"]) in second.stderr
    assert empty.run("status").returncode == 0


def test_database_of_a_newer_version_is_refused() -> None:
    """A clear no from an older version, and the file is left as it is."""
    with a_cloud() as cloud:
        cloud.up()
        cloud.run("down")
        cloud.wait_end()
        database = cloud.home / "alliage.db"
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE alliage_schema SET version_num = 'r9999'")
        connection.close()
        printed = refused_up(cloud)
        assert "r9999" in printed
        assert "newer" in printed


def test_file_that_is_no_database_is_refused() -> None:
    """Garbage in place of the store."""
    with a_cloud() as cloud:
        (cloud.home / "alliage.db").write_bytes(b"this is no database" * 100)
        assert "alliage.db" in refused_up(cloud)


def test_settings_file_with_a_mistake_is_refused() -> None:
    """File, section, field and value."""
    with a_cloud('[gateway]\nhold_s = "long"\n') as cloud:
        printed = Cloud(home=cloud.home).run("up", check=False)
        assert printed.returncode == 2
        for word in ("alliage.toml", "gateway", "hold_s", "long"):
            assert word in printed.stderr
    with a_cloud("[gateway]\nholds = 1.0\n") as cloud:
        assert "holds" in Cloud(home=cloud.home).run("up", check=False).stderr


def test_bad_models_are_refused_before_anything_starts(empty: Cloud, tmp_path: Path) -> None:
    """Truncated, no model at all, no such file, larger than memory, pickle, a catalogue name that is not there."""
    whole = tmp_path / "whole.gguf"
    write_alphabet(whole)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole.read_bytes()[:-1000])
    text = tmp_path / "text.gguf"
    text.write_text("I am no model")
    huge = tmp_path / "huge.gguf"
    write_alphabet(huge, pad_bytes=1 << 40)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04")
    for model, words in {
        cut: ("cut.gguf",),
        text: ("text.gguf",),
        tmp_path / "absent.gguf": ("absent.gguf",),
        huge: ("1 TiB", "memory"),
        pickled: ("pickled",),
        Path("smollm2-136m"): ("smollm2-136m", "smollm2-135m"),
    }.items():
        done = empty.run("deploy", str(model), check=False)
        assert done.returncode in (1, 2), (model, done)
        for word in words:
            assert word in done.stdout + done.stderr, (model, done)
    assert empty.see("services")["services"] == []
    assert "engine" not in empty.pids()


def test_engine_that_cannot_load_its_model_backs_off_and_says_why(empty: Cloud, tmp_path: Path) -> None:
    """The header is fine and the file is whole, but the tensors are not the architecture's: llama.cpp's words are told."""
    model = tmp_path / "odd.gguf"
    write_alphabet(model)
    data = model.read_bytes()
    model.write_bytes(data.replace(b"blk.0.attn_q.weight", b"blk.0.attn_x.weight"))
    done = empty.run("deploy", str(model), "--name", "odd", check=False)
    assert done.returncode == 1
    assert "3 times" in done.stderr
    (replica,) = empty.see("replicas")["replicas"]
    assert replica["phase"] in ("backoff", "starting", "bound", "fetching")
    assert "attn_q" in replica["note"]
    assert empty.run("delete", "odd", "--yes").returncode == 0
    eventually(lambda: not empty.see("services")["services"], what="the service to be gone")


def test_hung_engine_leaves_the_routing_and_comes_back(slow_alphabet: Path) -> None:
    """SIGSTOP: the health probe finds it, the service is not ready; SIGCONT: it is again."""
    with a_cloud("[agent]\nhealth_every_s = 0.3\nhealth_timeout_s = 0.5\nhealth_failures = 2\n") as cloud:
        cloud.up()
        cloud.deploy(slow_alphabet, "alphabet")
        engine = cloud.pid("engine")
        os.kill(engine, signal.SIGSTOP)
        try:
            eventually(lambda: cloud.see("services")["services"][0]["phase"] == "starting", what="it to be noticed")
        finally:
            os.kill(engine, signal.SIGCONT)
        eventually(lambda: cloud.see("services")["services"][0]["phase"] == "ready", what="it to be well again")


def test_other_address_is_reachable_and_the_admin_api_stays_on_loopback(slow_alphabet: Path) -> None:
    """`--host` moves the OpenAI API only; the commands find the admin API where it always is."""
    with a_cloud() as cloud:
        cloud.up("--host", "127.0.0.2")
        assert cloud.run("status").returncode == 0
        cloud.deploy(slow_alphabet, "alphabet")
        port = cloud.running["port"]
        with socket.create_connection(("127.0.0.2", port), 5):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)


def test_key_is_sent_to_nobody_when_nothing_runs() -> None:
    """After `alliage down` something else may listen on the port: the command does not even ask it."""
    with a_cloud() as cloud:
        cloud.up()
        port = cloud.running["admin_port"]
        cloud.run("down")
        cloud.wait_end()
        with socket.create_server(("127.0.0.1", port)) as stranger:
            stranger.settimeout(0.5)
            done = cloud.run("status", check=False)
            assert done.returncode == 3
            with pytest.raises(TimeoutError):
                stranger.accept()


def test_model_of_the_first_up_may_be_a_file(quick_alphabet: Path) -> None:
    """`alliage up --model PATH` serves it, and the line that it prints answers when pasted."""
    with a_cloud() as cloud:
        cloud.up(model=str(quick_alphabet))
        assert [service["phase"] for service in cloud.see("services")["services"]] == ["ready"]
        (curl,) = (line for line in cloud.output.splitlines() if line.startswith("curl "))
        answered = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60, check=True)
        assert alphabet(20) in answered.stdout


def test_commands_without_a_cloud_say_so() -> None:
    """Exit 3, and what to type."""
    with a_cloud() as cloud:
        done = cloud.run("status", check=False)
        assert done.returncode == 3
        assert "alliage up" in done.stderr
