"""Compiled modules are used for their own sources only."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from alliage import compiled

_TELL = "from alliage.compiled import use_compiled; print(use_compiled()); import alliage.gateway.body as b; print(b.__file__)"


def _told(first: Path | None) -> list[str]:
    """What a fresh Python says, with `first` before all else on its path."""
    program = f"import sys; sys.path[:0] = {[str(first)] if first else []!r}; {_TELL}"
    environment = {"PYTHONPATH": str(compiled.SOURCES)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.splitlines()


def _folder(root: Path, **manifest: object) -> Path:
    made = root / "alliage_compiled"
    made.mkdir()
    (made / compiled.MANIFEST).write_text(json.dumps(manifest))
    return root


def test_each_module_that_is_compiled_is_there() -> None:
    """The list names files."""
    assert [module for module in compiled.MODULES if not compiled.source_of(module).is_file()] == []


def test_those_of_these_sources_are_used() -> None:
    """`make test` compiles first, where there is a compiler: then a process that asks for them has them."""
    if compiled.folder() is None:
        pytest.skip("nothing is compiled here: there is no C compiler")
    why, file = _told(None)
    assert why == ""
    assert file.endswith(compiled.SUFFIX)


def test_those_of_other_sources_are_not(tmp_path: Path) -> None:
    """One digest that differs is enough."""
    sources = {**compiled.digests(), compiled.MODULES[0]: "0" * 64}
    why, file = _told(_folder(tmp_path, suffix=compiled.SUFFIX, sources=sources))
    assert "other sources" in why
    assert file.endswith("body.py")


def test_those_for_another_python_are_not(tmp_path: Path) -> None:
    """An extension of another Python would not even load."""
    why, file = _told(_folder(tmp_path, suffix=".cpython-39-x86_64-linux-gnu.so", sources=compiled.digests()))
    assert "another Python" in why
    assert file.endswith("body.py")
