"""What tenants are told of their limits: refusals in OpenAI's shape, and the `x-ratelimit-*` headers. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil, isfinite
from typing import Final

from alliage.gateway.allowances import CONTEXT, MODEL, MONEY, PARALLEL, REQUESTS, TOKENS_EVER, Allowance
from alliage.gateway.buckets import Bucket
from alliage.gateway.problems import Problem

_SOON_S: Final = 1.0
"""Where another lease, or an answer that ends, is what to wait for."""
_NEVER: Final = b"x-should-retry: false\r\n"
"""Official clients ask again by themselves after a 429, unless they are told that it is of no use."""
_MICROS: Final = 1_000_000


def limited(  # noqa: PLR0911 - one for each limit
    allowance: Allowance, which: int, service: str, *, tokens: int, micros: int, wall_s: float
) -> Problem:
    """The refusal for what `Allowance.refusal` answered; `tokens` are the request's, as far as that limit counts them."""
    limits, scope = allowance.limits, allowance.scope
    if which == MODEL:
        allowed = ", ".join(sorted(limits.models or ())) or "none"
        return Problem(
            status=403,
            message=f"The model {service!r} is not allowed for {scope}; allowed are: {allowed}.",
            code="model_not_allowed",
            param="model",
        )
    if which == CONTEXT:
        return Problem(
            status=400,
            message=f"The request may have about {tokens} tokens with its answer, and the limit context_tokens of {scope} is "
            f"{limits.context_tokens}; shorten the prompt or ask for fewer tokens.",
            code="context_length_exceeded",
            param="messages",
        )
    if which == MONEY:
        return _spent(allowance, micros, wall_s)
    if which == PARALLEL:
        whole = limits.parallel
        what = f"{allowance.parallel} of its requests are in work here; it resets when one ends"
        return _too_many(allowance, f"parallel of {scope} is {whole}: {what}.", _SOON_S if whole else None, "requests")
    if which == REQUESTS:
        wait_s = _wait_s(allowance.request_bucket, 1.0) if limits.requests_per_minute != 0 else None
        resets = "it never resets" if wait_s is None else f"it resets in {wait_s:.3g} s"
        return _too_many(
            allowance, f"requests_per_minute of {scope} is {limits.requests_per_minute}: {resets}.", wait_s, "requests"
        )
    if which == TOKENS_EVER:
        what = f"a prompt of about {tokens} tokens never fits; shorten it"
        return _too_many(
            allowance, f"tokens_per_minute of {scope} is {limits.tokens_per_minute}: {what}.", None, "tokens"
        )
    wait_s = _wait_s(allowance.token_bucket, float(tokens))
    what = f"this request needs about {tokens} tokens, for which it resets in {wait_s:.3g} s"
    return _too_many(
        allowance, f"tokens_per_minute of {scope} is {limits.tokens_per_minute}: {what}.", wait_s, "tokens"
    )


def too_late(service: str, wait_s: float, promised_s: float, retry_s: int) -> Problem:
    """The objective could not be kept after waiting for a turn."""
    return Problem(
        status=503,
        message=f"All engines of {service!r} are busy: a turn would come in about {wait_s:.3g} s, too late for a first token "
        f"within {promised_s:g} s; ask again in {retry_s} s.",
        code="saturated",
        kind="server_error",
        headers=b"Retry-After: %d\r\n" % retry_s,
    )


def over_share(service: str, tenant: str, waiting: int, retry_s: int) -> Problem:
    """The queue is full, and nobody has more in it for its weight than this tenant."""
    return Problem(
        status=429,
        message=f"The queue of {service!r} is full, and {waiting} requests of tenant {tenant!r} wait in it: more than its share; "
        f"ask again in {retry_s} s.",
        code="over_share",
        kind="requests",
        headers=b"Retry-After: %d\r\n" % retry_s,
    )


def waited_in_vain(service: str, waited_s: float) -> Problem:
    """Its turn did not come in time."""
    return Problem(
        status=503,
        message=f"All engines of {service!r} are busy: no turn came within {waited_s:g} s.",
        code="saturated",
        kind="server_error",
        headers=b"Retry-After: 5\r\n",
    )


def rate_headers(allowances: Sequence[Allowance]) -> bytes:
    """`x-ratelimit-*` of the scope that has least left, for requests and for tokens; b"" where neither is limited.

    What remains is this gateway process's: it has a lease of the limit, not all of it.
    """
    requests = tokens = None
    requests_left = tokens_left = 2.0
    for allowance in allowances:
        if (bucket := allowance.request_bucket) is not None and (left := bucket.left) < requests_left:
            requests, requests_left = allowance, left
        if (bucket := allowance.token_bucket) is not None and (left := bucket.left) < tokens_left:
            tokens, tokens_left = allowance, left
    out = b""
    if requests is not None and (bucket := requests.request_bucket) is not None:
        out = b"%b%d\r\nx-ratelimit-reset-requests: %b\r\n" % (
            requests.request_head,
            bucket.whole,
            _duration(bucket.full_s),
        )
    if tokens is not None and (bucket := tokens.token_bucket) is not None:
        return b"%b%b%d\r\nx-ratelimit-reset-tokens: %b\r\n" % (
            out,
            tokens.token_head,
            bucket.whole,
            _duration(bucket.full_s),
        )
    return out


_MILLISECONDS: Final = [b"%dms" % number for number in range(1001)]


def _duration(seconds: float) -> bytes:
    """As OpenAI writes it: `120ms`, `1.5s`, `6m0s`."""
    if seconds < 1.0:
        return _MILLISECONDS[ceil(seconds * 1000.0)]
    if seconds < 60.0:
        return b"%.3gs" % seconds
    whole = ceil(seconds)
    return b"%dm%ds" % (whole // 60, whole % 60)


def _wait_s(bucket: Bucket | None, need: float) -> float:
    wait_s = 0.0 if bucket is None else bucket.wait_s(need)
    return wait_s if isfinite(wait_s) else _SOON_S


def _too_many(allowance: Allowance, what: str, wait_s: float | None, kind: str) -> Problem:
    """A 429 that says when it may be asked again; None: never with success."""
    retry = _NEVER if wait_s is None else b"Retry-After: %d\r\n" % max(1, ceil(wait_s))
    return Problem(
        status=429,
        message=f"Rate limit reached: {what}",
        code="rate_limit_exceeded",
        kind=kind,
        headers=retry + rate_headers((allowance,)),
    )


def _spent(allowance: Allowance, micros: int, wall_s: float) -> Problem:
    lease = allowance.lease
    limit = allowance.limits.day_micros if lease.limit == "day" else allowance.limits.month_micros
    resets = datetime.fromtimestamp(lease.resets_s, UTC).strftime("%Y-%m-%d %H:%M UTC") if lease.resets_s else "unknown"
    left = max(0, allowance.left_micros)
    return Problem(
        status=429,
        message=f"Spending limit reached: {lease.limit}_micros of {allowance.scope} is {limit} ({(limit or 0) / _MICROS:.6g}); this "
        f"request would cost about {micros} micros and {left} are left here; it resets at {resets}.",
        code="insufficient_quota",
        kind="insufficient_quota",
        headers=b"Retry-After: %d\r\n%b" % (max(1, ceil(lease.resets_s - wall_s)), _NEVER),
    )
