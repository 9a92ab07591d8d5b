"""The vendors' libraries, asked in a process of their own: one that hangs, crashes or prints costs an answer, no agent."""

import importlib.util
import json
import sys
from collections.abc import Mapping
from typing import Final

from alliage.runtimes.detection.running import TEXT_BYTES_MAX
from alliage.runtimes.detection.seen import SeenDevice

MARK: Final = "alliage-devices:"
"""Begins the one line that is the answer; the libraries print other things too."""
NVML: Final = "pynvml"
GPUSTACK: Final = "gpustack_runtime"
_MAKERS: Final[Mapping[str, str]] = {
    "10de": "nvidia", "1002": "amd", "19e5": "ascend", "cabc": "cambricon", "1d94": "hygon", "1e3e": "iluvatar",
    "9999": "metax", "1ed5": "mthreads", "1ded": "thead",
}  # fmt: skip
"""PCI vendor -> the name of its detector in gpustack-runtime 0.2.6 (`ManufacturerEnum`)."""


def installed_libraries() -> frozenset[str]:
    """Which of the optional libraries can be imported here. Neither is asked for by Alliage itself."""
    return frozenset(name for name in (NVML, GPUSTACK) if importlib.util.find_spec(name) is not None)


def library_questions(vendor: str, installed: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    """The argv of each library that knows this PCI vendor, the better one first; () where none does."""
    asked = []
    if NVML in installed and vendor == "10de":
        asked.append((NVML, "nvidia"))
    if GPUSTACK in installed and vendor in _MAKERS:
        asked.append((GPUSTACK, _MAKERS[vendor]))
    return tuple((sys.executable, "-m", "alliage.runtimes.detection.library_child", *words) for words in asked)


def parse_library(text: str) -> tuple[SeenDevice, ...]:
    """What the child answered; () for anything else."""
    lines = (line for line in text[:TEXT_BYTES_MAX].splitlines() if line.startswith(MARK))
    try:
        told = json.loads(next(lines, MARK).removeprefix(MARK) or "[]")
        return tuple(SeenDevice(**fields) for fields in told)
    except (ValueError, TypeError, RecursionError):
        return ()
