"""What the benchmark needs of the machine: two cores, nginx, a C compiler, interpreters. Finds and builds; never installs."""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from alliage.errors import BadInput, Unavailable

ROOT: Final = Path(__file__).resolve().parents[2]
_HERE: Final = Path(__file__).resolve().parent
OUT: Final = _HERE.parent / "out"
_DISTRIBUTION_PYTHON: Final = Path("/usr/bin/python3")
_NEEDED: Final = {"nginx": "nginx-light", "gcc": "gcc", "taskset": "util-linux"}
_PARTS: Final = {"load": ("load.c", "load_shapes.c", "load_answers.c", "load_net.c"), "upstream": ("upstream.c",)}
"""The sources of each program."""
_PATH: Final = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"  # where Debian has nginx, off most users' PATH
_ASK: Final = (
    "import json, sys; v = sys.version_info;"
    "print(json.dumps(dict(path=sys.executable, version=sys.version, minor=f'{v.major}.{v.minor}')))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python: where it is and what it calls itself."""

    path: str
    version: str
    minor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """The proxy under test has one core for itself, everything else shares the other."""

    proxy: int
    others: int


def find_missing() -> str:
    """What the machine lacks for this benchmark and the way to it, "" when it lacks nothing."""
    if not Path("/proc/self/schedstat").exists():
        return "CPU time is read from /proc/PID/task/*/schedstat, which this system does not have; run it on Linux"
    if len(os.sched_getaffinity(0)) < 2:
        return "it needs two cores: one for the proxy under test, one for everything else"
    for program, package in _NEEDED.items():
        if shutil.which(program, path=_PATH) is None:
            return f"{program} is not installed; install it: apt-get install {package}"
    return ""


def find_program(name: str) -> str:
    """The path of a program; raises Unavailable when it is not installed."""
    path = shutil.which(name, path=_PATH)
    if path is None:
        raise Unavailable(f"{name} is not installed", remedy=f"apt-get install {_NEEDED.get(name, name)}")
    return path


def find_optional(name: str) -> str | None:
    """The path of a program that the benchmark can do without, None where it is not installed."""
    return shutil.which(name, path=_PATH)


def pick_cores() -> Cores:
    """The first two cores that this process may use."""
    first, second = sorted(os.sched_getaffinity(0))[:2]
    return Cores(proxy=first, others=second)


def build(name: str) -> Path:
    """Compile a program into bench/out/ unless what is there is newer; raises Unavailable with the compiler's words."""
    sources, program = [_HERE / part for part in _PARTS[name]], OUT / name
    youngest_s = max(one.stat().st_mtime for one in (*sources, *_HERE.glob("*.h")))
    if program.exists() and program.stat().st_mtime > youngest_s:
        return program
    OUT.mkdir(exist_ok=True)
    fresh = OUT / f"{name}.{os.getpid()}"  # moved into place whole: two runs may build at once
    argv = (find_program("gcc"), "-O2", "-Wall", "-Wextra", "-o", str(fresh), *map(str, sources))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{name} does not compile: {done.stderr.strip()}", remedy="see the compiler's message")
    return fresh.replace(program)


def ask_nginx_version(nginx: str) -> str:
    """Such as `nginx/1.22.1`."""
    return subprocess.run((nginx, "-v"), capture_output=True, text=True, check=True).stderr.split(": ")[-1].strip()


def ask_interpreter(path: str) -> Interpreter:
    """Who a Python is; raises BadInput when it does not run."""
    try:
        done = subprocess.run((path, "-c", _ASK), capture_output=True, text=True, check=True, env={"PATH": _PATH})
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadInput(f"{path} is no Python that runs: {error}", remedy="give --python a path to python3") from error
    return msgspec.json.decode(done.stdout, type=Interpreter)


def choose_interpreters(asked: str | None) -> tuple[Interpreter, ...]:
    """Those that run the gateway, the first one counts: `asked` or the distribution's own, then this one.

    They share this one's installed packages, so a Python of another minor version is left out, or refused when asked for.
    """
    own = ask_interpreter(sys.executable)
    wanted = asked or (str(_DISTRIBUTION_PYTHON) if _DISTRIBUTION_PYTHON.exists() else sys.executable)
    first = ask_interpreter(wanted)
    if first.minor != own.minor:
        if asked:
            raise BadInput(
                f"{asked} is Python {first.minor}, the installed packages are for {own.minor}",
                remedy=f"give --python a Python {own.minor}",
            )
        return (own,)
    return (own,) if first.version == own.version else (first, own)


def python_path() -> str:
    """PYTHONPATH under which a Python of the same minor version finds this repository and its installed packages."""
    folders = (str(ROOT), str(ROOT / "src"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return os.pathsep.join(dict.fromkeys(folders))
