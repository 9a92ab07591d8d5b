"""What a library or a tool told of one device, before the catalogue is asked what it is. Facts; None is not told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDevice:
    """One card, or one die of a card with several. Everything that was not told, or told as `N/A`, is None."""

    name: str | None = None
    index: int | None = None
    """The number in the tool's table. May have gaps; on boards with several dies it may be the board's."""
    die: int | None = None
    """Which die of the board `index`, where the tool counts boards."""
    physical_index: int | None = None
    """The number in the name of its device file, where the tool tells one of its own."""
    uuid: str | None = None
    pci_address: str | None = None
    """As in sysfs: `0000:41:00.0`, lower case."""
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    utilisation_percent: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    health: str | None = None
    """The tool's own word."""
    driver: str | None = None
    sdk: str | None = None
    """The version of the vendor's software that the driver answers for, with its name: `CUDA 12.4`."""
    links: str | None = None
    """Numbers of the devices it is wired to, as told."""
