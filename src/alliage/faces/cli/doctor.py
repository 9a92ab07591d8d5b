"""`alliage doctor`: what this machine has and lacks. It asks no cloud: the same looking is done here and now."""

import contextlib
import json
import sys
from pathlib import Path

from rich.table import Table
from rich.text import Text

from alliage.app.doctor import Examination, examine
from alliage.faces.cli.place import home_of
from alliage.faces.cli.screen import show, show_json
from alliage.faces.telling import printable
from alliage.fleet.nodes import Device
from alliage.units import format_bytes

_SHOWN = ("health", "driver", "sdk", "pci", "temperature", "power", "utilisation")


def doctor(root: Path, *, as_json: bool) -> bool:
    """Print it; whether nothing is missing."""
    with contextlib.redirect_stdout(sys.stderr):  # warnings of looking are no part of the answer
        found = examine(home_of(root))
    tell(found, as_json=as_json)
    return not found.problems


def tell(found: Examination, *, as_json: bool) -> None:
    """Print an examination."""
    if as_json:
        show_json(json.dumps(_as_json(found)))
    else:
        _show(found)


def _show(found: Examination) -> None:
    show(_devices_table(found))
    engines = ", ".join(f"{each.engine} {each.version}".strip() for each in found.node.engines) or "none"
    show("", f"engines: {engines}")
    if not found.problems:
        show("", "nothing is missing")
        return
    show("", f"missing ({len(found.problems)}):")
    for problem in found.problems:
        show(f"  {problem.lack}: {problem.what}", f"    fix: {problem.fix}")


def _devices_table(found: Examination) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("DEVICE", "CHIP", "MODEL", "MEMORY", "FREE NOW", "STATE"):
        table.add_column(name, overflow="fold")
    for device in found.node.devices:
        free = found.free_bytes.get(device.id)
        cells = (
            device.id,
            device.chip,
            device.facts.get("model", "unknown"),
            format_bytes(device.memory_bytes) if device.memory_bytes else "unknown",
            format_bytes(free) if free is not None else "unknown",
            _state(device),
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _state(device: Device) -> str:
    """Of an accelerator what was told of how it does; of a CPU its cores."""
    if device.cores:
        return f"{len(device.cores)} cores"
    return ", ".join(f"{name} {device.facts[name]}" for name in _SHOWN if name in device.facts)


def _as_json(found: Examination) -> dict[str, object]:
    return {
        "node": found.node.id,
        "fine": not found.problems,
        "devices": [
            {
                "id": device.id,
                "chip": device.chip,
                "memory_bytes": device.memory_bytes or None,
                "free_bytes": found.free_bytes.get(device.id),
                "cores": list(device.cores),
                "facts": dict(device.facts),
            }
            for device in found.node.devices
        ],
        "engines": [
            {"engine": each.engine, "version": each.version, "program": each.program} for each in found.node.engines
        ],
        "problems": [
            {"stack": each.stack, "lack": each.lack, "what": each.what, "fix": each.fix} for each in found.problems
        ],
    }
