"""CPU time and load as Linux counts them, read from /proc. Reads only; starts and decides nothing."""

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_NS_PER_TICK: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_IDLE_FIELDS: Final = (3, 4)  # idle and iowait, of: user nice system idle iowait irq softirq steal
_COUNTED_FIELDS: Final = 8  # guest time, which follows, is in user time already


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Counters at one moment, all in nanoseconds: the processes' CPU time, the core's busy time, the clock."""

    cpu_ns: int
    busy_ns: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Between two readings: CPU nanoseconds of the processes, and shares (0 to 1) of the core's time."""

    cpu_ns: int
    core_busy: float
    foreign: float


def process_tree(root: int) -> tuple[int, ...]:
    """`root` and all that descend from it, now."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return tuple(tree)


def cpu_ns(pids: Sequence[int]) -> int:
    """CPU time of all threads that these processes have now; raises OSError when one is gone."""
    total = 0
    for pid in pids:
        for task in (_PROC / str(pid) / "task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total


def core_busy_ns(core: int) -> int:
    """Time that `core` was not idle since boot, time stolen by the host included; resolution one tick (10 ms)."""
    for line in (_PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            ticks = [int(field) for field in fields[:_COUNTED_FIELDS]]
            return (sum(ticks) - sum(ticks[i] for i in _IDLE_FIELDS)) * _NS_PER_TICK
    raise ValueError(f"/proc/stat has no core {core}")


def read(pids: Sequence[int], core: int) -> Reading:
    """The counters of `pids`, which all run on `core`."""
    return Reading(cpu_ns=cpu_ns(pids), busy_ns=core_busy_ns(core), at_ns=time.monotonic_ns())


def spent(before: Reading, after: Reading) -> Spent:
    """What was used between two readings. Foreign is what kept the core busy and was not the processes'."""
    wall_ns = after.at_ns - before.at_ns
    own_ns = after.cpu_ns - before.cpu_ns
    busy_ns = after.busy_ns - before.busy_ns
    return Spent(cpu_ns=own_ns, core_busy=busy_ns / wall_ns, foreign=max(0.0, (busy_ns - own_ns) / wall_ns))


def memory_bytes(pids: Sequence[int]) -> int:
    """Memory that these processes hold (RSS) now; raises OSError when one is gone."""
    pages = sum(int((_PROC / str(pid) / "statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors_max(pid: int) -> int:
    """How many files and connections this process may have open (its soft limit)."""
    for line in (_PROC / str(pid) / "limits").read_text().splitlines():
        if line.startswith("Max open files"):
            return int(line.split()[3])
    raise ValueError(f"/proc/{pid}/limits names no limit of open files")


def raise_own_descriptors() -> None:
    """Let this process and all that it starts have as many open as the hard limit allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def own_descriptors_max() -> int:
    """How many files and connections this process, and each that it starts, may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
