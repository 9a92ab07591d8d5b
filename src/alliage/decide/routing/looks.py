"""Whether a replica is as fast as it was: looks at its running streams, about a second each, so that nobody waits for their ends. Pure.

A look tells how long a step took: all streams of a batch get a token a step, so that of its fastest stream tells, and those that
wait for room or for their client do not matter. It is held against the tempo at the batch and the tokens that are there, so a
loaded replica is not a slow one. Prompts may have taken twice the time that they are reckoned to; a look in which they may have
taken most of it tells nothing, and neither does one with few steps, or one of a gateway that was late itself. Only what
`AGREEING` looks in a row agree on is believed.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from alliage.decide.routing.learned import SLOWER_MAX, Learned
from alliage.fleet.routing import Tempo

LOOK_S: Final = 1.0
AGREEING: Final = 3
SLOW: Final = 1.6
"""So many times as long as it was known to take: that is beyond what the model of a step is wrong by from load to load."""
STEPS_LEAST: Final = 12.0
"""A look is as long as that many steps should take, `LOOK_S` at least."""
LOOK_S_MAX: Final = 5.0
_BELIEF: Final = 0.1
_READING_TIMES: Final = 2.0
_READS_SLOWER_MAX: Final = 2.0
"""Prompts that are read late may be a sign of what is looked for."""
_DECODING_LEAST: Final = 0.25
"""Of a look, for it to tell anything."""
FORGOTTEN_AFTER_S: Final = 30.0
"""One that was slow and has had no running stream for so long gets another chance."""
_USUAL_BATCH: Final = 8
_USUAL_HELD: Final = 8 * 1024


class Said(Protocol):
    """A stream that runs."""

    said: int
    marked: int
    is_unread: bool


class Worked(Protocol):
    """What is looked at: a lane."""

    is_stale: bool
    learned: Learned
    reading_s: float
    unread_s: float
    tempo: Tempo | None

    @property
    def saying(self) -> Collection[Said]:
        """Streams whose first token has come."""

    @property
    def work(self) -> tuple[float, float]:
        """The integrals of the requests and of their prompts' tokens."""

    @property
    def has_vague(self) -> bool:
        """Whether a prompt is being read of which nobody knows how long that takes."""

    def tick(self, now_s: float) -> None:
        """Bring the integrals up to now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look told."""

    factor: float
    """How many times the tempo's step a step took, at least."""
    factor_most: float
    """The same if no prompt was read."""
    seconds: float
    steps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceNow:
    """What running streams show of a replica."""

    step_s: float
    """Seconds between the tokens of a stream, prompts that were read meanwhile included; 0 where the last looks do not tell."""
    is_slow: bool
    """It takes far longer than it was known to."""


UNSEEN: Final = PaceNow(step_s=0.0, is_slow=False)


class Looks:
    """Those at one replica. `is_slow` until looks agree that it is as before, or nothing was seen of it for long."""

    __slots__ = ("_began_s", "_last", "_level", "_reading_s", "_told_s", "_usual", "_work", "judged")

    def __init__(self) -> None:
        self._began_s = 0.0
        self._work = (0.0, 0.0)
        self._reading_s = 0.0
        self._last: deque[Look] = deque(maxlen=AGREEING)
        self._told_s = 0.0
        self._level: float | None = None
        """What looks usually told, at most: where few answers ended, or all at once, better known than what those taught."""
        self._usual: float | None = None
        self.judged = 0
        """How often what is believed of the replica was changed: streams that began before teach nothing of it."""

    @property
    def is_slow(self) -> bool:
        """Whether it became slow."""
        return self._usual is not None

    def pace(self) -> PaceNow:
        """By the last looks."""
        steps = sum(look.steps for look in self._last) if len(self._last) == AGREEING else 0.0
        return PaceNow(step_s=sum(look.seconds for look in self._last) / steps if steps else 0.0, is_slow=self.is_slow)

    def retimed(self, lane: Worked, old: Tempo | None, new: Tempo | None) -> None:
        """Control tells another tempo. Of one that became slow, what was seen is kept, as factors of the new one."""
        self._last.clear()
        self._level = None
        if self._usual is None:
            return
        self._usual = None
        if old is not None and new is not None:
            times = old.decode_s(_USUAL_BATCH, _USUAL_HELD) / new.decode_s(_USUAL_BATCH, _USUAL_HELD)
            lane.learned.decoding = min(SLOWER_MAX, max(1.0, lane.learned.decoding * times))

    def restarted(self, lane: Worked) -> None:
        """Another engine stands there now."""
        self._last.clear()
        if self._usual is not None:
            self._believe(lane, self._usual)

    def look(self, lane: Worked, now_s: float, piece_tokens: float | None, *, is_late: bool) -> None:
        """`piece_tokens` come with one event of a stream in the mean; None where that is not known, so nothing can be told."""
        if self._usual is not None and not lane.saying and now_s - self._told_s > FORGOTTEN_AFTER_S:
            self._believe(lane, self._usual)
        tempo, passed_s = lane.tempo, now_s - self._began_s
        if tempo is None or piece_tokens is None or is_late or passed_s > LOOK_S_MAX + LOOK_S:
            self._begin(lane, now_s)
            return
        if passed_s < LOOK_S:
            return
        lane.tick(now_s)
        batch, prompts = ((after - before) / passed_s for after, before in zip(lane.work, self._work, strict=True))
        said = max((stay.said - stay.marked for stay in lane.saying if stay.marked >= 0), default=None)
        held = prompts + sum(stay.said for stay in lane.saying) * piece_tokens
        step_s = tempo.decode_s(batch, held)
        decoding_s = passed_s - _reading_s(lane, self._reading_s)
        if said is None or lane.has_vague or decoding_s < _DECODING_LEAST * passed_s:
            self._begin(lane, now_s)
        elif max(said * piece_tokens, decoding_s / (step_s * lane.learned.decoding)) >= STEPS_LEAST:
            expected_s = max(said, 0.5) * piece_tokens * step_s
            least, most = decoding_s / expected_s, passed_s / expected_s
            self._last.append(Look(factor=least, factor_most=most, seconds=passed_s, steps=said * piece_tokens))
            self._told_s = now_s
            self._judge(lane)
            self._begin(lane, now_s)
        elif passed_s > LOOK_S_MAX:
            self._begin(lane, now_s)

    def _begin(self, lane: Worked, now_s: float) -> None:
        lane.tick(now_s)
        self._began_s, self._work, self._reading_s = now_s, lane.work, lane.reading_s
        if now_s - self._told_s > LOOK_S_MAX:
            self._last.clear()
        _mark(lane.saying)

    def _judge(self, lane: Worked) -> None:
        if len(self._last) < AGREEING:
            return
        learned, usual = lane.learned.decoding, self._usual
        least, most = min(look.factor for look in self._last), max(look.factor for look in self._last)
        known = max(learned if usual is None else usual, self._level or 1.0)
        if usual is None and self._last[-1].factor < SLOW * known:
            self._settle(self._last[-1].factor_most)
        if least >= SLOW * (known if usual is None else learned) and learned < SLOWER_MAX:
            self._believe(lane, min(SLOWER_MAX, least), usual=learned if usual is None else usual)
        elif usual is not None and most < SLOW * known:
            self._believe(lane, max(usual, min(learned, most)))
        elif usual is not None and most * SLOW <= learned:
            self._believe(lane, most, usual=usual)

    def _settle(self, factor: float) -> None:
        """An unsuspicious look."""
        self._level = factor if self._level is None else self._level + _BELIEF * (factor - self._level)

    def _believe(self, lane: Worked, factor: float, *, usual: float | None = None) -> None:
        lane.learned.decoding = factor
        self._usual = usual
        self.judged += 1
        lane.is_stale = True


def _reading_s(lane: Worked, before_s: float) -> float:
    """What prompts may have taken since their sum was `before_s`, those that are not read yet included."""
    reads = lane.learned.reading
    times = _READING_TIMES * min(_READS_SLOWER_MAX, max(1.0, reads)) / reads
    return times * (lane.reading_s - before_s + lane.unread_s)


def _mark(streams: Iterable[Said]) -> None:
    for stay in streams:
        stay.marked = -1 if stay.is_unread else stay.said
