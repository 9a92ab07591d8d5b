"""What the admin API answers about the catalogue's chips. Also read by the CLI, so nothing heavier than Pydantic here."""

from collections.abc import Mapping

from alliage.faces.admin.answers import Answer


class FactAnswer(Answer):
    """One value with who says so; `value` is null and `confidence` is `unknown` where nobody is known to say."""

    value: int | float | str | None
    confidence: str
    source: str


class StackAnswer(Answer):
    """The vendor software under a chip; empty where there is none or none is known."""

    id: str
    maker: str
    name: str
    torch_device: str
    visible_devices: str
    visible_devices_also: tuple[str, ...]
    container_visible: str
    container: str
    pci_vendors: tuple[str, ...]
    pci_devices: tuple[str, ...]
    pci_classes: tuple[str, ...]
    device_files: tuple[str, ...]
    smi: tuple[str, ...]
    library: str
    kubernetes: tuple[str, ...]
    ray: str
    collective: str
    vllm: str
    lacks: tuple[str, ...]
    imitates: tuple[str, ...]
    notes: str
    sources: tuple[str, ...]


class ChipAnswer(Answer):
    """A kind of accelerator. Memory and speeds are decimal GB and GB/s, `tflops` dense tera-operations a second.

    A figure of 0 in `tflops` says that the chip cannot compute in that precision. `devices` are the ids of the devices
    of this chip on nodes that are connected now.
    """

    id: str
    maker: str
    name: str
    stack: str
    sharing: str
    dies: int
    detected_as: tuple[str, ...]
    memory_gb: FactAnswer
    memory_type: FactAnswer
    bandwidth_gbs: FactAnswer
    tflops: Mapping[str, FactAnswer]
    link: FactAnswer
    link_gbs: FactAnswer
    pcie: FactAnswer
    tdp_w: FactAnswer
    process_nm: FactAnswer
    year: FactAnswer
    training: FactAnswer
    export: str
    price_usd: FactAnswer
    price_usd_max: FactAnswer
    notes: str
    devices: tuple[str, ...]


class ChipsAnswer(Answer):
    """The catalogue's chips, by maker and id."""

    chips: tuple[ChipAnswer, ...]


class ChipDetailAnswer(Answer):
    """One chip with the software under it."""

    chip: ChipAnswer
    stack: StackAnswer
