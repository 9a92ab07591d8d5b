"""Compile the gateway's data path by mypyc into this environment (`alliage.compiled` says what, and uses it).

Exit status 0 where it is done or was before, 3 where it cannot be (no compiler, no headers): the gateway then runs uncompiled.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
from alliage import compiled

UNABLE: Final = 3
_FLAGS: Final = {"CFLAGS": "-fvisibility=hidden -fno-plt -fno-semantic-interposition", "LDFLAGS": "-Wl,-Bsymbolic"}
"""Calls between the compiled modules, and into Python, go straight instead of through stubs."""
_PLACE: Final = Path(sysconfig.get_path("platlib")) / "alliage_compiled"
_SETUP: Final = """
import sys
from mypyc.build import mypycify
from setuptools import setup
extensions = mypycify(["--strict", *{files!r}], opt_level={level!r}, multi_file=True)
setup(name="alliage-compiled", ext_modules=extensions, script_args=["build_ext", "--build-lib", {out!r}, "--build-temp", {temp!r}])
"""


def main() -> int:
    """Compile unless that was done for these sources."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", default="2", help="the C compiler's level of optimisation (default: 2)")
    given = parser.parse_args()
    if _is_done():
        return 0
    why = _missing()
    if why:
        print(f"the gateway runs uncompiled: {why}", file=sys.stderr)
        return UNABLE
    print("== compiling the gateway (once for these sources, about a minute)", file=sys.stderr)
    manifest = _manifest()  # of now: who edits meanwhile must not be told that it is compiled
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(scratch) / "out"
        if not _build(Path(scratch), built, given.level):
            return UNABLE
        _install(built, manifest)
    return 0


def _is_done() -> bool:
    manifest = _PLACE / compiled.MANIFEST
    return manifest.is_file() and json.loads(manifest.read_text()) == _manifest()


def _manifest() -> dict[str, object]:
    return {"suffix": compiled.SUFFIX, "sources": compiled.digests()}


def _missing() -> str:
    """What it cannot do without."""
    if shutil.which(os.environ.get("CC", "gcc")) is None and shutil.which("cc") is None:
        return "there is no C compiler"
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return "" if header.is_file() else "this Python's headers are not installed"


def _build(scratch: Path, built: Path, level: str) -> bool:
    root = scratch / "src"  # mypyc writes beside what it reads
    shutil.copytree(compiled.SOURCES / "alliage", root / "alliage", ignore=shutil.ignore_patterns("__pycache__"))
    files = [str(compiled.source_of(module).relative_to(compiled.SOURCES)) for module in compiled.MODULES]
    setup = _SETUP.format(files=files, level=level, out=str(built), temp=str(scratch / "temp"))
    flags = {name: f"{given} {os.environ.get(name, '')}" for name, given in _FLAGS.items()}
    done = subprocess.run(
        [sys.executable, "-c", setup],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **flags},
    )
    if done.returncode:
        print(f"the gateway runs uncompiled: {(done.stdout + done.stderr)[-3000:]}", file=sys.stderr)
    return not done.returncode


def _install(built: Path, manifest: dict[str, object]) -> None:
    """One folder, each file named by its module; the manifest last, because it says that the others are there."""
    shutil.rmtree(_PLACE, ignore_errors=True)
    _PLACE.mkdir()
    for file in built.rglob(f"*{compiled.SUFFIX}"):
        module = ".".join(file.relative_to(built).with_name(file.name.removesuffix(compiled.SUFFIX)).parts)
        shutil.copy(file, _PLACE / f"{module}{compiled.SUFFIX}")
    (_PLACE / compiled.MANIFEST).write_text(json.dumps(manifest))


if __name__ == "__main__":
    sys.exit(main())
