"""How fast this machine's CPU is, as far as a node can tell by itself: memory bandwidth by measuring, operations by its flags."""

import ctypes
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from alliage.runtimes.cpuinfo import CpuInfo
from alliage.units import MIB

COPY_BYTES: Final = 32 * MIB
"""Larger than most caches; where it is not, the figure is too high, as it is for a small model."""
COPIES: Final = 4
"""The best of so many counts: another program's traffic makes one only slower, and the first touches fresh pages."""
THREADS_MAX: Final = 16
_PER_CYCLE: Final = (
    ("fp32", "asimd", 16),
    ("fp32", "avx", 16),
    ("fp32", "fma", 32),
    ("fp32", "avx512f", 64),
    ("int8", "asimddp", 64),
    ("int8", "i8mm", 128),
    ("int8", "avx2", 64),
    ("int8", "avx_vnni", 128),
    ("int8", "avx512_vnni", 256),
    ("int8", "amx_int8", 4096),
    ("bf16", "bf16", 64),
    ("bf16", "avx512_bf16", 128),
    ("bf16", "amx_bf16", 2048),
)
"""Operations a cycle and core that a flag stands for, the last that is there counts: two units of full width, the upper end
of what such cores have (Intel 64 and IA-32 Architectures Optimization Reference Manual; Arm Neoverse optimization guides)."""

_Buffer = ctypes.Array[ctypes.c_char]


def cpu_figures(cpu: CpuInfo, cores: int) -> dict[str, float]:
    """`Device.figures` of so many logical cores: measured bandwidth, and operations where frequency and flags are told."""
    one = copy_bandwidth(1)
    figures = {"core_bandwidth": one, "bandwidth": max(one, copy_bandwidth(min(cores, THREADS_MAX)))}
    return {**figures, **operations(cpu, cores)}


def operations(cpu: CpuInfo, cores: int) -> dict[str, float]:
    """Dense operations/s by precision; empty where the kernel tells no frequency. Sibling threads share their units."""
    rate = cpu.hertz * cores / max(1, cpu.threads_a_core)
    return {precision: count * rate for precision, flag, count in _PER_CYCLE if flag in cpu.flags and rate}


def copy_bandwidth(threads: int) -> float:
    """Bytes/s that `threads` move while they copy: each byte is read once and written once."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        pairs = [_pair(COPY_BYTES // threads) for _ in range(threads)]
        best_s = min(_time_copies(pool, pairs) for _ in range(COPIES))
    return 2 * (COPY_BYTES // threads) * threads / best_s


def _pair(size: int) -> tuple[_Buffer, _Buffer]:
    return ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)


def _time_copies(pool: ThreadPoolExecutor, pairs: list[tuple[_Buffer, _Buffer]]) -> float:
    begun_s = time.perf_counter()
    list(pool.map(lambda pair: ctypes.memmove(pair[0], pair[1], len(pair[0])), pairs))
    return time.perf_counter() - begun_s
