"""Which tool is asked how. Whose tool it is was decided by PCI ids.

A tool that is not listed is asked without words and read as one that prints the usual table, so that a stack of one's
own needs no code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Stack
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools import (
    amd_smi,
    efsmi,
    hl_smi,
    hy_smi,
    intel_xpu_smi,
    neuron_ls,
    npu_smi,
    nvidia_smi,
)
from alliage.runtimes.detection.tools.alike import parse_alike

INTEL: Final = "8086"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """How a program is asked, the better question first, and how its answer is read."""

    questions: tuple[tuple[str, ...], ...] = ((),)
    parse: Callable[[str], tuple[SeenDevice, ...]] = parse_alike
    folders: tuple[str, ...] = ()
    """Where its vendor installs it, when PATH does not lead there."""


_XPU_SMI: Final = Tool(questions=(intel_xpu_smi.QUERY,), parse=intel_xpu_smi.parse_intel_xpu_smi)
_KNOWN: Final[Mapping[str, Tool]] = {
    "nvidia-smi": Tool(questions=(nvidia_smi.QUERY, ()), parse=nvidia_smi.parse_nvidia_smi),
    "ppu-smi": Tool(folders=("$PPU_HOME/ppu-smi/bin", "/usr/local/PPU_SDK/ppu-smi/bin")),
    "npu-smi": Tool(questions=(("info",),), parse=npu_smi.parse_npu_smi, folders=("/usr/local/sbin",)),
    "mx-smi": Tool(folders=("/opt/maca/bin", "/opt/mxdriver/bin")),
    "ht-smi": Tool(),
    "ixsmi": Tool(folders=("/usr/local/corex/bin",)),
    "cnmon": Tool(folders=("$NEUWARE_HOME/bin", "/usr/local/neuware/bin")),
    "efsmi": Tool(parse=efsmi.parse_efsmi),
    "amd-smi": Tool(parse=amd_smi.parse_amd_smi, folders=("/opt/rocm/bin",)),
    "rocm-smi": Tool(questions=(hy_smi.QUERY, ()), parse=hy_smi.parse_hy_smi, folders=("/opt/rocm/bin",)),
    "hy-smi": Tool(questions=(hy_smi.QUERY, ()), parse=hy_smi.parse_hy_smi, folders=("/opt/hyhal/bin",)),
    "hl-smi": Tool(questions=(hl_smi.QUERY, ()), parse=hl_smi.parse_hl_smi),
    "neuron-ls": Tool(parse=neuron_ls.parse_neuron_ls, folders=("/opt/aws/neuron/bin",)),
}


def tool_named(program: str, stack: Stack) -> Tool:
    """How to ask a stack's program. `xpu-smi` is Intel's where the stack is of Intel's cards, else Kunlun's."""
    if program == "xpu-smi" and INTEL in stack.pci_vendors:
        return _XPU_SMI
    return _KNOWN.get(program, Tool())
