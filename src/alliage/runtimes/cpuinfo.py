"""Reading /proc/cpuinfo and /proc/meminfo. Takes text, so that any machine's can be tried. Pure."""

from dataclasses import dataclass
from typing import Final

TELLING_FLAGS: Final = (
    "avx", "avx2", "f16c", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni",
    "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip
"""Those that decide how fast an engine computes, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuInfo:
    """`model` is "", `flags` empty and `hertz` 0 where the kernel does not tell; `sockets` and `threads_a_core` are at least 1."""

    model: str
    sockets: int
    flags: tuple[str, ...]
    hertz: float = 0.0
    threads_a_core: int = 1


def parse_cpuinfo(text: str) -> CpuInfo:
    """What /proc/cpuinfo tells; unknown lines and missing fields are no error."""
    fields: dict[str, str] = {}
    sockets = set()
    for line in text.splitlines():
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            continue
        fields.setdefault(name, value)
        if name == "physical id":
            sockets.add(value)
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return CpuInfo(
        model=" ".join(_model(fields).split()),
        sockets=max(1, len(sockets)),
        flags=tuple(flag for flag in TELLING_FLAGS if flag in flags),
        hertz=_number(fields.get("cpu MHz", "")) * 1e6,
        threads_a_core=max(
            1, int(_number(fields.get("siblings", "")) / max(1.0, _number(fields.get("cpu cores", ""))))
        ),
    )


def _number(text: str) -> float:
    """0 for what is no number of a sensible size."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 <= number < 1e7 else 0.0


def _model(fields: dict[str, str]) -> str:
    """Arm kernels give numbers only: implementer and part, as the Arm manuals list them (Main ID Register)."""
    for name in ("model name", "Model", "Hardware", "cpu model"):
        if fields.get(name):
            return fields[name]
    implementer, part = fields.get("CPU implementer"), fields.get("CPU part")
    return f"Arm implementer {implementer} part {part}" if implementer and part else ""


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo in bytes: name -> size; lines without a size in kB are left out."""
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        number, _, unit = value.strip().partition(" ")
        if unit == "kB" and number.isdigit():
            sizes[name] = int(number) * 1024
    return sizes
