"""The command line in processes of its own against a real admin API: what it prints, and how it ends."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faces.served import ADMIN_KEY, USER_KEY, Served, served
from tests.faces.shell import Ran, alliage, environment

MODEL = "smollm2-135m"


@pytest.fixture
def cloud() -> Iterator[Served]:
    """A cloud of its own for each test."""
    with served() as running:
        yield running


@pytest.fixture
def home(cloud: Served, tmp_path: Path) -> Path:
    """A home folder as `alliage up` leaves it."""
    cloud.announce(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def quiet_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cloud for all tests that change nothing."""
    root = tmp_path_factory.mktemp("quiet") / "home"
    with served() as running:
        running.announce(root)
        yield root


def done(ran: Ran) -> Ran:
    """The run, which must have ended well."""
    assert ran.code == 0, ran
    return ran


def test_a_service_from_deploy_to_delete(cloud: Served, home: Path) -> None:
    """One person's first ten minutes."""
    assert "no services" in done(alliage("services", home=home)).err
    deployed = done(alliage("deploy", MODEL, "--ttft", "500ms", home=home))
    assert f"{MODEL} runs on laptop/cpu0" in deployed.out
    assert f"{MODEL} is ready at {cloud.gateway_url}/v1" in deployed.err
    listed = done(alliage("services", home=home)).out
    assert listed.splitlines()[1].split()[:3] == [MODEL, "ready", "1/1"]
    status = done(alliage("status", home=home)).out
    assert "Alliage 9.9.9" in status
    assert "AMD EPYC" in status
    assert "problem" not in status
    replica = json.loads(done(alliage("replicas", "--json", home=home)).out)["replicas"][0]["id"]
    assert replica in done(alliage("replicas", home=home)).out
    assert "laptop/cpu0" in done(alliage("nodes", home=home)).out
    assert "Apache-2.0" in done(alliage("models", home=home)).out
    explained = done(alliage("explain", MODEL, home=home)).out
    assert "Chosen because:" in explained
    assert "the latency goal could not be checked" in explained
    assert done(alliage("logs", replica, "-n", "1", home=home)).out == f"line 0 of {replica}\n"
    by_service = done(alliage("logs", MODEL, "-n", "1", home=home))
    assert (by_service.out, by_service.err) == (f"line 0 of {replica}\n", f"-- {replica}\n")
    assert "starting -> ready" in done(alliage("history", MODEL, home=home)).out
    assert "is being deleted" in done(alliage("delete", MODEL, home=home)).err


MOVING = ("ready_for_s",)


def still(document: Any) -> Any:
    """The document with each number that grows while one looks replaced by its kind."""
    if isinstance(document, dict):
        return {name: type(each) if name in MOVING else still(each) for name, each in document.items()}
    return [still(each) for each in document] if isinstance(document, list) else document


def test_json_is_what_the_api_answered(cloud: Served, home: Path) -> None:
    """`--json` prints the API's own JSON, every field and value of it, for everything that reads."""
    done(alliage("deploy", MODEL, home=home))
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    plain = ("status", "services", "replicas", "nodes", "models")
    commands = {(each,): each for each in plain} | {
        ("explain", MODEL): f"services/{MODEL}/explain",
        ("history", MODEL): f"history/{MODEL}",
        ("key", "list"): "keys",
        ("limit", "list"): "limits",
    }
    for command, path in commands.items():
        printed = json.loads(done(alliage(*command, "--json", home=home)).out)
        answered = httpx2.get(f"{cloud.url}/v1/{path}", headers=headers, trust_env=False).json()
        assert still(printed) == still(answered), command


def test_logs_as_json(cloud: Served, home: Path) -> None:
    """One object, or an object for each line as it comes while it is followed."""
    done(alliage("deploy", MODEL, home=home))
    cloud.call(lambda: setattr(cloud.agents, "dirt", "\x1b[2J\x9b"))
    whole = done(alliage("logs", MODEL, "-n", "2", "--json", home=home))
    replica = whole.err.strip().removeprefix("-- ")
    lines = [f"line {number} of {replica}\x1b[2J\x9b" for number in range(2)]
    assert json.loads(whole.out) == {"replica": replica, "text": "".join(f"{line}\n" for line in lines)}
    assert not set(whole.out) & {"\x1b", "\x9b"}
    command = [sys.executable, "-m", "alliage", "--home", str(home), "logs", replica, "-n", "2", "-f", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as following:
        try:
            assert following.stdout is not None
            seen = [json.loads(following.stdout.readline()) for _ in lines]
        finally:
            following.kill()
    assert seen == [{"replica": replica, "text": line} for line in lines]


def test_logs_on_a_terminal_drive_nothing(cloud: Served, home: Path) -> None:
    """What an engine writes cannot clear the screen or set a title; into a pipe it goes as it is."""
    done(alliage("deploy", MODEL, home=home))
    cloud.call(lambda: setattr(cloud.agents, "dirt", "\x1b]0;title\x07"))
    assert done(alliage("logs", MODEL, "-n", "1", home=home)).out.endswith("\x1b]0;title\x07\n")
    with on_terminal(home, "logs", MODEL, "-n", "1") as terminal:
        assert terminal.expect("]0;title").endswith("of " + terminal_replica(home) + "]0;title")


def terminal_replica(home: Path) -> str:
    """The one replica."""
    return str(json.loads(alliage("replicas", "--json", home=home).out)["replicas"][0]["id"])


def test_home_may_stand_after_every_command(home: Path, tmp_path: Path) -> None:
    """As for `up` and `down`; what stands after the command counts."""
    after = ("--home", str(home))
    for command in (("status",), ("services",), ("key", "list"), ("history", "laptop"), ("models", "--json")):
        done(alliage(*command, *after, home=tmp_path / "other"))
    nothing = alliage("explain", "none", *after, home=tmp_path / "other")
    assert "there is no service 'none'" in nothing.err


def test_errors_drive_no_terminal(tmp_path: Path) -> None:
    """A message with an escape sequence in it is told without."""
    ran = alliage("status", home=tmp_path / "a\x1b[2Jb")
    assert ran.code == 3
    assert "a[2Jb" in ran.err
    assert "\x1b" not in ran.err


def test_refusals_print_reasons_and_end_with_1(home: Path) -> None:
    """The third model on two cores: why not, and what would make room; a dry run says the same and changes nothing."""
    for name in ("one", "two"):
        done(alliage("deploy", MODEL, "--name", name, home=home))
    refused = alliage("deploy", MODEL, "--name", "three", home=home)
    assert refused.code == 1
    assert "three cannot be served now." in refused.out
    assert "deleting service one would free 1 core on laptop/cpu0" in refused.out
    assert "nothing was deployed" in refused.err
    dry = alliage("deploy", MODEL, "--name", "three", "--dry-run", "--json", home=home)
    assert dry.code == 1
    assert json.loads(dry.out)["accepted"] is False
    assert "cannot be served" in alliage("explain", "three", home=home).out


def test_dry_run_says_what_would_be(home: Path) -> None:
    """And leaves no service behind."""
    dry = done(alliage("deploy", MODEL, "--dry-run", home=home))
    assert f"{MODEL} would run on laptop/cpu0" in dry.out
    assert "nothing was changed" in dry.err
    assert json.loads(alliage("services", "--json", home=home).out) == {"services": []}


def end_all(cloud: Served) -> None:
    """Every engine dies."""
    for replica in cloud.world.desk.view().replicas:
        cloud.agents.end(replica.id, "bad magic")


def test_an_engine_that_dies_is_told(cloud: Served, home: Path) -> None:
    """Waiting ends when the engine died three times in a row, with its last words and what to look at."""
    cloud.agents.load_s = 3600
    waiting = subprocess.Popen(
        [sys.executable, "-m", "alliage", "--home", str(home), "deploy", MODEL],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        while waiting.poll() is None:
            cloud.call(lambda: end_all(cloud))
            time.sleep(0.05)
        _, err = waiting.communicate(timeout=20)
    finally:
        waiting.kill()
        waiting.wait()
    assert waiting.returncode == 1
    assert "times in a row: bad magic" in err
    assert "try: see `alliage logs" in err


def test_waiting_has_an_end(cloud: Served, home: Path) -> None:
    """`--timeout` ends the waiting, not the service."""
    cloud.call(lambda: setattr(cloud.agents, "load_s", 3600.0))
    late = alliage("deploy", MODEL, "--timeout", "1s", home=home)
    assert late.code == 1
    assert f"{MODEL} is not ready after 1 s" in late.err
    assert json.loads(alliage("services", "--json", home=home).out)["services"][0]["phase"] == "starting"
    assert done(alliage("deploy", MODEL, "--no-wait", home=home)).code == 0


def test_paths_are_made_absolute(home: Path, tmp_path: Path) -> None:
    """The cloud has another working folder than the person."""
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    done(alliage("deploy", "tiny.gguf", "--no-wait", home=home, cwd=tmp_path))
    assert json.loads(alliage("services", "--json", home=home).out)["services"][0]["name"] == "tiny"


def test_tenants_from_set_to_drop(home: Path) -> None:
    """As written in the documents; doubts are told, and what is left out stays."""
    done(alliage("deploy", MODEL, "--rate", "2", "--residency", "local", "--no-wait", home=home))
    rights = ("--tier", "1", "--guarantee", "nvidia-h20:8", "--guarantee", "nvidia-h20+huawei-910b:16@moon")
    set_ = done(alliage("tenant", "set", "default", *rights, "--budget", "40.5/h", home=home)).out
    assert set_.splitlines()[:3] == [
        "tenant default: tier 1, weight 1",
        "  guaranteed  nvidia-h20:8, nvidia-h20+huawei-910b:16@moon",
        "  budget      40.5/h",
    ]
    assert "  not to be kept now: no node is at the site 'moon'; sites there are: local" in set_
    assert (
        "nothing was changed" in done(alliage("tenant", "set", "default", "--weight", "3", "--dry-run", home=home)).err
    )
    done(alliage("tenant", "set", "default", "--guarantee", "none", "--budget", "none", home=home))
    shown = json.loads(done(alliage("tenant", "show", "default", "--json", home=home)).out)
    assert (shown["tier"], shown["weight"], shown["guarantees"], shown["budget_micros"]) == (1, 1.0, [], None)
    listed = done(alliage("tenant", "list", home=home)).out.splitlines()
    assert listed[0].split() == [
        "TENANT",
        "TIER",
        "WEIGHT",
        "GUARANTEED",
        "BUDGET",
        "LIMITS",
        "DEVICES",
        "SERVICES",
        "KEYS",
    ]
    assert [line.split()[0] for line in listed[1:]] == ["default", "other"]
    assert "has the defaults again" in done(alliage("tenant", "drop", "default", home=home)).err
    assert "rate 2/s, in local" in done(alliage("services", home=home)).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tenant", "set", "a"), "set what?"),
        (("tenant", "set", "a", "--guarantee", "nvidia-h20"), "--guarantee 'nvidia-h20' cannot be read"),
        (("tenant", "set", "a", "--guarantee", "nvidia-h21:1"), "no chip 'nvidia-h21'"),
        (("tenant", "set", "a", "--budget", "-1/h"), "--budget '-1/h' cannot be read"),
        (("tenant", "set", "a", "--rpm", "0"), "a limit of 0 requests a minute"),
        (("project", "set", "a", "--rpm", "1"), "'a' is no project"),
        (("key", "set", "user"), "set what?"),
        (("tenant", "set", "a", "--weight", "nan"), "--weight is nan"),
        (("deploy", MODEL, "--rate", "inf"), "--rate is inf"),
        (("deploy", MODEL, "--rate", "-1"), "--rate is -1"),
        (("deploy", MODEL, "--residency", "the moon"), "can be no name of a site"),
        (("deploy", MODEL, "--min-replicas", "3", "--max-replicas", "2"), "from 3 to 2"),
    ],
)
def test_what_cannot_be_asked_is_bad_input(quiet_home: Path, arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2, with the value and the way out."""
    ran = alliage(*arguments, home=quiet_home)
    assert ran.code == 2, ran
    assert said in ran.err


def test_keys_from_create_to_revoke(home: Path) -> None:
    """The secret alone is on the output, and works until it is revoked; the older spelling `keys` does the same."""
    secret = done(alliage("key", "create", "ci", home=home)).out.strip()
    assert "ci" in done(alliage("keys", "list", home=home)).out
    refused = alliage("key", "list", home=home, ALLIAGE_KEY=secret)
    assert refused.code == 1
    assert "needs the role admin" in refused.err
    assert "would be revoked" in done(alliage("key", "revoke", "ci", "--dry-run", home=home)).err
    assert "is revoked" in done(alliage("keys", "revoke", "ci", home=home)).err
    assert "error: the key is not known" in alliage("status", home=home, ALLIAGE_KEY=secret).err


def test_limits_from_set_to_lifted(home: Path) -> None:
    """Of a tenant, a project and a key; who has the key sees what holds for it; what is lifted is gone."""
    set_ = ("--rpm", "600", "--tpm", "1M", "--parallel", "20", "--context", "32k", "--day", "50", "--month", "1000")
    tenant = done(alliage("tenant", "set", "acme", *set_, "--model", "a", "--model", "b", home=home)).out
    words = "rpm 600, tpm 1M, parallel 20, context 32k, model a b, day 50, month 1000"
    assert f"  limits      {words}\n" in tenant
    assert "there is no service 'a' now" in tenant
    asked = ("--tenant", "acme", "--project", "web", "--priority", "interactive", "--rpm", "60")
    secret = done(alliage("key", "create", *asked, home=home)).out.strip()
    done(alliage("project", "set", "acme/web", "--day", "12.5", home=home))
    mine = done(alliage("limit", "list", home=home, ALLIAGE_KEY=secret)).out.splitlines()
    assert [line.split()[0] for line in mine] == ["WHOSE", "key:acme-web-1", "project:acme/web", "tenant:acme"]
    assert done(alliage("limit", "show", "key:acme-web-1", home=home)).out.splitlines() == mine
    changed = done(alliage("key", "set", "acme-web-1", "--rpm", "none", "--priority", "batch", home=home)).out
    assert changed.splitlines()[3:] == ["  priority  batch", "  limits    none"]
    done(alliage("project", "drop", "acme/web", home=home))
    left = json.loads(done(alliage("limit", "list", "--json", home=home)).out)["scopes"]
    assert [each["scope"] for each in left] == ["tenant:acme"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("explain", "none"), 1, "error: there is no service 'none'\n  try: services: none\n"),
        (("delete", "none"), 1, "there is no service 'none'"),
        (("logs", "none"), 1, "there is no replica 'none'"),
        (("deploy", MODEL, "--ttft", "soon"), 2, "error: 'soon' is not a duration\n  try: write a number and a unit"),
        (("deploy", MODEL, "--ttft", "9" * 400 + "h"), 2, "is too long a duration"),
        (("explain", "."), 2, "error: '.' is not a name"),
        (("explain", ""), 2, "error: '' is not a name"),
        (("delete", ".."), 2, "error: '..' is not a name"),
        (
            ("history", "nothing"),
            1,
            "nothing was ever recorded about 'nothing'\n  try: nodes, services and replicas: laptop",
        ),
        (("keys", "create", "team/ci"), 2, "name is 'team/ci': use 1 to 63 letters"),
        (("deploy", MODEL, "--min-replicas", "-1"), 2, "--min-replicas"),
        (("deploy", MODEL, "--min-replicas", "2", "--max-replicas", "1"), 2, "replicas from 2 to 1"),
        (("deploy", MODEL, "--name", "A B"), 2, "'A B' cannot be the name of a service"),
        (("nonsense",), 2, "No such command"),
        (("chat",), 1, "there is no service to chat with"),
        (("chat", "-m", " "), 2, "the message is empty"),
        (("keys", "revoke", "admin"), 1, "last admin key"),
        (("limit", "show", "acme"), 2, "try: write tenant:NAME, project:TENANT/NAME or key:NAME"),
        (("project", "show", "other/web"), 1, "the tenant 'other' has no project 'web'"),
    ],
)
def test_errors_have_one_shape_and_an_exit_code(
    quiet_home: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """1: refused or failed, 2: bad input. On the error stream, with the remedy, and without a traceback."""
    ran = alliage(*arguments, home=quiet_home)
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_nothing_runs(tmp_path: Path) -> None:
    """One clear sentence with the remedy and exit 3; `down` has nothing to do and says so."""
    for arguments in (("status",), ("deploy", MODEL), ("chat",)):
        ran = alliage(*arguments, home=tmp_path / "home")
        assert (ran.code, ran.out) == (3, "")
        assert (
            ran.err
            == f"error: no cloud runs in {tmp_path / 'home'}\n  try: start it with `alliage up` (or name another --home)\n"
        )
    assert "nothing runs in" in done(alliage("down", home=tmp_path)).err


def test_a_cloud_that_died_is_not_running(cloud: Served, home: Path) -> None:
    """The announcement of a dead supervisor is not believed, and its key is sent to nobody."""
    up_file = home / "run" / "up.json"
    up_file.write_text(json.dumps(json.loads(up_file.read_text()) | {"started": "1"}))
    assert alliage("status", home=home).code == 3
    assert "nothing runs in" in done(alliage("down", home=home)).err


def test_the_port_of_the_environment(cloud: Served, home: Path) -> None:
    """Without an announcement the admin port is ALLIAGE_ADMIN_PORT, asked with ALLIAGE_KEY and never with the file's key."""
    (home / "run" / "up.json").unlink()
    port = cloud.url.rpartition(":")[2]
    assert alliage("status", home=home, ALLIAGE_ADMIN_PORT=port).code == 3
    done(alliage("status", home=home / "other", ALLIAGE_ADMIN_PORT=port, ALLIAGE_KEY=USER_KEY))
    assert alliage("status", home=home, ALLIAGE_ADMIN_PORT="http", ALLIAGE_KEY=USER_KEY).code == 2
    proxy = "http://127.0.0.1:1"
    done(alliage("status", home=home, ALLIAGE_ADMIN_PORT=port, ALLIAGE_KEY=USER_KEY, http_proxy=proxy))


def test_something_else_on_the_port(cloud: Served, home: Path) -> None:
    """What answers there and is not ours is told so."""
    (home / "run" / "up.json").unlink()
    gateway_port = cloud.gateway_url.rpartition(":")[2]
    wrong = alliage("deploy", MODEL, home=home, ALLIAGE_ADMIN_PORT=gateway_port, ALLIAGE_KEY=USER_KEY)
    assert (wrong.code, wrong.out) == (1, "")
    assert "error: the answer is not one of this admin API" in wrong.err
    missing = alliage("status", home=home, ALLIAGE_ADMIN_PORT=gateway_port, ALLIAGE_KEY=USER_KEY)
    assert "error: the admin API answered 404" in missing.err


def test_chat_once(cloud: Served, home: Path) -> None:
    """`-m` and a pipe each get one answer, from the first ready service or the one that is named."""
    done(alliage("deploy", MODEL, home=home))
    assert done(alliage("chat", "-m", "hello", home=home)).out == "a\x1bbc\n"
    assert done(alliage("chat", MODEL, home=home, stdin="piped")).out == "a\x1bbc\n"
    assert [each["messages"] for each in cloud.asked] == [
        [{"role": "user", "content": "hello"}],
        [{"role": "user", "content": "piped"}],
    ]
    assert cloud.asked[0]["model"] == MODEL
    assert cloud.asked[0]["authorization"] == f"Bearer {ADMIN_KEY}"
    refused = alliage("chat", "gone", "-m", "hello", home=home)
    assert (refused.code, refused.out) == (1, "")
    assert "there is no model 'gone'" in refused.err
    garbled = alliage("chat", "-m", "garbled", home=home)
    assert garbled.code == 1
    assert "error: the gateway sent what is no part of an answer: '{no json'" in garbled.err
    assert "Traceback" not in garbled.err


@dataclass(slots=True)
class Terminal:
    """The person's end of a terminal."""

    process: subprocess.Popen[bytes]
    descriptor: int
    seen: bytes = b""

    def expect(self, words: str) -> str:
        """What is shown up to and with `words`; what comes after it is kept for the next look."""
        deadline_s = time.monotonic() + 30
        while words.encode() not in self.seen:
            assert time.monotonic() < deadline_s, self.seen
            if select.select([self.descriptor], [], [], 0.1)[0]:
                self.seen += os.read(self.descriptor, 4096)
        shown, _, self.seen = self.seen.partition(words.encode())
        return (shown + words.encode()).decode()

    def enter(self, keys: str) -> None:
        """Type, once the prompt is there."""
        self.expect("> ")
        os.write(self.descriptor, keys.encode())


@contextmanager
def on_terminal(home: Path, *arguments: str, **env: str) -> Iterator[Terminal]:
    """A command on a terminal of its own; the test holds the other end."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "alliage", "--home", str(home), *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**env))
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_conversation(cloud: Served, home: Path) -> None:
    """It remembers what was said; Ctrl-C stops an answer and keeps its part, not the program; Ctrl-D leaves."""
    done(alliage("deploy", MODEL, home=home))
    with on_terminal(home, "chat") as terminal:
        terminal.expect("leaves.")
        terminal.enter("hello\n")
        terminal.expect("abc")
        terminal.enter("endless\n")
        terminal.expect("abc")
        terminal.process.send_signal(signal.SIGINT)
        terminal.expect("(stopped)")
        terminal.enter("again\n")
        terminal.expect("abc")
        terminal.enter("/new\n")
        terminal.enter("fresh\n")
        terminal.expect("abc")
        terminal.enter("\x04")
        assert terminal.process.wait(20) == 0
    assert [len(str(each["messages"]).split("role")) - 1 for each in cloud.asked] == [1, 3, 5, 1]


_SUPERVISOR = """
import json, os, signal, sys, time
from pathlib import Path
from alliage.app.home import HomeLock, open_home
home = open_home(Path(sys.argv[1]))
lock = HomeLock(home)
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
lock.announce(host="127.0.0.1", port=1, admin_port=1)
print("up", flush=True)
while len(got) < int(sys.argv[2]):
    time.sleep(0.01)
lock.release()
"""


@contextmanager
def supervisor(home: Path, signals: int) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a home as `alliage up` does and leaves after so many Ctrl-C."""
    command = [sys.executable, "-c", _SUPERVISOR, str(home), str(signals)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_down_stops_what_runs(tmp_path: Path) -> None:
    """As one Ctrl-C would, and waits until it is gone."""
    with supervisor(tmp_path / "home", 1) as process:
        ran = done(alliage("down", home=tmp_path / "home"))
        assert ran.err.endswith("stopped\n")
        assert process.wait(10) == 0


def test_down_now_interrupts_twice(tmp_path: Path) -> None:
    """A drain that takes too long is told, and `--now` ends it."""
    with supervisor(tmp_path / "home", 3) as process:
        slow = alliage("down", "--timeout", "300ms", home=tmp_path / "home")
        assert slow.code == 1
        assert "still runs after 300 ms" in slow.err
        done(alliage("down", "--now", home=tmp_path / "home"))
        assert process.wait(10) == 0
