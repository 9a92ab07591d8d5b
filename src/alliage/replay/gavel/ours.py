"""Our rule as a policy of a replay: the real decision of every round, its prices handed on to the next."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alliage.decide.sharing.jobs import Jobs
from alliage.decide.sharing.round import share
from alliage.decide.sharing.values import STANDARD, Rule, value_known_work

Remaining = Callable[[NDArray[np.int64], Jobs], NDArray[np.float64]]


class AlliageSharer:
    """Shares by price. With `remaining` (steps to do, by job ids) it plays for the last finish instead."""

    def __init__(
        self, devices: NDArray[np.int64], *, rule: Rule = STANDARD, remaining: Remaining | None = None
    ) -> None:
        self._devices, self._rule, self._remaining = devices, rule, remaining
        self._prices: NDArray[np.float64] | None = None
        self.certificates: list[float] = []

    def decide(self, jobs: Jobs, ids: NDArray[np.int64], now_s: float) -> NDArray[np.int64]:
        """One round of sharing; `now_s` is not looked at."""
        del now_s
        values = None if self._remaining is None else value_known_work(jobs, self._remaining(ids, jobs))
        shares = share(jobs, self._devices, rule=self._rule, values=values, start=self._prices)
        self._prices = shares.prices
        self.certificates.append(shares.certificate)
        return shares.kinds

    def account(self, ids: NDArray[np.int64], kinds: NDArray[np.int64], ran_s: NDArray[np.float64]) -> None:
        """Nothing to remember: jobs carry what they have had."""
