"""A program: asks one vendor library what devices there are and prints them as one line of JSON.

Arguments: the library, and its name for the maker. Ends with 1 and a sentence where the library cannot tell.
"""

import contextlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from alliage.runtimes.detection.figures import pci_address
from alliage.runtimes.detection.libraries import GPUSTACK, MARK, NVML
from alliage.runtimes.detection.seen import SeenDevice
from alliage.units import MIB

_LINKS_MAX: Final = 18
"""NVML's NVML_NVLINK_MAX_LINKS."""


def nvml_devices(nvml: Any) -> list[SeenDevice]:
    """Every device of NVML (Nvidia's own binding); what one of them does not support is not told.

    One that is lost still counts, but gives no handle (NVML_ERROR_GPU_IS_LOST): it is left out, the others are told.
    """
    nvml.nvmlInit()
    found: list[SeenDevice] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        with contextlib.suppress(nvml.NVMLError):
            found.append(_nvml_device(nvml, index))
    return found


def _nvml_device(nvml: Any, index: int) -> SeenDevice:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def ask(name: str, *words: Any) -> Any:
        with contextlib.suppress(nvml.NVMLError, AttributeError):
            return getattr(nvml, name)(*words)
        return None

    memory, busy = ask("nvmlDeviceGetMemoryInfo", handle), ask("nvmlDeviceGetUtilizationRates", handle)
    power, limit = ask("nvmlDeviceGetPowerUsage", handle), ask("nvmlDeviceGetEnforcedPowerLimit", handle)
    cuda = ask("nvmlSystemGetCudaDriverVersion_v2")
    return SeenDevice(
        name=_text(ask("nvmlDeviceGetName", handle)),
        index=index,
        physical_index=ask("nvmlDeviceGetMinorNumber", handle),
        uuid=_text(ask("nvmlDeviceGetUUID", handle)),
        pci_address=pci_address(_text(getattr(ask("nvmlDeviceGetPciInfo", handle), "busId", None))),
        memory_total_bytes=getattr(memory, "total", None),
        memory_free_bytes=getattr(memory, "free", None),
        utilisation_percent=getattr(busy, "gpu", None),
        temperature_c=ask("nvmlDeviceGetTemperature", handle, 0),
        power_w=power / 1000 if power is not None else None,
        power_limit_w=limit / 1000 if limit is not None else None,
        health=_nvml_health(ask("nvmlDeviceGetTotalEccErrors", handle, 1, 0)),
        driver=_text(ask("nvmlSystemGetDriverVersion")),
        sdk=f"CUDA {cuda // 1000}.{cuda % 1000 // 10}" if cuda is not None else None,
        links=_nvml_links(ask, handle),
    )


def _nvml_health(errors: int | None) -> str | None:
    """NVML's uncorrected errors since the driver was loaded (NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC)."""
    return f"{errors} uncorrectable memory errors" if errors else None


def _nvml_links(ask: Callable[..., Any], handle: Any) -> str | None:
    up = sum(ask("nvmlDeviceGetNvLinkState", handle, link) == 1 for link in range(_LINKS_MAX))
    return f"{up} NVLinks up" if up else None


def gpustack_devices(detector: Any, maker: str) -> list[SeenDevice]:
    """Every device of one maker; memory there is in MiB, and 0 where it is not known."""
    found = detector.detect_devices(manufacturer=detector.ManufacturerEnum(maker)) or []
    return [_gpustack_device(device) for device in found]


def _gpustack_device(device: Any) -> SeenDevice:
    more: Mapping[str, Any] = device.appendix or {}
    total = int(device.memory * MIB) or None
    status = str(device.memory_status)
    return SeenDevice(
        name=device.name or None,
        index=device.index,
        die=more.get("device_id"),
        physical_index=more.get("physical_id", more.get("minor_number")),
        uuid=device.uuid or None,
        pci_address=pci_address(more.get("bdf")),
        memory_total_bytes=total,
        memory_free_bytes=max(0, total - int(device.memory_used * MIB)) if total is not None else None,
        utilisation_percent=device.cores_utilization,
        temperature_c=device.temperature,
        power_w=device.power_used,
        power_limit_w=device.power,
        health="unhealthy memory" if status == "unhealthy" else None,
        driver=device.driver_version,
        sdk=device.runtime_version_original or device.runtime_version,
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value) if value else None


def main(library: str, maker: str) -> int:
    """Ask, print, and end; whatever a library raises is its way of saying that it cannot tell."""
    try:
        if library == NVML:
            devices = nvml_devices(importlib.import_module(NVML))
        else:
            devices = gpustack_devices(importlib.import_module(f"{GPUSTACK}.detector"), maker)
    except Exception as error:  # noqa: BLE001 - the boundary of this process: other people's native code
        sys.stdout.write(f"{library} cannot tell: {error}\n")
        return 1
    sys.stdout.write(f"\n{MARK}{json.dumps([asdict(device) for device in devices])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
