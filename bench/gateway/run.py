"""`python -m bench.gateway.run`: the gateway's CPU time a request and a token against nginx's (see bench/README.md)."""

import argparse
import asyncio
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from alliage.errors import AlliageError, Unavailable
from bench.gateway import measure, processes, tools
from bench.gateway.control import Control, standing_in
from bench.gateway.processes import Proxy
from bench.gateway.report import Pair, Pass, Report, Result, Sample, render, summarise
from bench.gateway.settings import FULL, SHORT, Settings
from bench.gateway.tools import Cores, Interpreter

INVALID, UNABLE, NOISY = 1, 2, 3
"""Exit statuses: an answer was wrong; the benchmark cannot run here; no clean pair was had."""
_LOAD_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """What the load generator says at its end: units done in the window, errors, percentiles."""

    done: int
    errors: int
    p50_us: int
    p99_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What stays the same through a run."""

    settings: Settings
    cores: Cores
    load: Path
    folder: Path
    control: Control

    async def drive(self, proxy: Proxy, *words: str) -> Sample:
        """One window of load on `proxy`; `words` are the load generator's, `{port}` among them."""
        log = self.folder / "load.log"
        argv = (str(self.load), *(word.format(port=proxy.port) for word in words))
        environment = {"BENCH_KEY": self.control.secret}
        async with processes.running(*argv, core=self.cores.others, log=log, environment=environment) as process:
            await processes.read_line(process, log, _LOAD_S)
            pids = measure.process_tree(proxy.pid)  # now, because nginx listens before it has a worker
            before = self.read(proxy, pids)
            await processes.read_line(process, log, _LOAD_S)
            after = self.read(proxy, pids)
            loaded = msgspec.json.decode(await processes.read_line(process, log, _LOAD_S), type=_Loaded)
            await process.wait()
        if loaded.errors:
            print(f"{proxy.name}: {loaded.errors} errors, the first: {log.read_text()[:500].strip()}", file=sys.stderr)
        return _sample(loaded, measure.spent(before, after), (after.at_ns - before.at_ns) / 1e9)

    def read(self, proxy: Proxy, pids: tuple[int, ...]) -> measure.Reading:
        """The counters of the proxy's processes now; raises Unavailable when one has ended."""
        try:
            return measure.read(pids, self.cores.proxy)
        except OSError as error:
            words = processes.last_words(self.folder / f"{proxy.name}.log")
            raise Unavailable(f"{proxy.name} ended under load", remedy=words) from error

    async def drive_requests(self, proxy: Proxy) -> Sample:
        """A window of requests in a closed loop."""
        s = self.settings
        return await self.drive(
            proxy, "requests", "{port}", str(s.connections), str(s.request_warm_s), str(s.request_window_s)
        )

    async def drive_streams(self, proxy: Proxy) -> Sample:
        """A window in which all streams run."""
        s = self.settings
        spans = (str(s.interval_us), str(s.stream_warm_s), str(s.stream_window_s))
        return await self.drive(proxy, "streams", "{port}", str(s.streams), *spans)


def _sample(loaded: _Loaded, spent: measure.Spent, window_s: float) -> Sample:
    return Sample(
        cpu_us=spent.cpu_ns / 1e3 / max(loaded.done, 1),
        per_s=loaded.done / window_s,
        p50_us=loaded.p50_us,
        p99_us=loaded.p99_us,
        core_busy=spent.core_busy,
        foreign=spent.foreign,
        errors=loaded.errors + (loaded.done == 0),
    )


async def _pair_up(
    drive: Callable[[Proxy], Awaitable[Sample]], nginx: Proxy, gateway: Proxy, pairs: list[Pair], kind: str
) -> None:
    pair = Pair(nginx=await drive(nginx), gateway=await drive(gateway))
    pairs.append(pair)
    print(
        f"{kind}: nginx {pair.nginx.cpu_us:.1f} us, gateway {pair.gateway.cpu_us:.1f} us,"
        f" ratio {pair.ratio:.2f}, foreign {pair.foreign:.0%}",
        file=sys.stderr,
    )


async def _measure_pass(bench: Bench, nginx: Proxy, python: Interpreter) -> Pass:
    settings = bench.settings
    requests: list[Pair] = []
    tokens: list[Pair] = []

    def wanted(pairs: list[Pair]) -> bool:
        if any(pair.errors for pair in (*requests, *tokens)):
            return False  # the run is invalid already
        clean = sum(pair.foreign <= settings.foreign_max for pair in pairs)
        return clean < settings.rounds and len(pairs) < settings.tries

    def summary(pairs: list[Pair]) -> Result:
        return summarise(pairs, settings.foreign_max)

    print(f"gateway under {python.path} {python.version.split()[0]}", file=sys.stderr)
    async with processes.gateway(
        python.path, control=bench.control, core=bench.cores.proxy, folder=bench.folder
    ) as gateway:
        while wanted(requests) or wanted(tokens):
            if wanted(requests):
                await _pair_up(bench.drive_requests, nginx, gateway, requests, "request")
            if wanted(tokens):
                await _pair_up(bench.drive_streams, nginx, gateway, tokens, "token")
    return Pass(python=python, requests=summary(requests), tokens=summary(tokens))


async def measure_all(settings: Settings, pythons: tuple[Interpreter, ...]) -> Report:
    """Start everything, measure one pass an interpreter, end everything; raises Unavailable when a part fails."""
    program, cores = tools.find_program("nginx"), tools.pick_cores()
    load, engine = tools.build("load"), tools.build("upstream")
    os.sched_setaffinity(0, {cores.others})
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alliage-bench-")))
        port = await stack.enter_async_context(
            processes.upstream(engine, interval_us=settings.interval_us, core=cores.others, folder=folder)
        )
        control = await stack.enter_async_context(standing_in(folder / "control.sock", port))
        nginx = await stack.enter_async_context(
            processes.nginx(program, upstream_port=port, core=cores.proxy, folder=folder)
        )
        bench = Bench(settings=settings, cores=cores, load=load, folder=folder, control=control)
        passes = tuple([await _measure_pass(bench, nginx, python) for python in pythons])
    return Report(
        date=time.strftime("%Y-%m-%d %H:%M %Z"),
        valid=not any(one.requests.errors or one.tokens.errors for one in passes),
        processor=_processor(),
        kernel=platform.release(),
        nginx=tools.ask_nginx_version(program),
        settings=settings,
        passes=passes,
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


async def _until_told(work: Awaitable[Report]) -> Report:
    """SIGTERM ends the run as Ctrl-C does: every process that was started is ended."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-gateway", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument(
        "--short", action="store_true", help="a few seconds, to see that it runs; its figures mean nothing"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help=f"clean pairs of each kind (default {FULL.rounds})")
    parser.add_argument("--python", metavar="PATH", help="the interpreter that runs the gateway")
    return parser.parse_args()


def main() -> int:
    """Run, print the report, give the exit status."""
    arguments = _parse()
    settings = SHORT if arguments.short else FULL
    if arguments.rounds is not None:
        rounds = max(arguments.rounds, 1)
        settings = replace(settings, rounds=rounds, tries=rounds * FULL.tries // FULL.rounds)
    try:
        if missing := tools.find_missing():
            raise Unavailable("the gateway's benchmark cannot run here", remedy=missing)
        pythons = tools.choose_interpreters(arguments.python)
        report = asyncio.run(_until_told(measure_all(settings, pythons[:1] if arguments.short else pythons)))
    except AlliageError as error:
        print(error, file=sys.stderr)
        return UNABLE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 128 + signal.SIGINT
    print(msgspec.json.format(msgspec.json.encode(report)).decode() if arguments.json else render(report))
    if not report.valid:
        return INVALID
    return NOISY if any(one.requests.ratio is None or one.tokens.ratio is None for one in report.passes) else 0


if __name__ == "__main__":
    sys.exit(main())
