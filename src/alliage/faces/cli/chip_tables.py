"""Chips of the catalogue as Rich tables, and how one fact reads. No asking, no printing."""

from collections.abc import Iterable
from typing import Final

from rich.table import Table
from rich.text import Text

from alliage.faces.admin.catalog_answers import ChipAnswer, ChipDetailAnswer, FactAnswer, StackAnswer
from alliage.faces.telling import printable

MARKS: Final = {"vendor": "v", "press": "p", "community": "c"}
LEGEND: Final = "v: the vendor says so, p: the press, c: the community; GB and GB/s are decimal, TFLOPS dense"
UNKNOWN: Final = "unknown"
CANNOT: Final = "no"
"""What a speed of 0 in a precision says."""
_LABELS: Final = {
    "memory_gb": ("memory", "GB"),
    "memory_type": ("memory type", ""),
    "bandwidth_gbs": ("bandwidth", "GB/s"),
    "link": ("link", ""),
    "link_gbs": ("link bandwidth", "GB/s"),
    "pcie": ("PCIe", ""),
    "tdp_w": ("TDP", "W"),
    "process_nm": ("process", "nm"),
    "year": ("year", ""),
    "training": ("use", ""),
    "price_usd": ("price", "USD"),
    "price_usd_max": ("price, upper end", "USD"),
}
_STACK_LABELS: Final = {
    "torch_device": "torch device",
    "visible_devices": "visible devices",
    "visible_devices_also": "also read",
    "container_visible": "visible in containers",
    "container": "libraries in containers",
    "pci_vendors": "PCI vendor",
    "pci_devices": "PCI devices",
    "device_files": "device files",
    "smi": "SMI program",
    "library": "management library",
    "kubernetes": "Kubernetes",
    "ray": "Ray",
    "collective": "collectives",
    "vllm": "vLLM",
    "lacks": "lacks kernels",
    "imitates": "can be taken for",
}


def figure(value: float | str | None, unit: str = "") -> str:
    """`4000 GB/s`, or `unknown`."""
    if value is None:
        return UNKNOWN
    words = value if isinstance(value, str) else f"{value:.10g}"
    return f"{words} {unit}".rstrip()


def marked(value: float | str | None, confidence: str) -> str:
    """A table's cell: the figure and the letter of who says so."""
    return f"{figure(value)} {MARKS.get(confidence, '')}".rstrip()


def marked_speed(value: float | str | None, confidence: str) -> str:
    """As `marked`; 0 is a `no`."""
    return marked(CANNOT if value == 0 else value, confidence)


def chips_table(chips: Iterable[ChipAnswer]) -> Table:
    """One row a chip; each figure with the mark of its confidence."""
    table = _plain("CHIP", "NAME", "GB", "GB/s", "BF16", "FP8", "INT8", "LINK GB/s", "W", "YEAR", "HERE")
    for each in chips:
        facts = (each.memory_gb, each.bandwidth_gbs)
        speeds = (each.tflops["bf16"], each.tflops["fp8"], each.tflops["int8"])
        more = (each.link_gbs, each.tdp_w, each.year)
        here = str(len(each.devices)) if each.devices else ""
        _row(table, each.id, each.name, *_cells(facts), *_speeds(speeds), *_cells(more), here)
    return table


def chip_heading(chip: ChipAnswer) -> str:
    """What it is, in a few lines."""
    lines = [f"{chip.name} ({chip.id}), made by {chip.maker}, stack {chip.stack}"]
    lines += [f"one board is {chip.dies} devices"] if chip.dies > 1 else []
    lines += [f"here: {', '.join(chip.devices)}"] if chip.devices else []
    lines += [f"export: {chip.export}"] if chip.export else []
    return "\n".join(lines + ([f"notes: {chip.notes}"] if chip.notes else []))


def facts_table(chip: ChipAnswer) -> Table:
    """Every value with its confidence and its source."""
    table = _plain("FACT", "VALUE", "CONFIDENCE", "SOURCE")
    for name in ("memory_gb", "memory_type", "bandwidth_gbs"):
        _fact_row(table, chip, name)
    for precision, fact in chip.tflops.items():
        unit = "TOPS" if precision.startswith("int") else "TFLOPS"
        value = f"{CANNOT} (cannot compute in it)" if fact.value == 0 else figure(fact.value, unit)
        _row(table, precision.upper(), value, fact.confidence, fact.source)
    for name in tuple(_LABELS)[3:]:
        if name != "price_usd_max" or chip.price_usd_max.value is not None:
            _fact_row(table, chip, name)
    return table


def stack_table(stack: StackAnswer) -> Table:
    """The software under a chip; what is empty reads `unknown`."""
    table = _plain("STACK", f"{stack.name} ({stack.id})")
    for name, label in _STACK_LABELS.items():
        value = getattr(stack, name)
        words = value if isinstance(value, str) else ", ".join(value)
        if words or name in ("visible_devices", "smi", "pci_vendors", "vllm"):
            _row(table, label, words or UNKNOWN)
    if stack.notes:
        _row(table, "notes", stack.notes)
    for source in stack.sources:
        _row(table, "source", source)
    return table


def detail_parts(detail: ChipDetailAnswer) -> tuple[str | Table, ...]:
    """All of a chip, to be shown one below the other."""
    return (chip_heading(detail.chip), "", facts_table(detail.chip), "", stack_table(detail.stack))


def _fact_row(table: Table, chip: ChipAnswer, name: str) -> None:
    label, unit = _LABELS[name]
    fact: FactAnswer = getattr(chip, name)
    _row(table, label, figure(fact.value, unit), fact.confidence, fact.source)


def _cells(facts: Iterable[FactAnswer]) -> Iterable[str]:
    return (marked(each.value, each.confidence) for each in facts)


def _speeds(facts: Iterable[FactAnswer]) -> Iterable[str]:
    return (marked_speed(each.value, each.confidence) for each in facts)


def _plain(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(Text(printable(column)), overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(printable(cell)) for cell in cells))
