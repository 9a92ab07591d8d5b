"""One request's times and tokens, added to the sums of its service and its replicas. Nothing is counted for each token.

The first token is the first piece of a stream that holds an event: engines send the one with the role beside it. The last one
is taken to come with the stream's end, which follows at once.
"""

from time import perf_counter

from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Route
from alliage.gateway.stats import ReplicaStats, ServiceStats, Stats


class Timing:
    """From the whole request to its end. `enter` of a replica is followed by one `leave`; `whole`, `failed`, `refused` or `left` comes once."""

    __slots__ = (
        "_began_s", "_entered_s", "_first_here_s", "_first_s", "_promised_tpot_s", "_promised_ttft_s", "_replica", "_service", "_stats",
        "_streams", "_unread", "awaits_first",
    )  # fmt: skip

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._began_s = perf_counter()
        self._first_s = 0.0  # of the answer; 0 until it was seen
        self._service: ServiceStats | None = None
        self._replica: ReplicaStats | None = None
        self._unread = False
        self.awaits_first = False
        """Whether `saw` is to be told what comes."""

    def named(self, service: ServiceStats, route: Route, *, streams: bool) -> None:
        """It asks for this service, and may; told again whenever it is routed again."""
        if self._service is None:
            self._service = service
            service.asked += 1
        self._promised_ttft_s, self._promised_tpot_s = route.objective.ttft_s, route.objective.tpot_s
        self._streams = streams

    def enter(self, replica: ReplicaId) -> None:
        """It is given to this replica."""
        self._entered_s = now_s = perf_counter()
        self._first_here_s = 0.0  # of the part that this replica says
        self._replica = stats = self._stats.by_replica.get(replica) or self._stats.of_replica(replica)
        stats.enter(now_s)
        if self._service is not None:
            self._service.in_flight += 1

    def leave(self) -> None:
        """It is taken from its replica, if it has one."""
        replica, self._replica = self._replica, None
        if replica is not None:
            replica.leave(perf_counter())
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
        """The client has the whole answer; of its tokens, other replicas had `said` some, which the last one read as prompt."""
        service, replica, now_s = self._service, self._replica, perf_counter()
        if replica is not None:
            self._count(replica, status, prompt and prompt + said, completion - said, now_s)
        if service is None:
            return
        if prompt or completion:
            service.tokens_counted += 1
            service.prompt_tokens += prompt
            service.completion_tokens += completion
        tpot_s = 0.0
        if self._first_s and completion > 1 and not self._unread:
            tpot_s = (now_s - self._first_s) / (completion - 1)
            service.tpot.add(tpot_s)
        if status >= 500:
            self.failed()
        elif status < 300:
            service.answered += 1
            if self._promised_ttft_s is not None or self._promised_tpot_s is not None:
                self._judge(service, tpot_s)

    def failed(self) -> None:
        """The client gets none, or not the whole of it, and it is not its own fault."""
        service = self._service
        if service is not None:
            service.failed += 1
            service.missed += self._promised_ttft_s is not None or self._promised_tpot_s is not None

    def refused(self, status: int) -> None:
        """The gateway itself answered, with this status."""
        if status >= 500:
            self.failed()

    def left(self) -> None:
        """The client went away: what it had waited for by then may have been too long already."""
        service = self._service
        if service is not None and self._promised_ttft_s is not None and self._streams:
            service.missed += (self._first_s or perf_counter()) - self._began_s > self._promised_ttft_s

    def _count(self, replica: ReplicaStats, status: int, read: int, own: int, now_s: float) -> None:
        """What the replica that ended it did: it read and said so many tokens."""
        if status < 300:
            replica.answered += 1
        elif status >= 500:
            replica.failed += 1
        if read:
            replica.input_tokens += read
            replica.output_tokens += own
        if self._first_here_s and own > 1 and not self._unread:
            replica.decode_tokens += own - 1
            replica.decode_s += now_s - self._first_here_s

    def _judge(self, service: ServiceStats, tpot_s: float) -> None:
        """By what was seen; where nothing was (0), it neither kept nor missed."""
        ttft_s = self._first_s - self._began_s if self._first_s else 0.0
        promised = ((ttft_s, self._promised_ttft_s), (tpot_s, self._promised_tpot_s))
        kept = [seen_s <= promised_s for seen_s, promised_s in promised if promised_s is not None and seen_s]
        if not all(kept):
            service.missed += 1
        elif kept:
            service.kept += 1
