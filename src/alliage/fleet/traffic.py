"""What a gateway saw of services and replicas: sums that only grow, from which a reader takes differences. Values only.

Each record says when its sums began (`began_s`). Two records of one door may be subtracted (`since`) where that is the same;
where it is not, a new gateway process counts, or what was forgotten is counted again, and all of the later record is new.
"""

from dataclasses import dataclass, fields, replace
from typing import Final, Self, TypeVar

_NOW: Final = frozenset({"began_s", "held", "in_flight", "step_s", "is_slow"})
"""Fields that are no sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """One service at one gateway; a request counts where it ends, `asked` where it comes.

    The time to the first token is from the whole request to the first event of its stream, waiting for a start included,
    as the client sees it. The mean time of a token is from that event to the stream's end, over its tokens but the first;
    a stream whose client did not read, or whose engine told no tokens, has none. An answer that is no stream has neither.
    """

    began_s: float = 0.0
    """Seconds since 1970 when these sums began at 0."""
    asked: int = 0
    """Requests that named it and were let in: `answered`, `failed`, refused as wrong, left by their client, or in work."""
    answered: int = 0
    """Whole answers of status 2xx."""
    failed: int = 0
    """By us or an engine: status 5xx, or an answer that broke off."""
    continued: int = 0
    """Answers that another replica went on with."""
    tokens_counted: int = 0
    """Answers whose tokens are known: the next two are of these."""
    input_tokens: int = 0
    output_tokens: int = 0
    first_tokens: int = 0
    """Answers whose time to the first token was seen."""
    ttft_s: float = 0.0
    """The sum of those times."""
    paced: int = 0
    """Answers whose mean time of a token was seen."""
    tpot_s: float = 0.0
    """The sum of those means."""
    kept: int = 0
    """Requests that kept the objective, where one is asked."""
    missed: int = 0
    """Requests that missed it: too slow, failed, or left by a client that had waited for longer than promised."""
    held: int = 0
    """Now: waiting for the service to start, or for another replica to go on with an answer."""
    in_flight: int = 0
    """Now: being answered by a replica."""

    def since(self, before: Self | None) -> Self:
        """What was added after `before`; all of it where there is none, or one of other sums. `held` and `in_flight` stay."""
        return _since(self, before)

    def plus(self, more: Self) -> Self:
        """What two gateways saw together; whose beginning it has means nothing."""
        names = (each.name for each in fields(self) if each.name != "began_s")
        return replace(self, **{name: getattr(self, name) + getattr(more, name) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaTraffic:
    """One replica at one gateway. An answer that it went on with counts with its own part only.

    Over a window: mean concurrency is `busy_s` / window, mean time to the first token `ttft_s` / `first_tokens`, mean time of a
    token `decode_s` / `decode_tokens`.
    """

    began_s: float = 0.0
    """Seconds since 1970 when these sums began at 0."""
    answered: int = 0
    """Whole answers of status 2xx, or the end of one."""
    failed: int = 0
    """Requests that it could not be reached for, did not finish, or answered with 5xx."""
    input_tokens: int = 0
    output_tokens: int = 0
    first_tokens: int = 0
    """Streams whose time to the first token was seen."""
    ttft_s: float = 0.0
    """The sum of those times, each from when the request was given to this replica."""
    decode_tokens: int = 0
    """Tokens after the first of the streams that `decode_s` is of."""
    decode_s: float = 0.0
    """The sum of their times from the first token to the last."""
    busy_s: float = 0.0
    """Requests in flight, summed over time: two for a second are 2."""
    in_flight: int = 0
    """Now."""
    step_s: float = 0.0
    """Now: seconds between tokens of the streams that run, as looks of the last seconds show; 0 where they do not."""
    is_slow: bool = False
    """Now: streams that run show that it takes far longer than it was known to."""

    def since(self, before: Self | None) -> Self:
        """What was added after `before`; all of it where there is none, or one of other sums. What is of now stays."""
        return _since(self, before)

    def plus(self, more: Self) -> Self:
        """The sums of both, `more` being the later; what is of now is that of it."""
        names = (each.name for each in fields(self) if each.name not in _NOW)
        return replace(more, **{name: getattr(self, name) + getattr(more, name) for name in names})


_Sums = TypeVar("_Sums", bound=Traffic | ReplicaTraffic)


def _since(now: _Sums, before: _Sums | None) -> _Sums:
    if before is None or before.began_s != now.began_s:
        return now
    names = (each.name for each in fields(now) if each.name not in _NOW)
    return replace(now, **{name: getattr(now, name) - getattr(before, name) for name in names})
