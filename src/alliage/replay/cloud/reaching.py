"""Which replicas the gateway of a replayed cloud reaches: its real pools without connections, tried as the gateway tries them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.gateway.cohort import Cohort
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.pools import Pool, renew_pools
from alliage.replay.cloud.clock import VirtualClock


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop that has only the time: nothing is ever sent in replay."""

    clock: VirtualClock

    def time(self) -> float:
        return self.clock.t_s


class Reaching:
    """`answers` says whether a replica would accept a connection now."""

    def __init__(self, clock: VirtualClock, limits: GatewayLimits, answers: Callable[[ReplicaId], bool]) -> None:
        self._clock = clock
        self._limits = limits
        self._answers = answers
        self._nobody = Cohort(lambda work: work())
        self._loop = cast(asyncio.AbstractEventLoop, _Loop(clock))
        self._tried_s = clock.t_s
        self.pools: dict[ReplicaId, Pool] = {}
        self.is_blind = False
        """It reaches none of them: its own trouble."""

    def take(self, wanted: Mapping[ReplicaId, Upstream]) -> None:
        """A new table's upstreams."""
        renew_pools(self.pools, wanted, lambda upstream: Pool(upstream, self._loop, self._limits, self, self._nobody))

    def unreachable(self) -> frozenset[ReplicaId]:
        """What it cannot reach now."""
        return frozenset(replica for replica, pool in self.pools.items() if pool.is_unreachable)

    def preferred(self, upstreams: Sequence[Upstream]) -> Sequence[Upstream]:
        """Those not known to be out of reach; all where no other is left."""
        unreachable = self.unreachable()
        return (
            [each for each in upstreams if each.replica not in unreachable] or upstreams if unreachable else upstreams
        )

    def accepts(self, pool: Pool) -> bool:
        """Connect to it."""
        if self.is_blind or not self._answers(pool.upstream.replica):
            self.missed(pool)
            return False
        self.reached(pool)
        return True

    def try_doubted(self) -> bool:
        """Try those in doubt, if it is time to; whether one that had failed is reached again."""
        if self._clock.t_s - self._tried_s < self._limits.reach_every_s:
            return False
        self._tried_s = self._clock.t_s
        failed = [pool for pool in self.pools.values() if pool.has_failed]
        for pool in [pool for pool in self.pools.values() if pool.is_in_doubt]:
            self.accepts(pool)
        return any(not pool.has_failed for pool in failed)

    def accepted(self, pool: Pool) -> None:
        """Nothing: in replay what accepts answers too."""

    def reached(self, pool: Pool) -> None:
        """It answered."""
        pool.missed, pool.is_suspect = 0, False

    def missed(self, pool: Pool) -> None:
        """It did not answer."""
        pool.missed += 1

    def suspect(self, pool: Pool) -> None:
        """It broke off an answer."""
        if not pool.is_closed:
            pool.is_suspect = True
