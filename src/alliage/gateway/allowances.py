"""What one scope has used at this gateway, against its limits and the lease of them. No clock, no I/O.

What a request is expected to take is taken when it is let in and set right when it ends. Requests pass here: plain slots only.
"""

from math import ceil
from typing import Final

from alliage.fleet.limits import UNLIMITED, Lease, Limits, Scope, Use
from alliage.gateway.buckets import Bucket

NO_LEASE: Final = Lease()
_NO_LIMIT: Final = -1
PASSES: Final = 0
MODEL: Final = 1
CONTEXT: Final = 2
PARALLEL: Final = 3
REQUESTS: Final = 4
TOKENS: Final = 5
TOKENS_EVER: Final = 6
MONEY: Final = 7
"""What `Allowance.refusal` answers: which limit says no."""


class Allowance:
    """One scope's. `overdraft_micros` is what it may spend beyond its lease now."""

    __slots__ = (
        "_context_max", "_models", "_parallel_max", "_tokens_max", "_until_micros", "lease", "limits", "micros", "overdraft_micros", "parallel",
        "refused", "request_bucket", "request_head", "requests", "reserved_micros", "scope", "token_bucket", "token_head", "tokens",
    )  # fmt: skip

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.limits = UNLIMITED
        self.lease = NO_LEASE
        self.overdraft_micros = 0
        self.requests = self.tokens = self.micros = self.refused = 0
        self.parallel = 0
        self.reserved_micros = 0
        """What those in work are expected to cost."""
        self.request_bucket: Bucket | None = None
        self.token_bucket: Bucket | None = None
        self.request_head = self.token_head = b""
        """Of the headers that tell of a bucket: its limit, and the name of what remains."""
        self._models: frozenset[str] | None = None
        self._context_max = self._tokens_max = self._parallel_max = self._until_micros = _NO_LIMIT

    def limit(self, limits: Limits) -> None:
        """The table says so; models, context and the largest request need no lease."""
        self.limits = limits
        self._models = None if limits.models is None else frozenset(limits.models)
        self._context_max = _NO_LIMIT if limits.context_tokens is None else limits.context_tokens
        self._tokens_max = _NO_LIMIT if limits.tokens_per_minute is None else limits.tokens_per_minute
        self._spell()

    def take_lease(self, lease: Lease, now_s: float) -> None:
        """From now on by this one."""
        self.lease = lease
        self.request_bucket = _leased(self.request_bucket, lease.requests_per_minute, now_s)
        self.token_bucket = _leased(self.token_bucket, lease.tokens_per_minute, now_s)
        self._parallel_max = _NO_LIMIT if lease.parallel is None else lease.parallel
        self._until_micros = _NO_LIMIT if lease.spend_until_micros is None else lease.spend_until_micros
        self._spell()

    def _spell(self) -> None:
        self.request_head = _head(b"requests", self.limits.requests_per_minute, self.request_bucket)
        self.token_head = _head(b"tokens", self.limits.tokens_per_minute, self.token_bucket)

    def refusal(  # noqa: PLR0911, PLR0917 - one for each limit, and names cost time
        self, service: str, prompt_tokens: int, asked_tokens: int, tokens: int, micros: int, now_s: float
    ) -> int:
        """Which limit does not let it in, or PASSES.

        `asked_tokens` are its `prompt_tokens` and all that it allows its answer; `tokens` and `micros` what it is expected to take.
        """
        if self._models is not None and service not in self._models:
            return MODEL
        if 0 <= self._context_max < asked_tokens:
            return CONTEXT
        if 0 <= self._parallel_max <= self.parallel:
            return PARALLEL
        if self.request_bucket is not None and not self.request_bucket.has(1.0, now_s):
            return REQUESTS
        if 0 <= self._tokens_max < prompt_tokens:
            return TOKENS_EVER
        if self.token_bucket is not None and not self.token_bucket.has(float(tokens), now_s):
            return TOKENS
        until = self._until_micros
        if micros and 0 <= until < self.micros + self.reserved_micros + micros - self.overdraft_micros:
            return MONEY
        return PASSES

    def enter(self, tokens: int, micros: int) -> None:
        """It is let in; `leave` follows once."""
        self.requests += 1
        self.parallel += 1
        self.reserved_micros += micros
        if self.request_bucket is not None:
            self.request_bucket.take(1.0)
        if self.token_bucket is not None:
            self.token_bucket.take(float(tokens))

    def leave(self, tokens: int, micros: int, used_tokens: int, used_micros: int) -> None:
        """It is over: instead of what was expected it took so much."""
        self.parallel -= 1
        self.reserved_micros -= micros
        self.tokens += used_tokens
        self.micros += used_micros
        if self.token_bucket is not None:
            self.token_bucket.take(float(used_tokens - tokens))

    def call_off(self, tokens: int, micros: int) -> None:
        """It was let in, and no engine was asked: what it took is given back."""
        if self.request_bucket is not None:
            self.request_bucket.take(-1.0)
        self.leave(tokens, micros, 0, 0)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is in work."""
        return not self.parallel

    def use(self) -> Use:
        """The sums now."""
        return Use(
            requests=self.requests,
            tokens=self.tokens,
            micros=self.micros,
            refused=self.refused,
            parallel=self.parallel,
        )

    @property
    def left_micros(self) -> int:
        """What may still be reserved under the lease; below zero for what was spent beyond it."""
        return self._until_micros + self.overdraft_micros - self.micros - self.reserved_micros


def _head(what: bytes, limit: int | None, bucket: Bucket | None) -> bytes:
    if bucket is None:
        return b""
    whole = ceil(bucket.capacity) if limit is None else limit
    return b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: " % (what, whole, what)


def _leased(bucket: Bucket | None, per_minute: float | None, now_s: float) -> Bucket | None:
    if per_minute is None:
        return None
    if bucket is None:
        return Bucket(per_minute, now_s)
    bucket.lease(per_minute, now_s)
    return bucket
