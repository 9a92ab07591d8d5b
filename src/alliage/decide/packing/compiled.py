"""The kernels compiled by numba, built when first asked for."""

import types
from functools import cache
from types import SimpleNamespace

from alliage.decide.packing import kernels


@cache
def compiled() -> SimpleNamespace:
    import numba

    namespace = dict(vars(kernels))
    for name, plain in vars(kernels).items():
        if isinstance(plain, types.FunctionType) and plain.__module__ == kernels.__name__:
            function = types.FunctionType(plain.__code__, namespace, name, plain.__defaults__)
            function.__module__, function.__qualname__ = plain.__module__, plain.__qualname__
            namespace[name] = numba.njit(cache=True)(function)
    return SimpleNamespace(**{name: namespace[name] for name in ("place", "change", "load", "survey")})
