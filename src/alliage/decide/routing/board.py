"""All that one gateway knows of its replicas' work, and of what services' requests are like. No clock, no I/O."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from alliage.decide.routing.cost import waiting_s
from alliage.decide.routing.habits import Habits
from alliage.decide.routing.lane import Lane, Stay
from alliage.decide.routing.looks import PaceNow
from alliage.decide.routing.prompt import Prompt
from alliage.decide.routing.roster import Roster, Seat
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.fleet.services import Objective

LOOKED_AT_MAX: Final = 64
"""Of more replicas than this, one request looks at so many: the best of them is hardly worse than the best of all."""
BLOCKS_MAX: Final = 4096
"""Of prompts that one replica is believed to hold, at most."""
ALL_BLOCKS_MAX: Final = 1 << 18
"""The same of all replicas together: about 30 MB."""
HOLDERS_MAX: Final = 1 << 15
"""Blocks of which it is kept who was sent them last."""
_BLOCKS_MIN: Final = 64
TENANTS_MAX: Final = 65536
"""Whose numbers are kept."""


class Board:
    """One gateway's, used by one thread. `take` tells which replicas there are; others are known from when they are named."""

    __slots__ = ("_habits", "_holders", "_rosters", "_tenants", "_tenants_ever", "lanes", "turns")

    def __init__(self) -> None:
        self.lanes: dict[ReplicaId, Lane] = {}
        """To be read only."""
        self._habits: dict[str, Habits] = {}
        self._rosters: dict[str, Roster] = {}
        self.turns = 0
        """Requests that were sent until now. To be read only."""
        self._holders: OrderedDict[object, ReplicaId] = OrderedDict()
        self._tenants: dict[str, int] = {}
        self._tenants_ever = 0

    def take(self, upstreams: Iterable[Upstream], services: Iterable[str]) -> None:
        """A new table: what is not in it is forgotten, replicas once their last request is over."""
        wanted = {upstream.replica: upstream for upstream in upstreams}
        for replica, lane in list(self.lanes.items()):
            if replica not in wanted:
                if lane.batch:
                    lane.is_gone = True
                else:
                    del self.lanes[replica]
        blocks_max = max(_BLOCKS_MIN, min(BLOCKS_MAX, ALL_BLOCKS_MAX // max(1, len(wanted))))
        for upstream in wanted.values():
            lane = self.lane(upstream)
            lane.prefixes.trim(blocks_max)
            if lane.upstream != upstream or lane.is_gone:
                lane.replace(upstream)
        self._rosters.clear()
        kept = set(services)
        self._habits = {service: habits for service, habits in self._habits.items() if service in kept}

    def lane(self, upstream: Upstream) -> Lane:
        """What is known of a replica."""
        lane = self.lanes.get(upstream.replica)
        if lane is None:
            lane = self.lanes[upstream.replica] = Lane(upstream, BLOCKS_MAX)
        return lane

    def habits(self, service: str) -> Habits:
        """What is known of a service. Only names that a table has may be given."""
        habits = self._habits.get(service)
        if habits is None:
            habits = self._habits[service] = Habits()
        return habits

    def roster(self, service: str, upstreams: Sequence[Upstream], objective: Objective) -> Roster:
        """Of these; the same one until the next table for whoever asks with the same tuple, as a route's is."""
        found = self._rosters.get(service)
        if found is None or found.upstreams is not upstreams or found.objective is not objective:
            seats = [Seat(each, self.lane(each)) for each in upstreams]
            found = Roster(upstreams, seats, self.habits(service), objective)
            if isinstance(upstreams, tuple):
                self._rosters[service] = found
        return found

    def tenant(self, name: str) -> int:
        """A number that is this tenant's alone. It may be given another one later, but nobody its old one."""
        number = self._tenants.get(name)
        if number is None:
            if len(self._tenants) >= TENANTS_MAX:
                self._tenants.clear()
            self._tenants_ever += 1
            number = self._tenants[name] = self._tenants_ever
        return number

    def holder(self, prompt: Prompt) -> ReplicaId | None:
        """The replica that was last sent the longest known beginning of the prompt."""
        holders = self._holders
        return next((holders[block] for block in reversed(prompt.blocks) if block in holders), None)

    def begin(self, upstream: Upstream, prompt: Prompt, *, service: str, now_s: float, streams: bool = True) -> Stay:
        """The request is sent to that replica. Whatever becomes of it, `end` or `leave` of the stay is to be called."""
        return self.send(self.lane(upstream), self.habits(service), prompt, now_s, streams)

    def send(self, lane: Lane, habits: Habits, prompt: Prompt, now_s: float, streams: bool) -> Stay:  # noqa: FBT001 - names cost time
        """The same where its lane and its service's habits are at hand."""
        self.turns += 1
        lane.turn = self.turns
        tokens = prompt.tokens
        unread = tokens
        if prompt.blocks:
            unread = tokens - lane.prefixes.held(prompt)
            lane.prefixes.remember(prompt)
            if len(self.lanes) > LOOKED_AT_MAX:
                self._hold(prompt, lane.upstream.replica)
        habits.asked(unread)
        known = lane.reckoned
        if known is None or lane.is_stale or known.stamp != habits.stamp:
            known = lane.reckon(habits)
        read_s = first_s = 0.0
        if known is not None:
            read_s = unread * (known.token_s + (tokens + tokens - unread) * known.pair_s)
            if streams and not (known.is_full or tokens > known.free_tokens):
                # when others will end is a guess that nothing is learned from
                first_s = waiting_s(lane, known, tokens, now_s) + known.first_s + read_s
        stay = Stay(lane, habits, tokens, read_s, first_s, now_s, streams)
        lane.begin(stay, now_s)
        return stay

    def _hold(self, prompt: Prompt, replica: ReplicaId) -> None:
        holders = self._holders
        for block in prompt.blocks:
            holders[block] = replica
            holders.move_to_end(block)
        while len(holders) > HOLDERS_MAX:
            holders.popitem(last=False)

    def look(self, now_s: float, *, is_late: bool = False) -> bool:
        """Look at all running streams, about twice a second; whether other replicas are slow than before.

        `is_late`: whoever told of the streams was late lately, so that nothing can be said of replicas.
        """
        changed = False
        for lane in self.lanes.values():
            if lane.saying or lane.looks.is_slow:
                was_slow = lane.looks.is_slow
                habits = next((stay.habits for stay in lane.saying), None)
                lane.looks.look(lane, now_s, None if habits is None else habits.piece_tokens, is_late=is_late)
                changed = changed or lane.looks.is_slow != was_slow
        return changed

    def paces(self) -> dict[ReplicaId, PaceNow]:
        """What running streams show, of each replica that is known."""
        return {replica: lane.looks.pace() for replica, lane in self.lanes.items()}

    def in_flight(self) -> dict[ReplicaId, int]:
        """Requests at each replica that has any."""
        return {replica: lane.batch for replica, lane in self.lanes.items() if lane.batch}
