"""The real time."""

import time


class SystemClock:
    """Implements control's Clock."""

    def now_s(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic_s(self) -> float:
        """For durations."""
        return time.monotonic()
