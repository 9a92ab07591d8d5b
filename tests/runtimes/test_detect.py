"""Detection: this machine for real, and the parsers on texts of other machines."""

import os
import platform
import stat
import sys
from pathlib import Path

import pytest

from alliage.fleet.ids import NodeId
from alliage.fleet.nodes import EngineFound
from alliage.runtimes.cgroups import Limits, read_limits
from alliage.runtimes.cpuinfo import CpuInfo, parse_cpuinfo, parse_meminfo
from alliage.runtimes.detect import bindable_bytes, bindable_cores, detect_node, find_engines, find_vllm, free_bytes
from alliage.units import GIB, MIB
from tests.builders import CATALOG
from tests.runtimes.scene import CHIPS

AMD = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 9654 96-Core Processor
physical id\t: 0
flags\t\t: fpu vme avx f16c fma avx2 avx512f avx512bw avx512_bf16 avx512_vnni

processor\t: 1
model name\t: AMD EPYC 9654 96-Core Processor
physical id\t: 1
"""
INTEL = """\
processor\t: 0
model name\t: Intel(R) Xeon(R)   Platinum 8480+
physical id\t: 0
flags\t\t: avx avx2 amx_bf16 avx512f avx512_fp16 amx_tile amx_int8 avx_vnni
"""
ARM = """\
processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd asimddp sve i8mm bf16
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""
RASPBERRY = """\
processor\t: 0
Features\t: fp asimd
Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""


@pytest.mark.parametrize(
    ("text", "cpu"),
    [
        (
            AMD,
            CpuInfo(
                model="AMD EPYC 9654 96-Core Processor",
                sockets=2,
                flags=("avx", "avx2", "f16c", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"),
            ),
        ),
        (
            INTEL,
            CpuInfo(
                model="Intel(R) Xeon(R) Platinum 8480+",
                sockets=1,
                flags=("avx", "avx2", "avx512f", "avx512_fp16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"),
            ),
        ),
        (
            ARM,
            CpuInfo(
                model="Arm implementer 0x41 part 0xd40", sockets=1, flags=("asimd", "asimddp", "i8mm", "bf16", "sve")
            ),
        ),
        (RASPBERRY, CpuInfo(model="Raspberry Pi 4 Model B Rev 1.4", sockets=1, flags=("asimd",))),
        ("", CpuInfo(model="", sockets=1, flags=())),
        ("nonsense\n: :\nflags\n", CpuInfo(model="", sockets=1, flags=())),
    ],
)
def test_cpuinfo_of_many_machines(text: str, cpu: CpuInfo) -> None:
    """AMD with two sockets, Intel with AMX, Arm with and without a name, and texts with nothing in them."""
    assert parse_cpuinfo(text) == cpu


def test_meminfo_is_read_in_bytes() -> None:
    """Sizes are kB in the text; lines without a size are no size."""
    text = "MemTotal:       24684084 kB\nMemAvailable:  1 kB\nHugePages_Total:       0\nodd line\nBad: x kB\n"
    assert parse_meminfo(text) == {"MemTotal": 24684084 * 1024, "MemAvailable": 1024}


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_limits_of_version_2_are_the_tightest_ancestors(tmp_path: Path) -> None:
    """A quota of a parent binds, `max` does not; idle file pages count as free."""
    _write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/app\n",
            "sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{8 * GIB}\n",
            "sys/fs/cgroup/user.slice/memory.current": f"{3 * GIB}\n",
            "sys/fs/cgroup/user.slice/memory.stat": f"anon 1\ninactive_file {GIB}\n",
            "sys/fs/cgroup/user.slice/app/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user.slice/app/memory.max": "max\n",
        },
    )
    assert read_limits(tmp_path) == Limits(cpus=1.5, memory_bytes=8 * GIB, memory_free_bytes=6 * GIB)


def test_limits_of_version_1(tmp_path: Path) -> None:
    """Each controller has its own tree, with `cpu,cpuacct` joined; -1 and absurd numbers are no limits."""
    _write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/box\n2:cpu,cpuacct:/box\n0::/\n",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "200000\n",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/box/memory.limit_in_bytes": f"{4 * GIB}\n",
            "sys/fs/cgroup/memory/box/memory.usage_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert read_limits(tmp_path) == Limits(cpus=2.0, memory_bytes=4 * GIB, memory_free_bytes=3 * GIB)


def test_limits_inside_a_container_whose_path_is_the_hosts(tmp_path: Path) -> None:
    """When our group's path is not below the mount, the mount's root is our group."""
    _write(
        tmp_path,
        {"proc/self/cgroup": "0::/system.slice/docker-1\n", "sys/fs/cgroup/memory.max": f"{GIB}\n"},
    )
    assert read_limits(tmp_path) == Limits(cpus=None, memory_bytes=GIB, memory_free_bytes=None)


def test_no_control_groups_are_no_limits(tmp_path: Path) -> None:
    """A kernel without them limits nothing."""
    assert read_limits(tmp_path) == Limits(cpus=None, memory_bytes=None, memory_free_bytes=None)


def test_a_quota_is_rounded_up_and_the_reserve_is_left() -> None:
    """1.5 CPUs allow two cores; 512 MiB or 5 % stay with the system; never less than nothing."""
    assert bindable_cores({3, 1, 2, 0}, 1.5) == (0, 1)
    assert bindable_cores({3, 1}, None) == (1, 3)
    assert bindable_cores({0}, 0.1) == (0,)
    assert bindable_bytes(4 * GIB, None) == 4 * GIB - 512 * MIB
    assert bindable_bytes(64 * GIB, 20 * GIB) == 19 * GIB
    assert bindable_bytes(100 * MIB, None) == 0


def test_this_machine() -> None:
    """The CPU is a device of the chip that stands for it, with the cores that we may run on and less than all memory."""
    node = detect_node(NodeId("here"), "site", CHIPS)
    (device,) = node.devices
    assert device.id == "here/cpu0"
    assert device.chip == ("cpu-x86" if platform.machine() == "x86_64" else "cpu-arm")
    assert set(device.cores) <= os.sched_getaffinity(0)
    total = parse_meminfo(Path("/proc/meminfo").read_text())["MemTotal"]
    assert 0 < device.memory_bytes < total
    assert 0 < free_bytes() <= total
    assert set(device.facts) >= {"model", "cores", "sockets", "memory", "flags", "os"}
    assert [(engine.engine, engine.program) for engine in node.engines] == [("llama.cpp", "bundled")]


def test_a_machine_of_no_chip_has_no_device() -> None:
    """Where the catalogue does not know the CPU the node is there, without a device."""
    assert detect_node(NodeId("here"), "site", ()).devices == ()


def test_a_llama_server_that_was_asked_for_takes_the_bundled_ones_place(tmp_path: Path) -> None:
    """A program by its path; one that is not there leaves the bundled engine."""
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (found,) = find_engines(str(program))
    assert (found.engine, found.program) == ("llama.cpp", str(program))
    (found,) = find_engines(str(tmp_path / "none"))
    assert found.program == "bundled"


# What a build with CUDA answered on a machine with an H100 on 2026-11-26, and what one without says.
@pytest.mark.parametrize(
    ("script", "engines"),
    [
        (
            "echo Available devices:\necho '  CUDA0: NVIDIA H100 80GB HBM3 (81079 MiB, 80552 MiB free)'",
            ["llama.cpp-cuda"],
        ),
        ("echo Available devices:", []),
        ("echo 'error: invalid argument: --list-devices' >&2; exit 1", []),
        ("printf '\\377\\n'", []),
    ],
)
def test_a_llama_server_is_asked_which_cards_it_can_use(tmp_path: Path, script: str, engines: list[str]) -> None:
    """It serves on the CPU as before, and on cards where it lists some; an old or broken program is for the CPU."""
    program = tmp_path / "llama-server"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    found = find_engines(str(program))
    assert [each.engine for each in found] == ["llama.cpp", *engines]
    assert {each.program for each in found} == {str(program)}
    assert CATALOG.engines.keys() >= set(engines)


def a_python(folder: Path, script: str) -> str:
    """A program that stands in for a Python of the user's."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_vllm_is_found_in_the_python_that_was_named(tmp_path: Path) -> None:
    """With what it says of its version; the program is what engines are started with."""
    python = a_python(tmp_path, "echo 0.32.0")
    assert find_vllm(python) == (EngineFound(engine="vllm", version="0.32.0", program=python),)
    assert find_vllm("") == ()


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$"])
def test_a_python_without_vllm_is_no_engine(tmp_path: Path, script: str) -> None:
    """Neither one that fails nor one that is not there stops the agent."""
    assert find_vllm(a_python(tmp_path, script)) == ()
    assert find_vllm(str(tmp_path / "nobody")) == ()


def test_the_python_of_the_tests_has_no_vllm() -> None:
    """The question itself is asked of a real Python."""
    assert find_vllm(sys.executable) == ()
