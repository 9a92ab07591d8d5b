"""The kernels compiled by numba, when they are first asked for; importing this does not import numba.

All functions of the kernels' files are compiled from one namespace and kept on disk in a folder named by a digest of
those files: a callee that changed never meets a caller that did not. The folder lies beside the source where that can
be written, else in the user's cache, else nowhere (then each process compiles anew).
"""

import hashlib
import importlib
import os
import types
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

_COUNTED = (".opening", ".entry")
"""Only these make views, which numba counts references of; counting in all others would take half of the time."""
_REORDERED = {"slot_cost": {"reassoc"}}
"""What may be added in any order, because it adds whole numbers."""
_FILES = ("opening", "filling", "values", "ways", "prices", "choosing", "moving", "entry")


class Kernels(NamedTuple):
    """What a packing calls; see `kernels.entry`."""

    place: Callable[..., int]
    change: Callable[..., int]
    load: Callable[..., int]
    survey: Callable[..., int]


def plain_kernels() -> Kernels:
    """The kernels as they stand: no numba, no wait, some hundred times slower."""
    functions = _functions()
    return Kernels(*(functions[name] for name in Kernels._fields))


@cache
def compiled_kernels() -> Kernels:
    """The kernels as machine code: compiled once a machine, then loaded from disk."""
    numba: Any = import_module("numba")  # a second to import, which small fleets need not wait for
    functions = _functions()
    namespace: dict[str, Any] = {}
    for function in functions.values():
        namespace.update(function.__globals__)
    folder, before = _folder(), numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder or "")
    try:
        for name, plain in functions.items():
            counted = plain.__module__.endswith(_COUNTED)
            compiler = numba.njit(cache=folder is not None, _nrt=counted, fastmath=_REORDERED.get(name, False))
            namespace[name] = compiler(_rebound(plain, namespace))
    finally:
        numba.config.CACHE_DIR = before
    return Kernels(*(namespace[name] for name in Kernels._fields))


def _functions() -> dict[str, types.FunctionType]:
    """Every function of the kernels' files by its name."""
    found: dict[str, types.FunctionType] = {}
    for name in _FILES:
        module = importlib.import_module(f"alliage.decide.packing.kernels.{name}")
        own = (each for each in vars(module).values() if isinstance(each, types.FunctionType))
        found.update((each.__name__, each) for each in own if each.__module__ == module.__name__)
    return found


def _rebound(plain: types.FunctionType, namespace: dict[str, Any]) -> types.FunctionType:
    """The function with names looked up in another namespace, where its callees are compiled ones."""
    function = types.FunctionType(plain.__code__, namespace, plain.__name__, plain.__defaults__)
    function.__module__, function.__qualname__ = plain.__module__, plain.__qualname__
    return function


def _folder() -> Path | None:
    """Where compiled code is kept: a folder of this user that nobody else can write, or None."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in [here / "layout.py", here / "shapes.py", *sorted((here / "kernels").glob("*.py"))]:
        digest.update(path.read_bytes())
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - "~" where there is no home
    for base in (here / "__pycache__", Path(home) / "alliage"):
        folder = base / f"packing-{digest.hexdigest()[:16]}"
        if base.is_absolute() and _is_ours(folder):
            return folder
    return None


def _is_ours(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid()
