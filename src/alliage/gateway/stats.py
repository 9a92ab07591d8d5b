"""Counters of the data path: plain numbers, exported by `metrics` and told to control. No I/O, no labels made on the way."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from time import perf_counter, time
from typing import Final

from alliage.decide.routing.looks import UNSEEN, PaceNow
from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.traffic import ReplicaTraffic, Traffic

FIRST_BUCKETS_S: Final[tuple[float, ...]] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)  # fmt: skip
CLIENT_GONE: Final = 499
"""What counts as the status of a request whose client left before it was answered."""
TOKEN_BUCKETS_S: Final[tuple[float, ...]] = (
    0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0,
)  # fmt: skip


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
        self.counts[bisect_left(self.buckets_s, seconds)] += 1
        self.number += 1
        self.sum_s += seconds


class ServiceStats:
    """One service's counters, as `Traffic` names them; the service "" stands for requests that named none of ours."""

    __slots__ = (
        "answered", "asked", "began_s", "broken", "completion_tokens", "continued", "failed", "first_byte", "in_flight", "kept", "missed",
        "prompt_tokens", "retried", "statuses", "streamed", "tokens_counted", "tpot", "ttft",
    )  # fmt: skip

    def __init__(self) -> None:
        self.began_s = time()
        self.statuses: dict[int, int] = {}
        self.asked = 0
        self.answered = 0
        self.failed = 0
        self.streamed = 0
        self.broken = 0
        """Answers that had begun and could not be finished, because the engine failed."""
        self.continued = 0
        """Answers whose engine failed and that another one went on with."""
        self.retried = 0
        self.tokens_counted = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.first_byte = Times(FIRST_BUCKETS_S)
        self.ttft = Times(FIRST_BUCKETS_S)
        self.tpot = Times(TOKEN_BUCKETS_S)
        self.kept = 0
        self.missed = 0
        self.in_flight = 0

    def ended(self, status: int) -> None:
        """One answer of this status."""
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def traffic(self, held: int) -> Traffic:
        """The sums now, with how many requests are held."""
        return Traffic(
            began_s=self.began_s,
            asked=self.asked,
            answered=self.answered,
            failed=self.failed,
            continued=self.continued,
            tokens_counted=self.tokens_counted,
            input_tokens=self.prompt_tokens,
            output_tokens=self.completion_tokens,
            first_tokens=self.ttft.number,
            ttft_s=self.ttft.sum_s,
            paced=self.tpot.number,
            tpot_s=self.tpot.sum_s,
            kept=self.kept,
            missed=self.missed,
            held=held,
            in_flight=self.in_flight,
        )


class ReplicaStats:
    """One replica's counters, as `ReplicaTraffic` names them. Every `enter` is followed by one `leave`."""

    __slots__ = (
        "answered", "began_s", "busy_s", "changed_s", "decode_s", "decode_tokens", "failed", "first_tokens", "in_flight", "input_tokens",
        "output_tokens", "ttft_s",
    )  # fmt: skip

    def __init__(self) -> None:
        self.began_s = time()
        self.answered = 0
        self.failed = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.first_tokens = 0
        self.ttft_s = 0.0
        self.decode_tokens = 0
        self.decode_s = 0.0
        self.in_flight = 0
        self.busy_s = 0.0
        self.changed_s = 0.0

    def enter(self, now_s: float) -> None:
        """One request more, at this time of `perf_counter`."""
        self.busy_s += self.in_flight * (now_s - self.changed_s)
        self.changed_s = now_s
        self.in_flight += 1

    def leave(self, now_s: float) -> None:
        """One request less."""
        self.busy_s += self.in_flight * (now_s - self.changed_s)
        self.changed_s = now_s
        self.in_flight -= 1

    def traffic(self, now_s: float, pace: PaceNow = UNSEEN) -> ReplicaTraffic:
        """The sums at this time of `perf_counter`, and what running streams show."""
        return ReplicaTraffic(
            began_s=self.began_s,
            answered=self.answered,
            failed=self.failed,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            first_tokens=self.first_tokens,
            ttft_s=self.ttft_s,
            decode_tokens=self.decode_tokens,
            decode_s=self.decode_s,
            busy_s=self.busy_s + self.in_flight * (now_s - self.changed_s),
            in_flight=self.in_flight,
            step_s=pace.step_s,
            is_slow=pace.is_slow,
        )


class Stats:
    """All counters: by service, and by replica that was asked."""

    __slots__ = ("by_replica", "by_service")

    def __init__(self) -> None:
        self.by_service: dict[str, ServiceStats] = {"": ServiceStats()}
        self.by_replica: dict[ReplicaId, ReplicaStats] = {}

    def of(self, service: str) -> ServiceStats:
        """The counters of a service, made when first needed. Only names that a table had may be given."""
        stats = self.by_service.get(service)
        if stats is None:
            stats = self.by_service[service] = ServiceStats()
        return stats

    def of_replica(self, replica: ReplicaId) -> ReplicaStats:
        """The counters of a replica, made when it is first asked."""
        stats = self.by_replica.get(replica)
        if stats is None:
            stats = self.by_replica[replica] = ReplicaStats()
        return stats

    def services_now(self, held: Iterable[str]) -> dict[ServiceName, Traffic]:
        """What to tell of each service; `held` are the services that requests wait for, one entry a request."""
        waiting = Counter(held)
        return {ServiceName(name): one.traffic(waiting[name]) for name, one in self.by_service.items() if name}

    def replicas_now(self, paces: Mapping[ReplicaId, PaceNow]) -> dict[ReplicaId, ReplicaTraffic]:
        """What to tell of each replica."""
        now_s = perf_counter()
        return {replica: one.traffic(now_s, paces.get(replica, UNSEEN)) for replica, one in self.by_replica.items()}

    def forget(self, *, services: Collection[str], replicas: Collection[ReplicaId]) -> None:
        """What is not among these and not busy: told once more after it left, then no longer."""
        for name, service in list(self.by_service.items()):
            if name and name not in services and not service.in_flight:
                del self.by_service[name]
        for name_, replica in list(self.by_replica.items()):
            if name_ not in replicas and not replica.in_flight:
                del self.by_replica[name_]
