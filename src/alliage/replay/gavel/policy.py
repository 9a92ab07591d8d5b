"""What a sharing policy is to a replay: it sees the jobs that are here, and says who runs on which kind this round."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alliage.decide.sharing.jobs import Jobs


class Sharer(Protocol):
    """Asked once a round; it may keep state of its own between rounds."""

    def decide(self, jobs: Jobs, ids: NDArray[np.int64], now_s: float) -> NDArray[np.int64]:
        """Each job's kind this round, -1 where it waits. `ids` name the jobs from round to round."""
        ...

    def account(self, ids: NDArray[np.int64], kinds: NDArray[np.int64], ran_s: NDArray[np.float64]) -> None:
        """Told after the round how long each job ran."""
        ...
