"""What was used of each scope in the last minute, by what the gateways tell of their sums. In memory only, and bounded by its steps."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Final

from alliage.fleet.limits import Scope, Use

MINUTE_S: Final = 60.0
STEP_S: Final = 1.0
"""What is told within one step counts together, so that the minute is longer by one step at most."""
_NOTHING: Final = Use()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """Of one scope. Requests that were let in, tokens of those that ended."""

    requests: int = 0
    tokens: int = 0


@dataclass(slots=True)
class _Step:
    at_s: float
    requests: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Minute:
    """Takes each gateway's growth as it comes; times are of one monotonic clock."""

    _steps: dict[Scope, deque[_Step]] = field(default_factory=dict)

    def add(self, before: Mapping[Scope, Use], use: Mapping[Scope, Use], now_s: float) -> None:
        """A gateway told `use`, and `before` that; sums that shrank began anew."""
        at_s = floor(now_s / STEP_S) * STEP_S
        for scope, new in use.items():
            old = before.get(scope, _NOTHING)
            if new.requests < old.requests or new.tokens < old.tokens:
                old = _NOTHING
            if new.requests == old.requests and new.tokens == old.tokens:
                continue
            steps = self._steps.setdefault(scope, deque())
            if not steps or steps[-1].at_s != at_s:
                steps.append(_Step(at_s))
                _leave_old(steps, now_s)
            steps[-1].requests += new.requests - old.requests
            steps[-1].tokens += new.tokens - old.tokens

    def keep(self, scopes: Collection[Scope]) -> None:
        """Forget those of other scopes."""
        self._steps = {scope: steps for scope, steps in self._steps.items() if scope in scopes}

    def of(self, scope: Scope, now_s: float) -> Lately:
        """What it used in the minute before now."""
        steps = self._steps.get(scope)
        if steps is None:
            return Lately()
        _leave_old(steps, now_s)
        return Lately(requests=sum(each.requests for each in steps), tokens=sum(each.tokens for each in steps))


def _leave_old(steps: deque[_Step], now_s: float) -> None:
    while steps and steps[0].at_s + STEP_S + MINUTE_S <= now_s:
        steps.popleft()
