"""A whole cloud for a test: `alliage up` as a person starts it, in a home of its own, ended whatever happens."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from openai import OpenAI

WAIT_S: Final = 90.0
_Found = TypeVar("_Found")


def eventually(look: Callable[[], _Found | None], *, within_s: float = WAIT_S, what: str) -> _Found:
    """What `look` finds once it finds something; fails with `what` was waited for."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        if (found := look()) is not None and found is not False:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {within_s} s for {what}")


@dataclass
class Cloud:
    """One home folder and the supervisor that runs on it."""

    home: Path
    process: subprocess.Popen[bytes] | None = None
    clients: list[OpenAI] = field(default_factory=list)

    @property
    def output(self) -> str:
        """What `alliage up` printed so far."""
        return (self.home.parent / "up.txt").read_text()

    def up(self, *arguments: str, model: str = "none", settled: bool = True) -> None:
        """Start it; with `settled`, wait until it says that it is up."""
        printed = self.home.parent / "up.txt"
        command = [*_alliage(self.home), "up", "--port", "0", "--admin-port", "0", "--model", model, *arguments]
        with printed.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment(), start_new_session=True
            )
        if settled:
            eventually(self._settled, what="Alliage is up")

    def _settled(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output
        return "Alliage is up" in self.output

    def wait_end(self, within_s: float = WAIT_S) -> int:
        """The exit code of the supervisor."""
        assert self.process is not None
        return self.process.wait(within_s)

    def run(
        self, *arguments: str, check: bool = True, text: str | None = None, within_s: float = WAIT_S * 2
    ) -> subprocess.CompletedProcess[str]:
        """One command of the CLI."""
        done = subprocess.run(
            [*_alliage(self.home), *arguments],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=within_s,
            input=text,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def ask(self, *arguments: str) -> Any:
        """The JSON of a reading command."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def see(self, *path: str) -> Any:
        """What the admin API answers at a path: what `--json` prints, without a process for each look. Raises OSError."""
        key = (self.home / "admin.key").read_text().strip()
        url = f"http://127.0.0.1:{self.running['admin_port']}/v1/{'/'.join(path)}"
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(asked, timeout=WAIT_S) as answer:
            return json.load(answer)

    @property
    def running(self) -> dict[str, Any]:
        """Ports and pid of the supervisor."""
        told: dict[str, Any] = json.loads((self.home / "run" / "up.json").read_text())
        return told

    @property
    def url(self) -> str:
        """The OpenAI API."""
        return f"http://127.0.0.1:{self.running['port']}/v1"

    def client(self, key: str | None = None) -> OpenAI:
        """The official client, without its own retries."""
        key = key if key is not None else (self.home / "user.key").read_text().strip()
        client = OpenAI(base_url=self.url, api_key=key, max_retries=0, timeout=WAIT_S)
        self.clients.append(client)
        return client

    def pids(self) -> dict[str, list[int]]:
        """Our processes of this home, by what they are."""
        found: dict[str, list[int]] = {}
        every = list(_processes())
        watchers = {each.pid for each in every if str(self.home) in each.command and "watcher.py" in each.command}
        for each in every:
            if str(self.home) in each.command or each.parent in watchers or each.folder.startswith(str(self.home)):
                found.setdefault(_kind(each.command), []).append(each.pid)
        return found

    def pid(self, kind: str) -> int:
        """The one process of a kind."""
        (pid,) = self.pids()[kind]
        return pid

    def kill(self, kind: str) -> int:
        """`kill -9` it; its pid."""
        pid = self.pid(kind)
        os.kill(pid, signal.SIGKILL)
        return pid

    def deploy(self, model: Path, name: str) -> None:
        """Deploy a file and wait until it is ready."""
        self.run("deploy", str(model), "--name", name)

    def close(self) -> None:
        """End everything of this home, gently where it listens."""
        for client in self.clients:
            client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pids in self.pids().values():
            for pid in pids:
                os.kill(pid, signal.SIGKILL)


def environment() -> dict[str, str]:
    """The test's own environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ALLIAGE_")}


def _alliage(home: Path) -> list[str]:
    return [sys.executable, "-m", "alliage", "--home", str(home)]


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    command: str
    folder: str


def _processes() -> Iterator[_Process]:
    """Every process but zombies."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
                folder = str((entry / "cwd").readlink())
            except OSError:
                continue
            if command and state != "Z":
                yield _Process(int(entry.name), int(parent), command, folder)


def _kind(command: str) -> str:
    for name in ("control", "gateway", "agent", "rehearsal", "rehearsed-engines"):
        if f"alliage.faces.process {name} " in command:
            return name
    for name in ("watcher.py", "llama_server", " up "):
        if name in command:
            return {"watcher.py": "watcher", "llama_server": "engine", " up ": "supervisor"}[name]
    return "other"


@contextmanager
def a_cloud(settings: str = "") -> Iterator[Cloud]:
    """An empty home in a short folder (Unix sockets), with `settings` as its alliage.toml."""
    with tempfile.TemporaryDirectory(prefix="al", dir="/tmp", ignore_cleanup_errors=True) as folder:
        cloud = Cloud(home=Path(folder) / "home")
        cloud.home.mkdir(mode=0o700)
        if settings:
            (cloud.home / "alliage.toml").write_text(settings)
        try:
            yield cloud
        finally:
            cloud.close()
