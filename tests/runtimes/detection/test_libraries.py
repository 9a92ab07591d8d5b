"""The vendors' libraries in their process: real children with libraries of the tests' own, good, talkative and broken."""

import os
import subprocess
import sys
from pathlib import Path

from alliage.runtimes.detection.libraries import GPUSTACK, NVML, installed_libraries, library_questions, parse_library
from alliage.units import MIB

_NVML = """
class NVMLError(Exception): pass
class _Of:
    def __init__(self, **told): self.__dict__.update(told)
def nvmlInit(): print("\\x1b[2Jlibrary chatter")
def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetName(handle): return b"NVIDIA H20" if handle == 0 else "NVIDIA L20"
def nvmlDeviceGetUUID(handle): return f"GPU-{handle}"
def nvmlDeviceGetPciInfo(handle): return _Of(busId=b"00000000:1B:00.0")
def nvmlDeviceGetMinorNumber(handle): return 4 + handle
def nvmlDeviceGetMemoryInfo(handle): return _Of(total=1000, free=900)
def nvmlDeviceGetUtilizationRates(handle): raise NVMLError("not supported")
def nvmlDeviceGetPowerUsage(handle): return 111500
def nvmlDeviceGetTemperature(handle, sensor): return 31
def nvmlDeviceGetTotalEccErrors(handle, kind, counter): return 3 * handle
def nvmlDeviceGetNvLinkState(handle, link):
    if link >= 4: raise NVMLError("no such link")
    return 1
def nvmlSystemGetDriverVersion(): return "999.1"
def nvmlSystemGetCudaDriverVersion_v2(): return 12040
"""
_GPUSTACK = """
import enum
class ManufacturerEnum(str, enum.Enum):
    THEAD = "thead"
class _Device:
    def __init__(self, **told): self.__dict__.update(told)
def detect_devices(manufacturer):
    assert manufacturer is ManufacturerEnum.THEAD
    print("\\x1b[0m", end="")
    return [_Device(name="PPU-ZW810E", index=1, uuid="GPU-x", driver_version="2.1", runtime_version="13",
        runtime_version_original="13.0", memory=98304, memory_used=49, memory_status="healthy", cores_utilization=4,
        temperature=24, power=400, power_used=74, appendix={"bdf": "0000:08:00.0", "minor_number": 3})]
"""


def _child(folder: Path, question: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(folder), *filter(None, [os.environ.get("PYTHONPATH")])))
    return subprocess.run(
        question, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60, check=False
    )


def test_nvml_tells_what_each_card_supports(tmp_path: Path) -> None:
    """Names as bytes or text, power in W, what is not supported not told, and its chatter not taken for an answer."""
    (tmp_path / "pynvml.py").write_text(_NVML)
    (question,) = library_questions("10de", frozenset({NVML}))
    first, second = parse_library(_child(tmp_path, question).stdout)
    assert (first.name, first.uuid, first.physical_index, first.pci_address) == (
        "NVIDIA H20",
        "GPU-0",
        4,
        "0000:1b:00.0",
    )
    assert (first.memory_total_bytes, first.memory_free_bytes, first.power_w) == (1000, 900, 111.5)
    assert (first.utilisation_percent, first.power_limit_w, first.health) == (None, None, None)
    assert (first.sdk, first.driver, first.links) == ("CUDA 12.4", "999.1", "4 NVLinks up")
    assert (second.name, second.health) == ("NVIDIA L20", "3 uncorrectable memory errors")


def test_a_card_that_is_lost_is_left_out_and_the_others_are_told(tmp_path: Path) -> None:
    """It still counts, and asking for its handle fails."""
    lost = "    if index == 0: raise NVMLError('GPU is lost')\n    return index"
    (tmp_path / "pynvml.py").write_text(
        _NVML.replace("HandleByIndex(index): return index", "HandleByIndex(index):\n" + lost)
    )
    (question,) = library_questions("10de", frozenset({NVML}))
    (left,) = parse_library(_child(tmp_path, question).stdout)
    assert (left.name, left.index) == ("NVIDIA L20", 1)


def test_gpustacks_detector_tells_the_other_makes(tmp_path: Path) -> None:
    """Memory from MiB, power and its limit by their names, the number of the device file."""
    package = tmp_path / "gpustack_runtime"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "detector.py").write_text(_GPUSTACK)
    (question,) = library_questions("1ded", frozenset({GPUSTACK}))
    (device,) = parse_library(_child(tmp_path, question).stdout)
    assert (device.name, device.index, device.physical_index) == ("PPU-ZW810E", 1, 3)
    assert (device.memory_total_bytes, device.memory_free_bytes) == (98304 * MIB, 98255 * MIB)
    assert (device.power_w, device.power_limit_w, device.sdk) == (74, 400, "13.0")


def test_a_library_that_raises_says_why_and_tells_nothing(tmp_path: Path) -> None:
    """No driver: exit code 1 and a sentence, no devices."""
    (tmp_path / "pynvml.py").write_text("def nvmlInit(): raise RuntimeError('NVML Shared Library Not Found')")
    (question,) = library_questions("10de", frozenset({NVML}))
    done = _child(tmp_path, question)
    assert done.returncode == 1
    assert "NVML Shared Library Not Found" in done.stdout
    assert parse_library(done.stdout) == ()


def test_who_is_asked_for_whom() -> None:
    """Nvidia's own library first; gpustack-runtime for the makes it knows; nobody for others or when none is installed."""
    both = frozenset({NVML, GPUSTACK})
    assert [question[-2:] for question in library_questions("10de", both)] == [(NVML, "nvidia"), (GPUSTACK, "nvidia")]
    assert [question[-1] for question in library_questions("19e5", both)] == ["ascend"]
    assert library_questions("1da3", both) == ()
    assert library_questions("10de", frozenset()) == ()
    assert all(question[0] == sys.executable for question in library_questions("1ded", both))


def test_libraries_are_looked_for_without_importing_them() -> None:
    """A subset of the two; none is loaded by looking."""
    assert installed_libraries() <= {NVML, GPUSTACK}
    assert GPUSTACK not in sys.modules
