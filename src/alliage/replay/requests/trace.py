"""A trace of LLM requests as values, and what is made of one: a slice of it, or the same requests in less time."""

from dataclasses import dataclass, replace
from itertools import islice, takewhile

from alliage.errors import BadInput

SPEED_UP_MAX = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: seconds since the first one, tokens of its prompt and of its answer (both at least 1).

    `blocks` names the prompt's blocks from its beginning, `Trace.block_tokens` each, the last of them perhaps not full;
    equal names, equal text up to there. Empty where the trace does not tell.
    """

    at_s: float
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests in order of arrival."""

    name: str
    requests: tuple[Request, ...]
    block_tokens: int

    @property
    def length_s(self) -> float:
        """Seconds from the first arrival to the last."""
        return self.requests[-1].at_s if self.requests else 0.0

    @property
    def rate_per_s(self) -> float:
        """Requests a second, in the mean; 0 where all come at once."""
        return len(self.requests) / self.length_s if self.length_s > 0 else 0.0


def cut(trace: Trace, *, count: int | None = None, seconds: float | None = None) -> Trace:
    """Its beginning: at most so many requests, and those of the first seconds. BadInput where nothing would be left."""
    kept = tuple(islice(takewhile(lambda each: seconds is None or each.at_s <= seconds, trace.requests), count))
    if not kept:
        asked = f"{count} requests" if count is not None else f"{seconds} s"
        raise BadInput(f"no request of {trace.name} is in its first {asked}", remedy="ask for more of it")
    return replace(trace, requests=kept)


def speed_up(trace: Trace, factor: float) -> Trace:
    """The same requests in `1 / factor` of the time. BadInput for a factor that cannot be."""
    if not 0.0 < factor <= SPEED_UP_MAX:
        raise BadInput(f"speed-up {factor}", remedy=f"give a number above 0, at most {SPEED_UP_MAX:g}")
    return replace(trace, requests=tuple(replace(each, at_s=each.at_s / factor) for each in trace.requests))
