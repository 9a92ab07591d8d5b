"""Counters of the data path: plain ints, exported by `metrics` when someone asks. No I/O, no labels made on the way."""

from bisect import bisect_left
from typing import Final

FIRST_BYTE_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class ServiceStats:
    """One service's counters since the gateway started; the service "" stands for requests that named none of ours."""

    __slots__ = (
        "broken", "completion_tokens", "continued", "first_byte_counts", "first_byte_s_sum", "prompt_tokens", "retried", "statuses", "streamed",
    )  # fmt: skip

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.streamed = 0
        self.broken = 0
        """Answers that had begun and could not be finished, because the engine failed."""
        self.continued = 0
        """Answers whose engine failed and that another one went on with."""
        self.retried = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.first_byte_counts = [0] * (len(FIRST_BYTE_BUCKETS_S) + 1)
        self.first_byte_s_sum = 0.0

    def answered(self, status: int) -> None:
        """One answer of this status; 499 stands for a client that left before it."""
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def first_byte(self, seconds: float) -> None:
        """An answer began this long after its request had come."""
        self.first_byte_counts[bisect_left(FIRST_BYTE_BUCKETS_S, seconds)] += 1
        self.first_byte_s_sum += seconds


class Stats:
    """All counters, by service."""

    __slots__ = ("by_service",)

    def __init__(self) -> None:
        self.by_service: dict[str, ServiceStats] = {"": ServiceStats()}

    def of(self, service: str) -> ServiceStats:
        """The counters of a service, made when first needed. Only names that a table had may be given."""
        stats = self.by_service.get(service)
        if stats is None:
            stats = self.by_service[service] = ServiceStats()
        return stats
