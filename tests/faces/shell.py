"""Runs the real command line in a process of its own, as a person's shell would."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """No colours, a fixed width, and nothing of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALLIAGE_")}
    fixed = {"TERMINAL_WIDTH": "100", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "TZ": "UTC"}
    return kept | fixed | more


def alliage(*arguments: str, home: Path, stdin: str = "", cwd: Path | None = None, **env: str) -> Ran:
    """One command against the cloud of `home`."""
    done = subprocess.run(
        [sys.executable, "-m", "alliage", "--home", str(home), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=environment(**env),
    )
    return Ran(done.returncode, done.stdout, done.stderr)
