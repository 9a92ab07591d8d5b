"""`python -m bench.rehearsal.run`: do rehearsed engines keep the pace that they were asked for, and how late do their steps end?

N replicas in one process, each under a closed loop of C requests from this one. What clients see of times to the first
token and between tokens, against the same requests driven through the same batching by a virtual clock. A run in which
a step of the engines ended more than 5 ms late calls itself invalid.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvloop

from alliage.catalog.loader import load_catalog
from alliage.control.observed import EngineState
from alliage.fleet.ids import ReplicaId
from alliage.link.line import Line
from alliage.rehearsal.engines import EnginesLine, run_engines
from alliage.rehearsal.messages import FromEngines, Lag, Open, Told
from alliage.rehearsal.replica import LAG_S_MAX
from alliage.rehearsal.words import tokens_of
from alliage.speed.batching import Ask, Batching
from alliage.speed.figures import chip_figures, model_figures
from alliage.speed.pace import Pace, pace_of
from alliage.speed.predict import Running

LETTERS = 2000
KEY = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A closed loop: each of `places` sends `requests` of `tokens` answer tokens, one after the other."""

    places: int
    requests: int
    tokens: int


@dataclass
class Seen:
    """Seconds to the first token, and between tokens, of each request."""

    ttft_s: list[float] = field(default_factory=list)
    tpot_s: list[float] = field(default_factory=list)


@dataclass
class Engines:
    """The process of the engines as its agent hears it."""

    line: EnginesLine
    told: dict[str, Told] = field(default_factory=dict)
    late_s: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self) -> None:
        """Until it goes."""
        while (message := await self.line.receive()) is not None:
            if isinstance(message, Lag):
                self.late_s = max(self.late_s, message.late_s)
            else:
                self.told[message.replica] = message
            self.changed.set()

    async def open(self, name: str, pace: Pace) -> Told:
        """A replica that is ready."""
        self.line.send(
            Open(
                replica=ReplicaId(name), attempt=1, host="127.0.0.1", key=KEY, model="m", context_tokens=8192, pace=pace, slow=1.0
            )
        )  # fmt: skip
        while name not in self.told or self.told[name].state is not EngineState.READY:
            self.changed.clear()
            await self.changed.wait()
        return self.told[name]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.rehearsal.run", description=__doc__)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--requests", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=60)
    parser.add_argument("--chip", default="nvidia-h20")
    parser.add_argument("--model", default="qwen3-32b")
    given = parser.parse_args()
    load = Load(places=given.concurrency, requests=given.requests, tokens=given.tokens)
    pace = replace(_pace(given.model, given.chip), load_s=0.1)
    print(f"{given.model} on 2 x {given.chip}: {load.places} at once a replica, {load.tokens} tokens each")
    print(f"{'replicas':>8} {'tokens/s':>9} {'TTFT seen/asked':>16} {'TPOT seen/asked':>16} {'latest step':>12}")
    for count in given.replicas:
        print(uvloop.run(measure(count, load, pace)), flush=True)


async def measure(count: int, load: Load, pace: Pace) -> str:
    """One number of replicas, as a line of the table."""
    asked, seen = virtual(load, pace), Seen()
    loop = asyncio.get_running_loop()
    async with engines() as found:
        told = [await found.open(f"r{number}", pace) for number in range(count)]
        await asyncio.sleep(1.5)
        found.late_s = 0.0  # what they were late while they were opened does not count
        began_s = loop.time()
        await asyncio.gather(*(place(each, load, seen) for each in told for _ in range(load.places)))
        took_s = loop.time() - began_s
        await asyncio.sleep(1.1)  # how late they were is told each second
        late_s = found.late_s
    tps = count * load.places * load.requests * load.tokens / took_s
    ttft = statistics.median(seen.ttft_s) / statistics.median(asked.ttft_s)
    tpot = statistics.median(seen.tpot_s) / statistics.median(asked.tpot_s)
    verdict = "" if late_s <= LAG_S_MAX else "  invalid: the engines' loop was late"
    return f"{count:>8} {tps:>9.0f} {ttft:>16.3f} {tpot:>16.3f} {late_s * 1000:>9.1f} ms{verdict}"


def virtual(load: Load, pace: Pace) -> Seen:
    """What the pace asks for: the same closed loop by a virtual clock."""
    machine, seen = Batching(pace), Seen()
    names = iter(range(load.places * load.requests))
    began: dict[str, float] = {}
    firsts: dict[str, float] = {}

    def send(at_s: float) -> None:
        if (number := next(names, None)) is not None:
            began[str(number)] = at_s
            machine.submit(Ask(id=str(number), prompt_tokens=tokens_of("x" * LETTERS), output_tokens=load.tokens), at_s)

    for _ in range(load.places):
        send(0.0)
    while machine.due_s is not None:
        step = machine.finish_step()
        for key in step.first:
            firsts[key] = step.ended_s
            seen.ttft_s.append(step.ended_s - began[key])
        for key in step.done:
            seen.tpot_s.append((step.ended_s - firsts[key]) / (load.tokens - 1))
            send(step.ended_s)
    return seen


async def place(told: Told, load: Load, seen: Seen) -> None:
    """One of the closed loop. Prompts differ from their first letter on, so that no cache helps."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection(told.host, told.port)
    for number in range(load.requests):
        prompt = f"{id(writer)}-{number}-".ljust(LETTERS, "x")[: LETTERS - len("user: ")]
        asked = {
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": load.tokens,
            "ignore_eos": True,
            "stream": True,
        }
        body = json.dumps(asked).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        began_s = loop.time()
        writer.write(head.encode() + body)
        await reader.readuntil(b'"0:')
        first_s = loop.time()
        await reader.readuntil(b"0\r\n\r\n")
        seen.ttft_s.append(first_s - began_s)
        seen.tpot_s.append((loop.time() - first_s) / (load.tokens - 1))
    writer.close()


@asynccontextmanager
async def engines() -> AsyncIterator[Engines]:
    """A process of rehearsed engines, and the line to it."""
    with tempfile.TemporaryDirectory(prefix="al") as folder:
        path = Path(folder) / "engines.sock"
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(path,), daemon=True)
        process.start()
        while not path.exists():  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.02)
        reader, writer = await asyncio.open_unix_connection(str(path))
        line: EnginesLine = Line(reader, writer, FromEngines)
        found = Engines(line)
        hearing = asyncio.create_task(found.hear())
        try:
            yield found
        finally:
            line.close()
            await hearing
            process.terminate()
            process.join()


def _serve(path: Path) -> None:
    async def run() -> None:
        await run_engines(path, asyncio.Event())

    uvloop.run(run())


def _pace(model: str, chip: str) -> Pace:
    catalog = load_catalog()
    card = catalog.models[model]
    running = Running(
        chip=chip_figures(catalog.chips[chip]),
        model=model_figures(card.id, card.architecture),
        engine="vllm",
        precision=card.precision,
        devices=2,
    )
    found = pace_of(running)
    if not isinstance(found, Pace):
        raise SystemExit(f"the pace of {model} on {chip} is not known: {found}")
    return found


if __name__ == "__main__":
    main()
