"""One request's times and tokens, added to the sums of its service and its replicas. Nothing is counted for each token.

The first token is the first piece of a stream that holds an event: engines send the one with the role beside it. The last one
is taken to come with the stream's end, which follows at once.
"""

from time import perf_counter

from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Route
from alliage.fleet.services import UNASKED
from alliage.gateway.stats import ReplicaStats, ServiceStats, Stats


class Timing:
    """From the whole request to its end. `enter` of a replica is followed by one `leave`; `ended` or `left` comes once."""

    __slots__ = (
        "_began_s", "_entered_s", "_first_here_s", "_first_s", "_objective", "_replica", "_service", "_stats", "_streams", "_tpot_s",
        "_unread", "awaits_first",
    )  # fmt: skip

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._began_s = perf_counter()
        self._entered_s = 0.0
        self._first_s = 0.0  # of the answer; 0 until it was seen
        self._first_here_s = 0.0  # of the part that the present replica says
        self._tpot_s = 0.0  # 0 where it was not seen
        self._objective = UNASKED
        self._service: ServiceStats | None = None
        self._replica: ReplicaStats | None = None
        self._streams = False
        self._unread = False
        self.awaits_first = False
        """Whether `saw` is to be told what comes."""

    def named(self, service: ServiceStats, route: Route, *, streams: bool) -> None:
        """It asks for this service, and may; told again whenever it is routed again."""
        if self._service is None:
            self._service = service
            service.asked += 1
        self._objective = route.objective
        self._streams = streams

    def enter(self, replica: ReplicaId) -> None:
        """It is given to this replica."""
        self._entered_s = now_s = perf_counter()
        self._first_here_s = 0.0
        self._replica = stats = self._stats.of_replica(replica)
        stats.enter(now_s)
        if self._service is not None:
            self._service.in_flight += 1

    def leave(self) -> None:
        """It is taken from its replica, if it has one."""
        stats, self._replica = self._replica, None
        if stats is None:
            return
        stats.leave(perf_counter())
        if self._service is not None:
            self._service.in_flight -= 1

    def replica_failed(self) -> None:
        """The present replica did not finish it."""
        if self._replica is not None:
            self._replica.failed += 1

    def began(self, *, streams: bool) -> None:
        """An answer, or another replica's part of one, begins."""
        self.awaits_first = streams
        if self._service is not None and not self._first_s:
            self._service.first_byte.add(perf_counter() - self._began_s)
            self._service.streamed += streams

    def saw(self, piece: bytes) -> None:
        """A piece of a stream of which no event was seen yet; comments are none."""
        if b"data:" not in piece:
            return
        self.awaits_first = False
        self._first_here_s = now_s = perf_counter()
        if (replica := self._replica) is not None:
            replica.first_tokens += 1
            replica.ttft_s += now_s - self._entered_s
        if not self._first_s:
            self._first_s = now_s
            if self._service is not None:
                self._service.ttft.add(now_s - self._began_s)

    def unread(self) -> None:
        """Its client does not read: how long it takes from here on says nothing of the engine."""
        self._unread = True

    def whole(self, status: int, prompt: int, completion: int, *, said: int = 0) -> None:
        """The answer came to its end; of its tokens, other replicas had `said` some, which the last one read as prompt."""
        service, replica, now_s = self._service, self._replica, perf_counter()
        if service is None:
            return
        if prompt or completion:
            service.tokens_counted += 1
            service.prompt_tokens += prompt
            service.completion_tokens += completion
        if self._first_s and completion > 1 and not self._unread:
            self._tpot_s = (now_s - self._first_s) / (completion - 1)
            service.tpot.add(self._tpot_s)
        if replica is None:
            return
        replica.answered += 200 <= status < 300
        replica.failed += status >= 500
        own = completion - said
        if prompt:
            replica.input_tokens += prompt + said
            replica.output_tokens += own
        if self._first_here_s and own > 1 and not self._unread:
            replica.decode_tokens += own - 1
            replica.decode_s += now_s - self._first_here_s

    def ended(self, status: int, *, broken: bool) -> None:
        """The client has all that it gets."""
        service = self._service
        if service is None:
            return
        if broken or status >= 500:
            service.failed += 1
            service.missed += self._objective.is_asked
        elif status < 300:
            service.answered += 1
            self._judge(service)

    def left(self) -> None:
        """The client went away: what it had waited for by then may have been too long already."""
        service, ttft_s = self._service, self._objective.ttft_s
        if service is not None and ttft_s is not None and self._streams:
            service.missed += (self._first_s or perf_counter()) - self._began_s > ttft_s

    def _judge(self, service: ServiceStats) -> None:
        """By what was seen; where nothing was, it neither kept nor missed."""
        ttft_s, tpot_s = self._objective.ttft_s, self._objective.tpot_s
        by_first = None if ttft_s is None or not self._first_s else self._first_s - self._began_s <= ttft_s
        by_pace = None if tpot_s is None or not self._tpot_s else self._tpot_s <= tpot_s
        if by_first is False or by_pace is False:
            service.missed += 1
        elif by_first or by_pace:
            service.kept += 1
