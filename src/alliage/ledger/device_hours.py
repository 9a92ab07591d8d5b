"""Prices of a device-hour: entries that are only ever added, each from a time on; what device time costs by them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alliage.errors import BadInput, NotFound
from alliage.ledger.listing import ends_of, in_force
from alliage.ledger.money import divided
from alliage.ledger.pricing import start_of

MICROS_PER_HOUR_MAX: Final = 10**12
"""A million of the currency."""
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDevice:
    """One entry of the price list. `micros_per_hour` is None where it ends what was listed for the chip before."""

    chip: str
    from_s: float
    micros_per_hour: int | None
    who: str
    """The name of the key that set it."""
    set_s: float

    @property
    def name(self) -> str:
        """Of what it is the price."""
        return self.chip

    @property
    def is_end(self) -> bool:
        """Whether it only ends what was listed before."""
        return self.micros_per_hour is None


DeviceList = Sequence[ListedDevice]
"""In the order in which they were set."""


def device_listed(chip: str, micros_per_hour: int, *, from_s: float | None, who: str, now_s: float) -> ListedDevice:
    """A new entry, from now on or from a later time; raises BadInput."""
    if not 0 <= micros_per_hour <= MICROS_PER_HOUR_MAX:
        raise BadInput(
            f"a device-hour of {chip} would cost {micros_per_hour} micros", remedy=f"give 0 to {MICROS_PER_HOUR_MAX}"
        )
    begins_s = start_of(from_s, now_s)
    return ListedDevice(chip=chip, from_s=begins_s, micros_per_hour=micros_per_hour, who=who, set_s=now_s)


def device_dropped(chip: str, entries: DeviceList, *, who: str, now_s: float) -> tuple[ListedDevice, ...]:
    """The entries that end a chip's price now, and those that were to come; raises NotFound where there is none."""
    ends_s = ends_of(entries, chip, now_s)
    if not ends_s:
        known = ", ".join(sorted(in_force(entries, now_s))) or "none"
        raise NotFound(f"no price of a device-hour is listed for {chip!r}", remedy=f"listed: {known}")
    return tuple(
        ListedDevice(chip=chip, from_s=from_s, micros_per_hour=None, who=who, set_s=now_s) for from_s in ends_s
    )


def device_time_micros(micros_per_hour: int, device_ms: int) -> int:
    """What thousandths of a second of one device's time cost, of all its devices together; rounded half to even once."""
    return divided(micros_per_hour * device_ms, _HOUR_MS)
