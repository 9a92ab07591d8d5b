"""The device files of a stack: which are there, and which this user may not open."""

import grp
import os
from dataclasses import dataclass
from pathlib import Path

from alliage.catalog.records import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFile:
    """One that is there. `group` is the name, or the number where it has none, of the group that owns it."""

    path: str
    usable: bool
    group: str


def numbered_pattern(stack: Stack) -> str | None:
    """The pattern of the files that stand for single devices; others (`/dev/kfd`, `/dev/dri`) are shared by stacks."""
    return next((pattern for pattern in stack.device_files if "{N}" in pattern), None)


def device_files(stack: Stack, root: Path = Path("/")) -> tuple[DeviceFile, ...]:
    """Those of `numbered_pattern` under `root`, by name; () where the stack has none."""
    pattern = numbered_pattern(stack)
    if pattern is None:
        return ()
    try:
        found = sorted(root.glob(pattern.lstrip("/").replace("{N}", "[0-9]*")))
    except OSError:
        return ()
    return tuple(file for path in found if (file := _file(path, root)) is not None)


def _file(path: Path, root: Path) -> DeviceFile | None:
    try:
        number = path.stat().st_gid
    except OSError:
        return None
    try:
        group = grp.getgrgid(number).gr_name
    except KeyError:
        group = str(number)
    return DeviceFile(path=f"/{path.relative_to(root)}", usable=os.access(path, os.R_OK | os.W_OK), group=group)
