"""A whole cloud for one round: `alliage up --fleet` as a person starts it, in a home of its own, and what its admin API says."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from alliage.app.home import Home

WAIT_S: Final = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One that is up. `admin` asks its admin API; `url` and `key` are for clients."""

    home: Path
    host: str
    port: int
    key: str
    admin: httpx2.Client

    def run(self, *arguments: str) -> str:
        """One command of the CLI; what it printed. Raises SystemExit where it fails."""
        done = subprocess.run(_alliage(self.home, *arguments), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"alliage {' '.join(arguments)} failed: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def replicas(self) -> list[dict[str, Any]]:
        """As the admin API has them now."""
        found: list[dict[str, Any]] = self.admin.get("/v1/replicas").json()["replicas"]
        return found

    def continued(self) -> int:
        """How many answers another replica went on with, by the gateway's own count."""
        told = httpx2.get(
            f"http://{self.host}:{self.port}/metrics", headers={"Authorization": self.admin.headers["Authorization"]}
        )
        lines = [line for line in told.text.splitlines() if line.startswith("alliage_gateway_continued_total{")]
        return int(sum(float(line.split()[-1]) for line in lines))

    def late_s(self) -> float:
        """By how much a step of the rehearsed engines ended late, at most; those below 5 ms are not told of, so: 0."""
        return max(self.latenesses_s(), default=0.0)

    def latenesses_s(self) -> list[float]:
        """The same of each second in which it was more than that, until now."""
        told = (self.home / "logs" / "rehearsal.log").read_text().splitlines()
        return [json.loads(line)["late_s"] for line in told if '"late_s"' in line]


@contextmanager
def a_cloud(fleet: Path, *, prepare: Callable[[Home], None] = lambda _home: None) -> Iterator[Cloud]:
    """Up, and down again whatever happens; its home is prepared before. A short folder, for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="al", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        prepare(Home(root=home))
        printed = Path(folder) / "up.txt"
        arguments = ("up", "--port", "0", "--admin-port", "0", "--model", "none", "--fleet", str(fleet))
        with printed.open("wb") as output:
            process = subprocess.Popen(
                _alliage(home, *arguments), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            until(lambda: "Alliage is up" in printed.read_text(), f"the cloud to come up: {printed.read_text()}")
            yield _opened(home)
        finally:
            process.terminate()
            process.wait(30)


def until(is_so: Callable[[], object], what: str, within_s: float = WAIT_S) -> None:
    """Wait until it is so; raises SystemExit with `what` was waited for."""
    deadline_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"waited {within_s:g} s for {what}")
        time.sleep(0.1)


def _opened(home: Path) -> Cloud:
    running = json.loads((home / "run" / "up.json").read_text())
    admin_key = (home / "admin.key").read_text().strip()
    return Cloud(
        home=home,
        host="127.0.0.1",
        port=running["port"],
        key=(home / "user.key").read_text().strip(),
        admin=httpx2.Client(
            base_url=f"http://127.0.0.1:{running['admin_port']}",
            headers={"Authorization": f"Bearer {admin_key}"},
            trust_env=False,
        ),
    )


def _alliage(home: Path, *arguments: str) -> list[str]:
    return ["env", *_without_ours(), sys.executable, "-m", "alliage", "--home", str(home), *arguments]


def _without_ours() -> list[str]:
    """Settings of ours that the environment may hold are not for this home."""
    return [part for name in os.environ if name.startswith("ALLIAGE_") for part in ("-u", name)]
