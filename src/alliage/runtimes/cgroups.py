"""What the control groups of this process allow it: CPU time and memory, of version 1 and 2, the tightest ancestor's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_UNLIMITED_BYTES: Final = 1 << 60
"""Version 1 writes an absurdly large number for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None where nothing is limited. `cpus` is CPU seconds a second, `memory_free_bytes` what is left of the limit."""

    cpus: float | None
    memory_bytes: int | None
    memory_free_bytes: int | None


def read_limits(root: Path = Path("/")) -> Limits:
    """The limits of the calling process; `root` is where `proc` and `sys` are."""
    groups = _groups((root / "proc/self/cgroup").read_text()) if (root / "proc/self/cgroup").exists() else {}
    mount = root / "sys/fs/cgroup"
    cpu, memory = _folders(mount, groups, "cpu"), _folders(mount, groups, "memory")
    cpus = [limit for folder in cpu if (limit := _cpus(folder)) is not None]
    sizes = [limit for folder in memory if (limit := _memory_limit(folder)) is not None]
    free = [left for folder in memory if (left := _memory_left(folder)) is not None]
    return Limits(
        cpus=min(cpus, default=None), memory_bytes=min(sizes, default=None), memory_free_bytes=min(free, default=None)
    )


def _groups(text: str) -> dict[str, str]:
    """/proc/self/cgroup: controller -> path; "" is version 2's one hierarchy."""
    groups = {}
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            groups[name] = path
    return groups


def _folders(mount: Path, groups: dict[str, str], controller: str) -> list[Path]:
    """The folders of our group and its ancestors; inside a container the path may be of the host: then the root."""
    names = (controller, "cpu,cpuacct") if controller == "cpu" else (controller,)
    legacy = next((mount / name for name in names if controller in groups and (mount / name).is_dir()), None)
    base, path = (mount, groups.get("", "/")) if legacy is None else (legacy, groups[controller])
    inside = Path(path.lstrip("/"))
    chain = [base / inside, *(base / parent for parent in inside.parents)]
    return [folder for folder in chain if folder.is_dir()] or [base]


def _cpus(folder: Path) -> float | None:
    if (text := _read(folder / "cpu.max")) is not None:
        quota, period = text.split()
        return None if quota == "max" else int(quota) / int(period)
    old_quota, old_period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return old_quota / old_period if old_quota is not None and old_period and old_quota > 0 else None


def _memory_limit(folder: Path) -> int | None:
    limit = _number(folder / "memory.max")
    if limit is None:
        limit = _number(folder / "memory.limit_in_bytes")
    return limit if limit is not None and limit < _UNLIMITED_BYTES else None


def _memory_left(folder: Path) -> int | None:
    """Limit less use; file pages that nobody used lately count as free, the kernel takes them back first."""
    limit, used = _memory_limit(folder), _number(folder / "memory.current")
    if used is None:
        used = _number(folder / "memory.usage_in_bytes")
    if limit is None or used is None:
        return None
    stat = dict(line.split() for line in (_read(folder / "memory.stat") or "").splitlines())
    idle_file = int(stat.get("total_inactive_file", stat.get("inactive_file", "0")))
    return max(0, limit - max(0, used - idle_file))


def _number(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
