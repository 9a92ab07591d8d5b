"""`python -m tests.gateway.soak --seconds 900`: a gateway process under mixed load and abuse; memory, descriptors and answers are held to a rule.

The rule: every answer to a right request is right, or one that the fault of the moment explains (no fault explains a 504: only
engines that stood still do, of which this process tells by itself); the memory of the last fifth of the time (the median of
what was seen each half second) is at most that of the second fifth plus 4 MiB and 3 %; and when all have left, no more
descriptors are open than before the first came, but for two (a library may keep one that it opened late).
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from alliage.gateway.tls import TlsFiles
from alliage.units import MIB
from tests.gateway.abuses import ABUSES
from tests.gateway.certificates import certificate, trusting
from tests.gateway.house import Answer, House, chat_body, post, route, run, table, upstream
from tests.gateway.process import Gateway, gateway
from tests.gateway.upstream import Engine
from tests.gateway.weather import Weather

SAMPLE_S: Final = 0.5
GROWTH_BYTES_MAX: Final = 4 * MIB
GROWTH_SHARE_MAX: Final = 0.03
SPARE_DESCRIPTORS: Final = 2
_SETTINGS: Final = "[gateway]\nhold_s = 2.0\nlinger_s = 0.2\nupstream_head_s = 2.0\nupstream_stall_s = 2.0\ndrain_s = 2.0\nupstream_idle_s = 1.0\n"


@dataclass(slots=True)
class Soaked:
    """What came of it."""

    seconds: float
    memory_bytes: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    descriptors_before: int = 0
    descriptors_after: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    abuses: int = 0
    wrong: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        """What breaks the rule; empty when all is well."""
        found = self.wrong[:5]
        early, late = (median(part) for part in (_fifth(self.memory_bytes, 1), _fifth(self.memory_bytes, 4)))
        if late > early * (1 + GROWTH_SHARE_MAX) + GROWTH_BYTES_MAX:
            found.append(f"memory grew from {early / MIB:.1f} to {late / MIB:.1f} MiB")
        if self.descriptors_after > self.descriptors_before + SPARE_DESCRIPTORS:
            found.append(f"{self.descriptors_after} descriptors are open, {self.descriptors_before} before")
        return found

    def told(self) -> str:
        """In a line."""
        fifths = " ".join(f"{median(_fifth(self.memory_bytes, number)) / MIB:.1f}" for number in range(5))
        return (
            f"{self.seconds:g} s: answers {dict(sorted(self.answers.items()))}, abuses {self.abuses}; memory by fifths {fifths} MiB; "
            f"descriptors {self.descriptors_before} before, {max(self.descriptors)} at most, {self.descriptors_after} after"
        )


def _fifth(samples: Sequence[int], number: int) -> Sequence[int]:
    size = max(len(samples) // 5, 1)
    return samples[number * size : (number + 1) * size] or samples[-1:]


async def _talk(place: House, weather: Weather, soaked: Soaked, random: Random) -> None:
    """Right requests, on connections that are kept for a while."""
    loop = asyncio.get_running_loop()
    while True:
        wire = await place.dial()
        for _ in range(random.randint(1, 20)):
            streams, asked_s = random.random() < 0.5, time.monotonic()
            try:
                await wire.send(post(chat_body(stream=streams, padding="y" * random.choice((0, 0, 1000, 100_000)))))
                answer = await wire.answer()
            except (OSError, asyncio.IncompleteReadError) as error:
                if loop.time() > weather.bad_until_s:
                    soaked.wrong.append(f"a connection broke: {error!r}")
                soaked.answers["cut"] += 1
                break
            verdict = _verdict(answer, streams=streams)
            soaked.answers[verdict] += 1
            if not weather.explains(verdict, asked_s):
                soaked.wrong.append(
                    f"{answer.status} {answer.body[:200]!r}; asked at {asked_s:.3f}, {weather.notes.told(answer)}"
                )
            await asyncio.sleep(random.random() * 0.02)
        wire.writer.close()


def _verdict(answer: Answer, *, streams: bool) -> str:
    """`right`, `refused` or `broken off` where an engine's fault explains it, `late` where only time does, or `wrong`, which nothing does."""
    if answer.status == 200 and _is_right(answer.body, streams=streams):
        return "right"
    if answer.status == 504:
        return "late"
    if answer.status in {502, 503}:
        return "refused"
    return "broken off" if answer.status == 200 and b'data: {"error"' in answer.body else "wrong"


def _is_right(body: bytes, *, streams: bool) -> bool:
    """All that the engine says, to its end."""
    if streams:
        return body.endswith(b"data: [DONE]\n\n") and body.count(b'"content"') == 5
    try:
        return bool(json.loads(body)["choices"][0]["message"]["content"] == "abcde")
    except (ValueError, KeyError):
        return False


async def _abuse(place: House, soaked: Soaked, random: Random) -> None:
    while True:
        await random.choice(ABUSES)(place)
        soaked.abuses += 1
        await asyncio.sleep(random.random() * 0.05)


async def _watch(place: Gateway, soaked: Soaked) -> None:
    while True:
        soaked.memory_bytes.append(place.memory_bytes)
        soaked.descriptors.append(place.descriptors)
        place.control.usage.clear()  # what is kept here slows the engines, which are in this process
        place.control.told.clear()
        await asyncio.sleep(SAMPLE_S)


async def _new_tables(place: House, ports: Sequence[int], random: Random) -> None:
    """Another table now and then: a service more, another order, a replica that is doubted."""
    version = 1
    while True:
        await asyncio.sleep(0.7)
        version += 1
        ups = [upstream(f"m-{number}", port, doubted=random.random() < 0.2) for number, port in enumerate(ports)]
        random.shuffle(ups)
        more = [route(f"s{random.randrange(50)}", waiting="soon")]
        place.control.push(table(version, route("m", *ups), *more))


async def _left_open(place: Gateway, before: int) -> int:
    """Descriptors once connections to engines that idle are closed, which takes a second."""
    for _ in range(100):
        if place.descriptors <= before:
            break
        await asyncio.sleep(0.1)
    return place.descriptors


async def soak(seconds: float, seed: int, files: TlsFiles | None = None) -> Soaked:
    """All of it, through TLS where there are `files`; what it saw."""
    random, soaked = Random(seed), Soaked(seconds)
    given = () if files is None else ("--tls-cert", str(files.certificate), "--tls-key", str(files.key))
    async with Engine() as one, Engine() as two, Engine() as three:
        engines = (one, two, three)
        ports = [engine.port for engine in engines]
        first = table(1, route("m", *(upstream(f"m-{number}", port) for number, port in enumerate(ports))))
        async with gateway(first, *given, settings=_SETTINGS) as place:
            place.trust = None if files is None else trusting(files)
            soaked.descriptors_before = place.descriptors
            weather = Weather(engines, Random(random.random()))
            jobs = [_talk(place, weather, soaked, Random(random.random())) for _ in range(12)]
            jobs += [_abuse(place, soaked, Random(random.random())) for _ in range(4)]
            jobs += [
                weather.blow(),
                weather.pulse.beat(),
                _watch(place, soaked),
                _new_tables(place, ports, Random(random.random())),
            ]
            tasks = [asyncio.create_task(job) for job in jobs]
            done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            for task in tasks:
                task.cancel()
            soaked.wrong += [repr(task.exception()) for task in done if task.exception()]
            await asyncio.gather(*tasks, return_exceptions=True)
            place.hang_up()
            await place.alone()
            await place.at_rest()
            soaked.descriptors_after = await _left_open(place, soaked.descriptors_before)
    return soaked


def main() -> int:
    """The exit code: 0 where the rule held."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tls", action="store_true", help="through TLS")
    given = parser.parse_args()
    found: list[Soaked] = []

    async def whole() -> None:
        with TemporaryDirectory() as folder:
            files = certificate(Path(folder) / "tls") if given.tls else None
            found.append(await soak(given.seconds, given.seed, files))

    run(whole())
    (soaked,) = found
    faults = soaked.faults()
    sys.stdout.write("\n".join([soaked.told(), *(faults or ["the rule held"])]) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
