"""What is missing on a node, of which stack, and the command that mends it. Data; `alliage doctor` shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from alliage.catalog.records import Stack


class Lack(StrEnum):
    """What kind of thing is missing."""

    DRIVER = "driver"
    DEVICE_FILE = "device file"
    PERMISSION = "permission"
    TOOL = "tool"
    DEVICE = "device"
    MEMORY = "memory"
    CHIP = "chip"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`what` is a sentence that names the thing; `fix` a command, or what to do where no command does it."""

    stack: str
    lack: Lack
    what: str
    fix: str


_DRIVER_FIXES: Final[Mapping[str, str]] = {
    "nvidia": "sudo ubuntu-drivers install",
    "amd": "sudo amdgpu-install --usecase=dkms,rocm",
    "ascend": "sudo ./Ascend-hdk-*-npu-driver_*.run --full --install-for-all",
    "mthreads": "sudo dpkg -i musa_*.deb",
    "gaudi": "sudo apt-get install habanalabs-dkms",
    "neuron": "sudo apt-get install aws-neuronx-dkms",
    "intel-xpu": "sudo modprobe xe",
}
"""The makers' installation guides: Ubuntu server guide (Nvidia), ROCm, Ascend, MUSA, Gaudi, Neuron; xe is in the kernel."""
_TOOL_FIXES: Final[Mapping[str, str]] = {
    "nvidia": "sudo apt-get install nvidia-utils",
    "amd": "sudo apt-get install amd-smi-lib",
    "gaudi": "sudo apt-get install habanalabs-firmware-tools",
    "neuron": "sudo apt-get install aws-neuronx-tools",
    "intel-xpu": "sudo apt-get install xpu-smi",
}
"""The packages in which they ship."""


def driver_missing(stack: Stack, addresses: tuple[str, ...]) -> Problem:
    """PCI shows devices that no kernel driver took."""
    fix = _DRIVER_FIXES.get(stack.id, f"install the driver of {stack.name} as {stack.maker} provides it")
    what = f"no kernel driver is bound to {', '.join(addresses)} ({stack.name})"
    return Problem(stack=stack.id, lack=Lack.DRIVER, what=what, fix=f"{fix}; then: lspci -nnk -s {addresses[0]}")


def device_files_missing(stack: Stack, pattern: str) -> Problem:
    """The kernel has the device, but there is no file by which a program reaches it."""
    return Problem(
        stack=stack.id,
        lack=Lack.DEVICE_FILE,
        what=f"there is no {pattern} ({stack.name})",
        fix=f"load the driver (sudo modprobe), or in a container give it its devices: --device={pattern}",
    )


def not_permitted(stack: Stack, path: str, group: str) -> Problem:
    """A device file that this user may not open."""
    return Problem(
        stack=stack.id,
        lack=Lack.PERMISSION,
        what=f"this user may not read and write {path} ({stack.name})",
        fix=f"sudo usermod -aG {group} $USER; then log in again",
    )


def tool_missing(stack: Stack) -> Problem:
    """Neither a library nor a tool is there to ask."""
    default = f"install the tools of {stack.name} as {stack.maker} provides them, and put them on PATH"
    tools = " or ".join(stack.smi)
    what = f"there is no {tools} to ask" if tools else "no tool is known that tells its devices"
    return Problem(
        stack=stack.id, lack=Lack.TOOL, what=f"{what} ({stack.name})", fix=_TOOL_FIXES.get(stack.id, default)
    )


def tool_failed(stack: Stack, program: str, why: str) -> Problem:
    """A tool that is there did not answer, or not with devices."""
    return Problem(stack=stack.id, lack=Lack.TOOL, what=f"{why} ({stack.name})", fix=f"see what it says: {program}")


def device_silent(stack: Stack, address: str) -> Problem:
    """PCI shows a device that the driver does not answer for."""
    return Problem(
        stack=stack.id,
        lack=Lack.DEVICE,
        what=f"PCI shows a device at {address} of which {stack.name} tells nothing",
        fix=f"see why: sudo dmesg | grep {address}",
    )


def memory_unknown(stack: Stack, device: str) -> Problem:
    """A device whose memory nobody told: nothing can be bound on it."""
    return Problem(
        stack=stack.id,
        lack=Lack.MEMORY,
        what=f"nothing tells how much memory {device} has, so nothing is placed on it ({stack.name})",
        fix=_TOOL_FIXES.get(stack.id, f"install the tools of {stack.name}, and see that the driver is loaded"),
    )


def chip_unknown(stack: Stack, device: str, name: str) -> Problem:
    """A device that no chip of the catalogue stands for: it is left alone."""
    return Problem(
        stack=stack.id,
        lack=Lack.CHIP,
        what=f"{device} calls itself {name!r}, which no chip of the catalogue does; nothing is placed on it",
        fix=f"describe it in $ALLIAGE_HOME/chips/NAME.toml, with stack = {stack.id!r} and detected_as = [{name!r}]",
    )


def cpu_unknown() -> Problem:
    """The catalogue has no chip for this machine's processor."""
    return Problem(
        stack="cpu",
        lack=Lack.CHIP,
        what="no chip of the catalogue stands for this machine's processor; nothing is placed on it",
        fix="describe it in $ALLIAGE_HOME/chips/NAME.toml, with stack = 'cpu' and what `uname -m` says in machines",
    )


def engine_missing() -> Problem:
    """No engine program at all."""
    return Problem(
        stack="cpu",
        lack=Lack.ENGINE,
        what="there is no engine here, so no model can be served",
        fix="pip install 'alliage[llama]'",
    )


def card_without_engine(stack: Stack, devices: tuple[str, ...], engines: tuple[str, ...]) -> Problem:
    """Cards that are there and known, and nothing on this node that would serve on them; `engines` of the catalogue would."""
    return Problem(
        stack=stack.id,
        lack=Lack.ENGINE,
        what=f"no engine here runs on {', '.join(devices)} ({stack.name}), so nothing is served there",
        fix=f"install {' or '.join(engines)}, and say where in [agent] of $ALLIAGE_HOME/alliage.toml (vllm_python, llama_server)"
        if engines
        else "describe an engine that does in $ALLIAGE_HOME/engines/NAME.toml",
    )
