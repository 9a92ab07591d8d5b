"""One request's times and tokens, added to the sums of its service and its replicas. Nothing is counted for each token.

The first token is the first piece of a stream that holds an event: engines send the one with the role beside it. The last one
is taken to come with the stream's end, which follows at once.
"""

from time import perf_counter
from typing import Final

from alliage.fleet.ids import ReplicaId
from alliage.gateway.prompts import LoggedPrompt
from alliage.gateway.stats import ReplicaStats, ServiceStats, Stats
from alliage.gateway.sums import Meter, Sums
from alliage.gateway.tracing import Trace

_now_s: Final = perf_counter


class Timing:
    """From the whole request to its end. `enter` of a replica is followed by one `leave`.

    One of `whole`, `broke`, `refused` and `left` comes once, then `over`. What is public is of this request, for whoever tells
    of it at its end; times are `perf_counter`'s, 0 until they came.
    """

    __slots__ = (
        "_ended_s", "_entered_s", "_first_here_s", "_meter", "_party", "_replica", "_service", "_stats", "_streams", "_sums", "_unread", "_waits",
        "awaits_first", "began_s", "cached_tokens", "chip", "first_s", "is_broken", "is_continued", "output_tokens", "prompt", "prompt_tokens",
        "reason", "replica", "retries", "sent_bytes", "service", "tpot_s", "trace",
    )  # fmt: skip

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._service: ServiceStats | None = None
        self._meter: Meter | None = None
        self._sums: Sums = stats.unnamed
        self._replica: ReplicaStats | None = None
        self._unread = False
        self._waits = False
        self.awaits_first = False
        """Whether `saw` is to be told what comes."""
        self.began_s = _now_s()
        self._ended_s = 0.0
        self.first_s = 0.0
        """Of the answer."""
        self.tpot_s = 0.0
        self.prompt_tokens = self.cached_tokens = self.output_tokens = 0
        self.sent_bytes = 0
        """Of an engine's answer, as they went to the client."""
        self.service = ""
        self.replica = self.chip = ""
        """The last that had it."""
        self.trace: Trace | None = None
        self.prompt: LoggedPrompt | None = None
        """What the access log is to have of it; None but for tenants that want that."""
        self.retries = 0
        """Replicas that had it and did not begin to answer."""
        self.is_continued = self.is_broken = False
        self.reason = ""
        """The code of the gateway's own refusal."""

    def named(self, service: ServiceStats, meter: Meter, *, streams: bool) -> None:
        """It asks for this service, and may; told again whenever it is routed again."""
        if self._service is None:
            self._service = service
            service.asked += 1
            self._party = party = meter.party
            self.service = party.service
            self._sums = meter.unasked
            party.waiting += 1
            self._waits = True
        self._meter = meter
        self._streams = streams

    def enter(self, replica: ReplicaId, chip: str, now_s: float) -> None:
        """It is given to this replica, which is on such a chip."""
        self._entered_s = now_s
        self._first_here_s = 0.0  # of the part that this replica says
        self.replica, self.chip = replica, chip
        self._replica = stats = self._stats.by_replica.get(replica) or self._stats.of_replica(replica)
        stats.enter(now_s)
        service, meter = self._service, self._meter
        if service is not None and meter is not None:
            service.in_flight += 1
            party = meter.party
            self._sums = sums = party.on(chip)
            sums.running += 1
            if self._waits:
                self._waits = False
                self._party.waiting -= 1
                sums.queued.add(now_s - self.began_s)

    def leave(self) -> None:
        """It is taken from its replica, if it has one."""
        replica, self._replica = self._replica, None
        if replica is not None:
            replica.leave(self._ended_s or _now_s())
            if self._service is not None:
                self._service.in_flight -= 1
                self._sums.running -= 1

    def replica_failed(self) -> None:
        """The present replica did not finish it."""
        if self._replica is not None:
            self._replica.failed += 1

    def retried(self) -> None:
        """Another replica is asked, because the last one did not begin to answer."""
        self.retries += 1
        self._sums.retried += 1

    def continued(self) -> None:
        """Another replica goes on with the answer that has begun."""
        if self.is_continued:
            return
        self.is_continued = True
        self._sums.continued += 1
        if self._service is not None:
            self._service.continued += 1

    def broke(self) -> None:
        """The answer had begun and nobody can finish it."""
        self.is_broken = True
        self._sums.broken += 1
        self.failed()

    def began(self, *, streams: bool) -> None:
        """An answer, or another replica's part of one, begins."""
        self.awaits_first = streams
        if not self.is_continued:
            self._sums.streamed += streams

    def saw(self, piece: bytes) -> None:
        """A piece of a stream of which no event was seen yet; comments are none."""
        if piece.find(b"data:") < 0:
            return
        self.awaits_first = False
        self._first_here_s = now_s = _now_s()
        if (replica := self._replica) is not None:
            replica.first_tokens += 1
            replica.ttft_s += now_s - self._entered_s
        if not self.first_s:
            self.first_s = now_s
            if self._service is not None:
                ttft_s = now_s - self.began_s
                self._service.ttft.add(ttft_s)
                self._sums.ttft.add(ttft_s)

    def unread(self) -> None:
        """Its client does not read: how long it takes from here on says nothing of the engine."""
        self._unread = True

    def whole(
        self,
        status: int,
        prompt: int,
        completion: int,
        *,
        said: int = 0,
        cached: int = 0,
        spent_micros: int = 0,
        now_s: float = 0.0,
    ) -> None:
        """The client has the whole answer; of its tokens, other replicas had `said` some, which the last one read as prompt.

        `cached` of the prompt's tokens the engine held already, where it tells. `spent_micros` is what they cost.
        `now_s` is `perf_counter`'s, where it was looked up before.
        """
        service, replica, meter = self._service, self._replica, self._meter
        self._ended_s = now_s = now_s or _now_s()
        if replica is not None:
            self._count(replica, status, prompt and prompt + said, completion - said, now_s)
        if service is None or meter is None:
            return
        if prompt or completion:
            service.tokens_counted += 1
            service.prompt_tokens += prompt
            service.completion_tokens += completion
            self._count_tokens(prompt, cached, completion, spent_micros)
        tpot_s = 0.0
        if self.first_s and completion > 1 and not self._unread:
            self.tpot_s = tpot_s = (now_s - self.first_s) / (completion - 1)
            service.tpot.add(tpot_s)
            self._sums.tpot.add(tpot_s)
        if status >= 500:
            self.failed()
        elif status < 300:
            service.answered += 1
            self._sums.duration.add(now_s - self.began_s)
            if meter.promises:
                self._judge(service, meter, tpot_s)

    def failed(self) -> None:
        """The client gets none, or not the whole of it, and it is not its own fault."""
        service, meter = self._service, self._meter
        if service is not None:
            service.failed += 1
            if meter is not None and meter.promises:
                self._missed(service)

    def refused(self, status: int, reason: str) -> None:
        """The gateway itself answered, with this status and the code `reason`."""
        self.reason = reason
        refused = self._sums.refused
        refused[reason] = refused.get(reason, 0) + 1
        if status >= 500:
            self.failed()

    def left(self) -> None:
        """The client went away: what it had waited for by then may have been too long already."""
        service, meter = self._service, self._meter
        if service is None or meter is None or not meter.promises_ttft or not self._streams:
            return
        if (self.first_s or _now_s()) - self.began_s > meter.ttft_s:
            self._missed(service)

    def over(self, status: int) -> None:
        """Nothing more comes; 499 for a client that left."""
        if self._waits:
            self._waits = False
            self._party.waiting -= 1
        self._sums.ended(status)

    def _missed(self, service: ServiceStats) -> None:
        service.missed += 1
        self._sums.missed += 1

    def _count_tokens(self, prompt: int, cached: int, output: int, spent_micros: int) -> None:
        self.prompt_tokens, self.cached_tokens, self.output_tokens = prompt, cached, output
        sums = self._sums
        sums.prompt_tokens += prompt
        sums.cached_tokens += cached
        sums.output_tokens += output
        sums.spent_micros += spent_micros

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

    def _judge(self, service: ServiceStats, meter: Meter, tpot_s: float) -> None:
        """By what was seen; where nothing was (0), it neither kept nor missed."""
        ttft_s = self.first_s - self.began_s if self.first_s else 0.0
        was_seen = False
        if ttft_s and meter.promises_ttft:
            was_seen = True
            if ttft_s > meter.ttft_s:
                self._missed(service)
                return
        if tpot_s and meter.promises_tpot:
            was_seen = True
            if tpot_s > meter.tpot_s:
                self._missed(service)
                return
        if was_seen:
            service.kept += 1
            self._sums.kept += 1
