"""Engines for the soak whose mood changes, what they saw of each request, and when they stood still: what may explain an answer."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from random import Random
from typing import Final

from tests.gateway.house import Answer
from tests.gateway.upstream import Behaviour, Call, Engine, chat

BEAT_S: Final = 0.05
STOOD_S_MIN: Final = 1.5
"""Of the 2 s that an engine has to begin its answer: so much of them it must have stood still where it did not."""
NOTES_MAX: Final = 10_000


async def _cut(call: Call) -> None:
    call.cut()


async def _garbage(call: Call) -> None:
    await call.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def _die_in_the_middle(call: Call) -> None:
    await call.begin_stream()
    await call.chunk(b'data: {"choices":[{"delta":{"content":"ab"}}]}\n\n')
    call.cut()


async def _trickle(call: Call) -> None:
    await asyncio.sleep(0.3)
    await chat(call)


_MOODS: Final[tuple[Behaviour, ...]] = (*[chat] * 9, _trickle, _cut, _garbage, _die_in_the_middle)


class Pulse:
    """When this process, which the engines are in, stood still: nobody was answered then."""

    def __init__(self, now_s: float) -> None:
        """Seconds by the monotonic clock, all of them."""
        self._beat_s = now_s
        self._stops: deque[tuple[float, float]] = deque(maxlen=100)

    async def beat(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(BEAT_S)
            self.beats(time.monotonic())

    def beats(self, now_s: float) -> None:
        """It does not stand still now."""
        began_s, self._beat_s = self._beat_s, now_s
        if now_s - began_s > 2 * BEAT_S:
            self._stops.append((began_s, now_s))

    def stood_s(self, since_s: float, now_s: float) -> float:
        """For how long, from then until now."""
        stops = (*self._stops, (self._beat_s, now_s))
        return sum(max(0.0, end_s - max(began_s, since_s)) for began_s, end_s in stops)


class _Notes:
    """What the engines saw of the last requests, by their ids: for whoever looks into an answer that nothing explains."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, list[str]] = OrderedDict()

    def noting(self, engine: str, behave: Behaviour) -> Behaviour:
        """The same, noted."""

        async def noted(call: Call) -> None:
            lines = self._seen.setdefault(call.headers["x-request-id"], [])
            if len(self._seen) > NOTES_MAX:
                self._seen.popitem(last=False)
            lines.append(f"{engine} had it at {time.monotonic():.3f}")
            try:
                await behave(call)
            finally:
                lines.append(f"and was done at {time.monotonic():.3f}")

        return noted

    def told(self, answer: Answer) -> str:
        """Of the request that was answered so, now."""
        request = answer.headers.get("x-request-id", "no id")
        return (
            f"{request}: {' '.join(self._seen.get(request, ['no engine saw it']))}, answered at {time.monotonic():.3f}"
        )


class Weather:
    """Engines whose mood changes; a request that had a bad one in its time may fail."""

    def __init__(self, engines: Sequence[Engine], random: Random) -> None:
        self._engines = engines
        self._random = random
        self.bad_until_s = 0.0
        self.pulse = Pulse(time.monotonic())
        self.notes = _Notes()

    async def blow(self) -> None:
        """Every second another mood, one engine at most a bad one."""
        loop = asyncio.get_running_loop()
        while True:
            for number, engine in enumerate(self._engines):
                engine.behave = self.notes.noting(f"m-{number}", chat)
                engine.calls.clear()  # half a million of them are seconds of the collector's, in which nobody is answered
            mood = self._random.choice(_MOODS)
            if mood is not chat:
                self.bad_until_s = loop.time() + 3
                number = self._random.randrange(len(self._engines))
                self._engines[number].behave = self.notes.noting(f"m-{number}", mood)
            await asyncio.sleep(1)

    def explains(self, verdict: str, asked_s: float) -> bool:
        """Whether an answer that came now may be so; it was asked for then, by the monotonic clock."""
        if verdict == "late":
            return self.pulse.stood_s(asked_s, time.monotonic()) >= STOOD_S_MIN
        return verdict == "right" or (verdict != "wrong" and asyncio.get_running_loop().time() <= self.bad_until_s)
