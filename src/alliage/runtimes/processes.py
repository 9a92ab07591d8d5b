"""What the kernel tells of a process, read from /proc: who it is and what it uses. Nothing is started or ended here."""

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def boot_id() -> str:
    """The id of this boot of the machine: pids of another boot mean nothing."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def started_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none. With the pid it is an identity."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process used so far, 0 when there is none."""
    fields = _stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def resident_bytes(pid: int) -> int:
    """Memory of one process that is in RAM now, mapped model files included; 0 when there is none."""
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def group_members(group: int, session: int) -> tuple[int, ...]:
    """Pids of the living processes of a process group in a session; neither id is another's while one of them lives."""
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    return tuple(pid for pid in pids if is_member(pid, group, session))


def is_member(pid: int, group: int, session: int) -> bool:
    """Whether a living process is of a process group in a session."""
    fields = _stat_fields(pid)
    return fields is not None and (int(fields[2]), int(fields[3])) == (group, session)


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat after the name (which may hold spaces): [0] is the state, the file's third field."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields
