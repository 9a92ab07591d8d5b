"""`python -m bench.gateway`: what the gateway costs beside nginx and others (see bench/README.md)."""

import argparse
import asyncio
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from alliage.errors import AlliageError, BadInput, Unavailable
from bench.gateway import measure, processes, profile, rivals, sections, tools
from bench.gateway.control import standing_in
from bench.gateway.report import GATEWAY, Idle, Latency, Report, Turns
from bench.gateway.settings import ANY_FOREIGN, FULL, SECTIONS, SHORT, Settings
from bench.gateway.table import render
from bench.gateway.tools import Interpreter
from bench.gateway.windows import Bench

INVALID, UNABLE, NOISY = 1, 2, 3
"""Exit statuses: an answer was wrong; the benchmark cannot run here; no clean round was had."""


@dataclass(slots=True, kw_only=True)
class Found:
    """What was measured so far."""

    turns: list[Turns] = field(default_factory=list)
    latency: Latency | None = None
    idle: Idle | None = None
    missing: list[str] = field(default_factory=list)


async def _measure_beside(bench: Bench, python: str, wanted: frozenset[str], found: Found) -> None:
    """All that nginx, ours and the light rivals do on processes that stay."""
    s = bench.settings
    async with AsyncExitStack() as stack:
        standing = await stack.enter_async_context(sections.standing(bench, python))
        others = [
            await sections.started(bench, one, stack, found.missing)
            for one in rivals.find_rivals()
            if one.name != rivals.LITELLM and wanted & {"requests", "latency"}
        ]
        every = (*standing, *(one for one in others if one))
        if "requests" in wanted:
            found.turns.append(await sections.measure_requests(bench, every, s.rounds))
        if "streams" in wanted and not bench.wrong:
            found.turns.append(await sections.measure_streams(bench, standing, s.streams, s.rounds))
        if "streams" in wanted and not bench.wrong:
            found.turns.append(await sections.measure_streams(bench, standing, s.many_streams, s.few))
        if "latency" in wanted and not bench.wrong:
            found.latency = await sections.measure_latency(bench, standing, every)
        if "prompts" in wanted and not bench.wrong:
            found.turns += await sections.measure_prompts(bench, standing)


async def _measure_litellm(bench: Bench, python: str, found: Found) -> None:
    (rival,) = (one for one in rivals.find_rivals() if one.name == rivals.LITELLM)
    async with AsyncExitStack() as stack:
        proxy = await sections.started(bench, rival, stack, found.missing)
        if proxy:
            standing = await stack.enter_async_context(sections.standing(bench, python))
            found.turns += await sections.measure_litellm(bench, (*standing, proxy))


async def _measure_other(bench: Bench, python: Interpreter, wanted: frozenset[str], found: Found) -> None:
    """The figures of the first two parts under another interpreter, fewer rounds."""
    s, name = bench.settings, f"gateway under {python.path}, Python {python.version.split()[0]}: "
    async with sections.standing(bench, python.path) as standing:
        if "requests" in wanted:
            seen = await sections.measure_requests(bench, standing, s.few)
            found.turns.append(replace(seen, title=name + seen.title, goal=None))
        if "streams" in wanted and not bench.wrong:
            seen = await sections.measure_streams(bench, standing, s.streams, s.few)
            found.turns.append(replace(seen, title=name + seen.title, goal=None))


async def _measure(bench: Bench, pythons: tuple[Interpreter, ...], wanted: frozenset[str], found: Found) -> None:
    first, *others = pythons
    if wanted & {"requests", "streams", "latency", "prompts"}:
        await _measure_beside(bench, first.path, wanted, found)
    if "litellm" in wanted and not bench.wrong:
        await _measure_litellm(bench, first.path, found)
    if "idle" in wanted and not bench.wrong:
        found.idle = await sections.measure_idle(bench, first.path)
    for python in others:
        if wanted & {"requests", "streams"} and not bench.wrong:
            await _measure_other(bench, python, wanted, found)


async def measure_all(settings: Settings, pythons: tuple[Interpreter, ...], wanted: frozenset[str]) -> Report:
    """Start everything, measure the wanted parts, end everything; raises Unavailable when a part fails."""
    began_s, found = time.monotonic(), Found()
    async with AsyncExitStack() as stack:
        bench = await open_bench(settings, stack)
        await _measure(bench, pythons, wanted, found)
        told = bench.control.told
    return Report(
        date=time.strftime("%Y-%m-%d %H:%M %Z"),
        valid=not bench.wrong,
        processor=_processor(),
        kernel=platform.release(),
        nginx=tools.ask_nginx_version(tools.find_program("nginx")),
        python=pythons[0],
        settings=settings,
        missing=tuple(found.missing),
        turns=() if bench.wrong else tuple(found.turns),
        latency=None if bench.wrong else found.latency,
        idle=None if bench.wrong else found.idle,
        tells_use=told.use,
        records=told.records,
        took_s=time.monotonic() - began_s,
        invalid=tuple(bench.wrong),
    )


async def open_bench(settings: Settings, stack: AsyncExitStack) -> Bench:
    """The engine, control's stand-in and a folder, open until the stack is."""
    cores = tools.pick_cores()
    load, engine = tools.build("load"), tools.build("upstream")
    os.sched_setaffinity(0, {cores.others})
    measure.raise_own_descriptors()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alliage-bench-")))
    port = await stack.enter_async_context(
        processes.upstream(engine, interval_us=settings.interval_us, core=cores.others, folder=folder)
    )
    control = await stack.enter_async_context(standing_in(folder / "control.sock", port))
    return Bench(settings=settings, cores=cores, load=load, folder=folder, control=control, upstream_port=port)


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
        "--short", action="store_true", help="under a minute, to see that it runs; its figures mean nothing"
    )
    parser.add_argument("--only", metavar="A,B", help=f"parts of the table, of {','.join(SECTIONS)} (default all)")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"clean rounds of each kind (default {FULL.rounds})")
    parser.add_argument("--noisy", action="store_true", help="keep rounds in which others used the proxies' core, too")
    parser.add_argument("--python", metavar="PATH", help="the interpreter that runs the gateway, and no other")
    parser.add_argument("--profile", action="store_true", help="where the gateway's CPU goes by function, nothing else")
    return parser.parse_args()


def _wanted(only: str | None) -> frozenset[str]:
    """The parts that were asked for; raises BadInput for one that there is not."""
    wanted = frozenset(only.split(",")) if only else frozenset(SECTIONS)
    if unknown := sorted(wanted - set(SECTIONS)):
        raise BadInput(f"--only names {', '.join(unknown)}", remedy=f"there are {', '.join(SECTIONS)}")
    return wanted


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = SHORT if arguments.short else FULL
    if arguments.rounds is not None:
        rounds = max(arguments.rounds, 1)
        settings = replace(settings, rounds=rounds, few=min(rounds, settings.few))
    if arguments.noisy:
        settings = replace(settings, foreign_max=ANY_FOREIGN)
    return settings


def _run(arguments: argparse.Namespace) -> Report | str:
    if missing := tools.find_missing():
        raise Unavailable("the gateway's benchmark cannot run here", remedy=missing)
    settings, wanted = _settings(arguments), _wanted(arguments.only)
    pythons = tools.choose_interpreters(arguments.python)
    if arguments.profile:
        return asyncio.run(profile.profile(settings, pythons[0].path, open_bench))
    if arguments.short or arguments.python:
        pythons = pythons[:1]
    return asyncio.run(_until_told(measure_all(settings, pythons, wanted)))


def main() -> int:
    """Run, print the report, give the exit status."""
    arguments = _parse()
    try:
        report = _run(arguments)
    except AlliageError as error:
        print(error, file=sys.stderr)
        return UNABLE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 128 + signal.SIGINT
    if isinstance(report, str):
        print(report)
        return 0
    print(msgspec.json.format(msgspec.json.encode(report)).decode() if arguments.json else render(report))
    if not report.valid:
        return INVALID
    ours = (column for turns in report.turns for column in turns.columns if column.name == GATEWAY)
    return NOISY if any(column.ratio is None for column in ours) else 0
