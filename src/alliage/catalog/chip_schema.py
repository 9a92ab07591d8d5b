"""The shape of stacks/*.toml and chips/*.toml (Pydantic), and how a read file becomes its frozen record."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from alliage.catalog.fields import Entry, FactTable, Id, Line, Note, Text
from alliage.catalog.records import Chip, Confidence, ContainerPolicy, Precision, Sharing, Stack


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"it is not a regular expression: {error}") from error
    return pattern


Variable = Annotated[str, StringConstraints(pattern=r"^([A-Z][A-Z0-9_]*)?$", max_length=63)]
PciId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{4}$")]
PciClass = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2}){1,3}$")]
DeviceFile = Annotated[str, StringConstraints(pattern=r"^/dev/[A-Za-z0-9_./*{}-]+$", max_length=100)]
Program = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=63)]
Pattern = Annotated[Text, AfterValidator(_compiles)]

Gigabytes = Annotated[float, Field(strict=True, gt=0, le=4096, allow_inf_nan=False)]
GigabytesPerS = Annotated[float, Field(strict=True, gt=0, le=100_000, allow_inf_nan=False)]
LinkSpeed = Annotated[float, Field(strict=True, ge=0, le=100_000, allow_inf_nan=False)]
Teraops = Annotated[float, Field(strict=True, ge=0, le=1_000_000, allow_inf_nan=False)]
Watts = Annotated[float, Field(strict=True, ge=1, le=10_000, allow_inf_nan=False)]
Nanometres = Annotated[float, Field(strict=True, ge=0.5, le=100, allow_inf_nan=False)]
Year = Annotated[int, Field(strict=True, ge=2000, le=2100)]
Dollars = Annotated[float, Field(strict=True, gt=0, le=10_000_000, allow_inf_nan=False)]

_FIGURE: Final = FactTable[float](confidence=Confidence.UNKNOWN)
_WORD: Final = FactTable[Text](confidence=Confidence.UNKNOWN)


class StackFile(Entry):
    """stacks/*.toml."""

    id: Id
    maker: Text
    name: Text
    torch_device: Line = ""
    visible_devices: Variable = ""
    visible_devices_also: tuple[Variable, ...] = ()
    container_visible: Variable = ""
    container: ContainerPolicy = ContainerPolicy.UNKNOWN
    pci_vendors: tuple[PciId, ...] = ()
    pci_devices: tuple[PciId, ...] = ()
    pci_classes: tuple[PciClass, ...] = ("03", "12")
    device_files: tuple[DeviceFile, ...] = ()
    smi: tuple[Program, ...] = ()
    library: Line = ""
    kubernetes: tuple[Text, ...] = ()
    ray: Line = ""
    collective: Line = ""
    vllm: Line = ""
    lacks: tuple[Id, ...] = ()
    imitates: tuple[Id, ...] = ()
    notes: Note = ""
    sources: tuple[Text, ...] = ()

    def to_record(self) -> Stack:
        """The stack."""
        return Stack(**{name: getattr(self, name) for name in StackFile.model_fields})


class TflopsTable(Entry):
    """[tflops] of chips/*.toml: 0 says that the chip cannot compute in it, and needs a source like any figure."""

    fp32: FactTable[Teraops] = _FIGURE
    bf16: FactTable[Teraops] = _FIGURE
    fp16: FactTable[Teraops] = _FIGURE
    fp8: FactTable[Teraops] = _FIGURE
    int8: FactTable[Teraops] = _FIGURE
    fp4: FactTable[Teraops] = _FIGURE


class ChipFile(Entry):
    """chips/*.toml."""

    id: Id
    maker: Text
    name: Text
    stack: Id
    sharing: Sharing
    machines: tuple[Text, ...] = ()
    detected_as: tuple[Pattern, ...] = ()
    dies: Annotated[int, Field(strict=True, ge=1, le=16)] = 1
    memory_gb: FactTable[Gigabytes] = _FIGURE
    memory_type: FactTable[Text] = _WORD
    bandwidth_gbs: FactTable[GigabytesPerS] = _FIGURE
    tflops: TflopsTable = TflopsTable()
    link: FactTable[Text] = _WORD
    link_gbs: FactTable[LinkSpeed] = _FIGURE
    pcie: FactTable[Text] = _WORD
    tdp_w: FactTable[Watts] = _FIGURE
    process_nm: FactTable[Nanometres] = _FIGURE
    year: FactTable[Year] = FactTable[Year](confidence=Confidence.UNKNOWN)
    training: FactTable[Text] = _WORD
    export: Line = ""
    price_usd: FactTable[Dollars] = _FIGURE
    price_usd_max: FactTable[Dollars] = _FIGURE
    notes: Note = ""

    def to_record(self) -> Chip:
        """The chip; every precision has an entry."""
        plain = {name: getattr(self, name) for name in ChipFile.model_fields if name != "tflops"}
        facts = {name: value.to_fact() for name, value in plain.items() if isinstance(value, FactTable)}
        tflops = {each: getattr(self.tflops, each.value).to_fact() for each in Precision}
        return Chip(**(plain | facts), tflops=tflops)
