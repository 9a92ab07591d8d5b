"""Whom to choose among, each with what is known of it: made once a table, so that nobody is looked up while a request waits."""

from collections.abc import Sequence

from alliage.decide.routing.habits import Habits
from alliage.decide.routing.lane import Lane
from alliage.fleet.routing import Upstream
from alliage.fleet.services import Objective


class Seat:
    """One that may be chosen."""

    __slots__ = ("lane", "replica", "upstream")

    def __init__(self, upstream: Upstream, lane: Lane) -> None:
        self.upstream = upstream
        self.replica = upstream.replica
        self.lane = lane


class Roster:
    """Of one service; `ttft_s_max` and `tpot_s_max` are what is promised, 0 where nothing is."""

    __slots__ = ("habits", "objective", "seats", "tpot_s_max", "ttft_s_max", "upstreams")

    def __init__(self, upstreams: Sequence[Upstream], seats: list[Seat], habits: Habits, objective: Objective) -> None:
        self.upstreams = upstreams
        self.seats = seats
        """In the order of `upstreams`."""
        self.habits = habits
        self.objective = objective
        self.ttft_s_max = objective.ttft_s or 0.0
        self.tpot_s_max = objective.tpot_s or 0.0
