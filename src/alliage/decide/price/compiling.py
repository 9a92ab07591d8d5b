"""Kernels: modules of plain functions over arrays that may also run compiled. The answers are the same bytes.

Numba is imported at the first use, never at start-up; its output is cached on disk. Without it the plain functions run.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType


@cache
def kernels(name: str, *, compiled: bool = True) -> ModuleType:
    """The module `name`; `compiled`, a second copy of it with every function in its `KERNELS` compiled by numba.

    All kernels that call each other stand in one file: numba's cache looks at the caller's file only.
    """
    plain = import_module(name)
    if not compiled or find_spec("numba") is None:
        return plain
    spec = plain.__spec__
    if spec is None or spec.loader is None:
        return plain
    copy = module_from_spec(spec)
    spec.loader.exec_module(copy)
    for kernel in copy.KERNELS:
        setattr(copy, kernel, _compile(getattr(copy, kernel)))
    return copy


def _compile(kernel: object) -> object:
    """Compile at the first call; where no folder for the cache can be written, without one."""
    njit = import_module("numba").njit
    try:
        return njit(cache=True)(kernel)
    except RuntimeError:
        return njit(kernel)
