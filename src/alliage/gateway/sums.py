"""What metrics are made of: sums by service, tenant and chip, found once a request. Plain numbers; no labels, no I/O."""

from collections.abc import Collection, Iterator
from typing import Final

from alliage.fleet.services import Objective

FIRST_BUCKETS_S: Final[tuple[float, ...]] = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0,
)  # fmt: skip
"""Those of OpenTelemetry's `gen_ai.server.time_to_first_token`, and three more: a start may be waited for."""
TOKEN_BUCKETS_S: Final[tuple[float, ...]] = (
    0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
"""Those of `gen_ai.server.time_per_output_token`, and finer ones where objectives lie."""
DURATION_BUCKETS_S: Final[tuple[float, ...]] = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
)  # fmt: skip
"""Those of `gen_ai.server.request.duration`, and two more."""
QUEUE_BUCKETS_S: Final[tuple[float, ...]] = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
TENANTS_MAX: Final = 100
"""Tenants that one gateway process tells apart, in the order of their first requests; later ones are `OTHER`."""
SUMS_MAX: Final = 256
"""Combinations of service, tenant and chip that it tells apart; what comes beyond is counted under `OTHER`."""
OTHER: Final = "other"


class Times:
    """Durations: how many, their sum, and how many in each bucket."""

    __slots__ = ("buckets_s", "counts", "number", "sum_s")

    def __init__(self, buckets_s: tuple[float, ...]) -> None:
        self.buckets_s = buckets_s
        self.counts = [0] * (len(buckets_s) + 1)
        self.number = 0
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        buckets_s, index = (
            self.buckets_s,
            0,
        )  # there are few, and most are in the first ones: a search by halves costs more
        while index < len(buckets_s) and buckets_s[index] < seconds:
            index += 1
        counts = self.counts
        counts[index] = counts[index] + 1
        self.number += 1
        self.sum_s += seconds


class Sums:
    """Of one service's requests of one tenant on one chip; the chip "" stands for those that no replica was asked for."""

    __slots__ = (
        "_answered", "_statuses", "broken", "cached_tokens", "chip", "continued", "duration", "kept", "missed", "output_tokens", "prompt_tokens", "queued", "refused",
        "retried", "running", "service", "spent_micros", "streamed", "tenant", "tpot", "ttft",
    )  # fmt: skip

    def __init__(self, service: str, tenant: str, chip: str) -> None:
        self.service = service
        self.tenant = tenant
        self.chip = chip
        self.running = 0
        self._answered = 0  # with status 200, as nearly all
        self._statuses: dict[int, int] = {}  # the others
        self.refused: dict[str, int] = {}
        """By the code of the refusal."""
        self.streamed = 0
        self.broken = 0
        """Answers that had begun and could not be finished, because the engine failed."""
        self.continued = 0
        """Answers whose engine failed and that another one went on with."""
        self.retried = 0
        self.kept = 0
        self.missed = 0
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0
        self.spent_micros = 0
        self.queued = Times(QUEUE_BUCKETS_S)
        self.ttft = Times(FIRST_BUCKETS_S)
        self.tpot = Times(TOKEN_BUCKETS_S)
        self.duration = Times(DURATION_BUCKETS_S)

    def ended(self, status: int) -> None:
        """One answer of this status."""
        if status == 200:
            self._answered += 1
        else:
            self._statuses[status] = self._statuses.get(status, 0) + 1

    @property
    def statuses(self) -> dict[int, int]:
        """Answers by their status."""
        return {200: self._answered, **self._statuses} if self._answered else dict(self._statuses)


class Meter:
    """What holds for a party's requests as long as the route of its service stands."""

    __slots__ = ("party", "promises", "promises_tpot", "promises_ttft", "tpot_s", "ttft_s", "unasked")

    def __init__(self, party: "Party", objective: Objective) -> None:
        self.party = party
        self.unasked = party.on("")
        """The sums of those that no replica was asked for."""
        self.promises_ttft = objective.ttft_s is not None
        self.promises_tpot = objective.tpot_s is not None
        self.promises = self.promises_ttft or self.promises_tpot
        self.ttft_s = objective.ttft_s or 0.0
        self.tpot_s = objective.tpot_s or 0.0


class Party:
    """One tenant's requests for one service, as far as metrics tell them apart."""

    __slots__ = ("_parties", "by_chip", "service", "tenant", "waiting")

    def __init__(self, parties: "Parties", service: str, tenant: str) -> None:
        self._parties = parties
        self.service = service
        self.tenant = tenant
        self.waiting = 0
        """Requests that no replica was asked for yet."""
        self.by_chip: dict[str, Sums] = {}

    def on(self, chip: str) -> Sums:
        """Its sums on this chip, made when they are first needed."""
        sums = self.by_chip.get(chip)
        if sums is None:
            sums = self.by_chip[chip] = self._parties.sums(self.service, self.tenant, chip)
        return sums

    @property
    def is_busy(self) -> bool:
        """Whether a request of it waits or runs."""
        return self.waiting > 0 or any(sums.running for sums in self.by_chip.values())


class Parties:
    """All of them. Their number is bounded, whatever tenants there are."""

    __slots__ = ("_by_service", "_sums", "_tenants")

    def __init__(self) -> None:
        self._by_service: dict[str, dict[str, Party]] = {}
        self._sums: dict[tuple[str, str, str], Sums] = {}
        self._tenants: set[str] = set()

    def of(self, service: str, tenant: str) -> Party:
        """A service's and tenant's; several tenants may share the one of `OTHER`."""
        parties = self._by_service.get(service)
        if parties is not None and (party := parties.get(tenant)) is not None:
            return party
        return self._make(service, tenant)

    def _make(self, service: str, tenant: str) -> Party:
        parties = self._by_service.setdefault(service, {})
        if tenant in self._tenants or len(self._tenants) < TENANTS_MAX:
            self._tenants.add(tenant)
            party = parties[tenant] = Party(self, service, tenant)
            return party
        party = parties.get(OTHER) or Party(self, service, OTHER)
        parties[OTHER] = party
        return party

    def sums(self, service: str, tenant: str, chip: str) -> Sums:
        """Those of this combination, or where there are too many already, of fewer words of it."""
        for named in (tenant, OTHER):
            sums = self._sums.get((service, named, chip))
            if sums is not None:
                return sums
            if len(self._sums) < SUMS_MAX:
                return self._add(service, named, chip)
        return self._sums.get((OTHER, OTHER, OTHER)) or self._add(OTHER, OTHER, OTHER)

    def _add(self, service: str, tenant: str, chip: str) -> Sums:
        sums = self._sums[service, tenant, chip] = Sums(service, tenant, chip)
        return sums

    def all_sums(self) -> Collection[Sums]:
        """Everything counted."""
        return self._sums.values()

    def all_parties(self) -> Iterator[Party]:
        """Every party once."""
        for parties in self._by_service.values():
            yield from parties.values()

    def forget(self, services: Collection[str]) -> None:
        """What is of none of these services and not busy."""
        for service, parties in list(self._by_service.items()):
            if service not in services and not any(party.is_busy for party in parties.values()):
                del self._by_service[service]
                for key in [key for key in self._sums if key[0] == service]:
                    del self._sums[key]
