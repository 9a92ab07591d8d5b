"""What was used of limits: figures of several that count, put together."""

from collections.abc import Mapping
from dataclasses import dataclass

from alliage.control.used import Used, used_by
from alliage.fleet.limits import Scope

ACME, OTHER = Scope("tenant:acme"), Scope("tenant:other")


@dataclass(frozen=True)
class Counting:
    """One that counts."""

    told: Mapping[Scope, Used]

    def used(self) -> Mapping[Scope, Used]:
        """What it was made with."""
        return self.told


def test_nobody_counts() -> None:
    """Nothing is told then, not even zeros."""
    assert used_by(()) == {}


def test_each_tells_what_it_counts() -> None:
    """The figures of one scope come together, zeros are figures, and the first to tell one is believed."""
    gateways = Counting({ACME: Used(parallel=0, requests_last_minute=7), OTHER: Used(parallel=1)})
    ledger = Counting({ACME: Used(parallel=9, day_micros=5)})
    assert used_by((gateways, ledger)) == {
        ACME: Used(parallel=0, requests_last_minute=7, day_micros=5),
        OTHER: Used(parallel=1),
    }
