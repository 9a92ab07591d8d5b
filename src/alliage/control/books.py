"""The ledger's books, as control needs them of a store: added to, read, never changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from alliage.fleet.limits import Scope
from alliage.ledger.charging import Charge
from alliage.ledger.correcting import Correction
from alliage.ledger.device_hours import ListedDevice
from alliage.ledger.pricing import ListedPrice
from alliage.ledger.scarcity import Factor
from alliage.ledger.statements import BillLine, By, Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which charges: of requests that began from `from_s` until before `until_s`, and ("" for any) of whom."""

    from_s: float = 0.0
    until_s: float = 1e12
    tenant: str = ""
    project: str = ""
    key: str = ""
    service: str = ""


class Books(Protocol):
    """Where the ledger is kept. It moves no version of the state. Called from other threads than the loop's."""

    def use_currency(self, currency: str) -> str:
        """The currency of the books: from now on this one, unless prices or money are in another one already."""
        ...

    def take(self, charges: Sequence[Charge]) -> tuple[Charge, ...]:
        """Keep them in one transaction, each record's id once for ever; those that were new."""
        ...

    def spent(self, from_day: int, scope: Scope | None = None) -> Mapping[tuple[Scope, int], int]:
        """Micros by scope (one or all) and day, of requests that began on that day (since 1970) or later, corrected."""
        ...

    def prices(self) -> tuple[ListedPrice, ...]:
        """All entries there have been, in the order in which they were set."""
        ...

    def list_prices(self, entries: Sequence[ListedPrice]) -> None:
        """Add entries to the price list."""
        ...

    def devices(self) -> tuple[ListedDevice, ...]:
        """All prices of device-hours there have been, in the order in which they were set."""
        ...

    def list_devices(self, entries: Sequence[ListedDevice]) -> None:
        """Add entries to them, in one transaction."""
        ...

    def factors(self) -> tuple[Factor, ...]:
        """All factors for scarcity there have been, in the order in which they were added."""
        ...

    def post_factors(self, entries: Sequence[Factor]) -> None:
        """Add entries to them, in one transaction."""
        ...

    def lines(self, asked: Asked, by: By, *, recount: bool = False) -> tuple[Line, ...]:
        """The sums of charges by something, of whole days, sorted by name, with the corrections made in that time.

        They are kept as running sums; with `recount` the charges themselves are added up.
        """
        ...

    def bill(self, asked: Asked) -> tuple[tuple[BillLine, ...], tuple[Correction, ...]]:
        """Sums of charges by service and model, of whole days; and the corrections made in that time, oldest first. One picture."""
        ...

    def charges(self, asked: Asked, *, limit: int, before: str = "") -> tuple[Charge, ...]:
        """The newest first by their beginning; only those older than the record `before`. Raises NotFound for no such record."""
        ...

    def charge(self, record: str) -> tuple[Charge, tuple[Correction, ...]]:
        """One record's charge with its corrections, oldest first; raises NotFound."""
        ...

    def correct(
        self, record: str, decide: Callable[[Charge, tuple[Correction, ...]], Correction], *, dry_run: bool
    ) -> tuple[Charge, Correction]:
        """Decide on a counter-entry and keep it, in one transaction; raises NotFound, and what `decide` raises."""
        ...
