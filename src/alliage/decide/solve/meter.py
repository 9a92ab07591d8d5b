"""What is left of a budget: work counted, and wall time only where it is limited."""

import time

from alliage.decide.solve.answer import Budget


class Meter:
    """What is left of a budget. The clock is read only where wall time is limited."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.used = 0
        self._until = None if budget.wall_s is None else time.monotonic() + budget.wall_s

    @property
    def left(self) -> int:
        """Simplex iterations."""
        return max(0, self.budget.work - self.used)

    @property
    def left_s(self) -> float:
        """Seconds, infinite where only work is counted."""
        return float("inf") if self._until is None else max(0.0, self._until - time.monotonic())

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be solved."""
        return self.left == 0 or self.left_s <= 0
