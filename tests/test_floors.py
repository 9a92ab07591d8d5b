"""`make check` holds the floors: an import upward, sideways or of an undeclared package fails it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def copied(folder: Path) -> Path:
    """The sources and their configuration, to be spoiled."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter as `make check` runs it, on the copy."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [str(program), "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("decide/plan.py", "import alliage.store.sql"),
        ("gateway/door.py", "import alliage.weights.fetch"),
        ("fleet/view.py", "import alliage.footprint.memory"),
        ("units.py", "import alliage.control.loop"),
    ],
)
def test_forbidden_import_fails_the_check(tmp_path: Path, room: str, line: str) -> None:
    """Upward, between strangers of one floor, from the ground to the loop; the clean copy passes."""
    folder = copied(tmp_path)
    assert linted(folder).returncode == 0
    file = folder / "src" / "alliage" / room
    file.write_text(file.read_text() + f"\n{line}\n")
    failed = linted(folder)
    assert failed.returncode != 0
    assert "BROKEN" in failed.stdout


def test_room_without_a_floor_fails_the_check(tmp_path: Path) -> None:
    """The contract is exhaustive: a new package must be given a place."""
    folder = copied(tmp_path)
    (folder / "src" / "alliage" / "attic").mkdir()
    (folder / "src" / "alliage" / "attic" / "__init__.py").write_text("")
    assert linted(folder).returncode != 0


def test_undeclared_package_fails_the_check(tmp_path: Path) -> None:
    """Deptry knows what pyproject.toml declares."""
    folder = copied(tmp_path)
    program = Path(sys.executable).with_name("deptry")
    command = [str(program), "src"]
    clean = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert clean.returncode == 0, clean.stderr
    file = folder / "src" / "alliage" / "units.py"
    file.write_text("import pandas\n" + file.read_text())
    failed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert failed.returncode != 0
    assert "pandas" in failed.stderr
