"""The parts of the table: which proxies take turns under which load, and until when."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from alliage.errors import Unavailable
from bench.gateway import measure, processes, rivals
from bench.gateway.processes import Proxy
from bench.gateway.report import (
    COUNTED,
    Beside,
    Idle,
    Lag,
    Latency,
    Round,
    Turns,
    clean_rounds,
    count_errors,
    summarise,
    summarise_latency,
)
from bench.gateway.settings import GAP_GOAL_MS, KIB, REQUEST_GOAL, TOKEN_GOAL, Spans
from bench.gateway.windows import Bench

_SPARE_FILES: Final = 512


@asynccontextmanager
async def standing(bench: Bench, python: str, *starts: rivals.Start) -> AsyncIterator[tuple[Proxy, ...]]:
    """nginx, our gateway and others, each ready, all on the proxies' core."""
    core, folder = bench.cores.proxy, bench.folder
    async with AsyncExitStack() as stack:
        proxies = []
        for start in (rivals.nginx, *starts):
            starting = start(upstream_port=bench.upstream_port, core=core, folder=folder)
            proxies.append(await stack.enter_async_context(starting))
        ours = processes.gateway(python, control=bench.control, core=core, folder=folder)
        proxies.insert(1, await stack.enter_async_context(ours))
        yield tuple(proxies)


def _words(mode: str, count: int, what: int, spans: Spans) -> tuple[str, ...]:
    return (mode, "{port}", str(count), str(what), str(spans.warm_s), str(spans.window_s))


async def _rounds(
    bench: Bench, proxies: Sequence[Proxy], words: tuple[str, ...], *, wanted: int, kind: str, by_mib: bool = False
) -> list[Round]:
    """Rounds until ours has as many clean ones as are wanted; a rival that answers wrongly is left out from then on."""
    settings, rounds, left = bench.settings, list[Round](), list(proxies)
    while len(rounds) < wanted * settings.tries and not bench.wrong:
        if len(clean_rounds(rounds, settings.foreign_max, *COUNTED)) >= wanted:
            break
        seed = next(bench.seeds)
        rounds.append({proxy.name: await bench.drive(proxy, words, seed, by_mib=by_mib) for proxy in left})
        _tell(kind, rounds[-1])
        left = [proxy for proxy in left if proxy.name in COUNTED or not rounds[-1][proxy.name].errors]
        bench.wrong.extend(f"{kind}: {name}" for name in COUNTED if count_errors(rounds, name))
    return rounds


def _tell(kind: str, one: Round) -> None:
    words = (
        f"{name} {'wrong answers' if sample.errors else f'{sample.cpu_us:.1f} us'} ({sample.foreign:.0%} foreign)"
        for name, sample in one.items()
    )
    print(f"{kind}: {', '.join(words)}", file=sys.stderr)


async def measure_requests(bench: Bench, proxies: Sequence[Proxy], wanted: int) -> Turns:
    """Chat completions in a closed loop."""
    s = bench.settings
    rounds = await _rounds(
        bench, proxies, _words("requests", s.connections, 0, s.request), wanted=wanted, kind="request"
    )
    title = f"{s.connections} connections, each asks again as soon as it was answered"
    return summarise(title, "request", rounds, s.foreign_max, goal=REQUEST_GOAL)


async def measure_streams(bench: Bench, proxies: Sequence[Proxy], count: int, wanted: int) -> Turns:
    """Streams of one pace; as many as one core is to hold are judged by their gap, others by their CPU."""
    s = bench.settings
    words = _words("streams", count, s.interval_us, s.stream)
    rounds = await _rounds(bench, proxies, words, wanted=wanted, kind=f"token of {count} streams")
    many = count == s.many_streams
    return summarise(
        f"{count} streams of {1e6 / s.interval_us:g} tokens/s",
        "token",
        rounds,
        s.foreign_max,
        goal=None if many else TOKEN_GOAL,
        gap_goal_ms=GAP_GOAL_MS if many else None,
    )


async def measure_latency(bench: Bench, ours: Sequence[Proxy], every: Sequence[Proxy]) -> Latency:
    """One connection each, asked in turns; nginx and ours alone where a rival answers wrongly."""
    latency = await _take_turns(bench, every)
    if latency.errors and len(every) > len(ours):
        latency = await _take_turns(bench, ours)
    if latency.errors:
        bench.wrong.append("latency")
    return latency


async def _take_turns(bench: Bench, proxies: Sequence[Proxy]) -> Latency:
    rounds, errors = list[dict[str, Lag]](), 0
    while len(rounds) < bench.settings.rounds and not errors:
        lags, errors = await bench.take_turns(tuple(proxies), bench.settings.latency, next(bench.seeds))
        rounds.append(lags)
        print("latency:", ", ".join(f"{k} +{v.added_p50_us:.0f} us" for k, v in lags.items()), file=sys.stderr)
    return summarise_latency(rounds, errors)


async def measure_litellm(bench: Bench, proxies: Sequence[Proxy]) -> tuple[Turns, ...]:
    """Requests and a few streams, because it cannot hold many."""
    s = bench.settings
    words = _words("requests", s.connections, 0, s.litellm)
    rounds = await _rounds(bench, proxies, words, wanted=s.few, kind="request beside LiteLLM")
    title = f"LiteLLM: {s.connections} connections, each asks again as soon as it was answered"
    asked = summarise(title, "request", rounds, s.foreign_max)
    words = _words("streams", s.litellm_streams, s.interval_us, s.stream)
    rounds = await _rounds(bench, proxies, words, wanted=max(s.few - 1, 1), kind="token beside LiteLLM")
    title = f"LiteLLM: {s.litellm_streams} streams of {1e6 / s.interval_us:g} tokens/s"
    return asked, summarise(title, "token", rounds, s.foreign_max)


async def measure_prompts(bench: Bench, proxies: Sequence[Proxy]) -> tuple[Turns, ...]:
    """Large prompts: what a MiB of them costs."""
    s, found = bench.settings, []
    for size in s.prompts_bytes:
        words = _words("requests", s.prompt_connections, size, s.prompt)
        kind = f"MiB in prompts of {size // KIB} KiB"
        rounds = await _rounds(bench, proxies, words, wanted=s.few, kind=kind, by_mib=True)
        title = f"prompts of {size // KIB} KiB, {s.prompt_connections} connections"
        found.append(summarise(title, "MiB", rounds, s.foreign_max))
    return tuple(found)


async def measure_idle(bench: Bench, python: str) -> Idle:
    """A crowd on new processes, so that what it holds is not what an earlier one left."""
    s = bench.settings
    crowd = Idle(idle=s.crowd.idle, streams=s.crowd.streams)
    needed = crowd.idle + 2 * crowd.streams + _SPARE_FILES
    if (most := measure.own_descriptors_max()) < needed:
        why = f"it needs {needed} descriptors a process and gets {most}: raise the hard limit (ulimit -Hn {needed})"
        return Idle(idle=crowd.idle, streams=crowd.streams, skipped=why)
    rounds: list[dict[str, Beside]] = []
    for _ in range(max(s.few - 1, 1)):
        found: dict[str, Beside] = {}
        async with standing(bench, python) as proxies:
            for proxy in proxies:
                found[proxy.name] = await _crowd(bench, proxy)
        rounds.append(found)
        if bench.wrong:
            break
    return Idle(idle=crowd.idle, streams=crowd.streams, rounds=tuple(rounds))


async def _crowd(bench: Bench, proxy: Proxy) -> Beside:
    found = await bench.crowd(proxy)
    if found.errors and proxy.name in COUNTED:
        bench.wrong.append(f"crowd: {proxy.name}")
    print(
        f"crowd on {proxy.name}: p99 of others {found.alone_p99_us / 1e3:.2f} ms alone,"
        f" {found.crowd_p99_us / 1e3:.2f} ms beside it",
        file=sys.stderr,
    )
    return found


async def started(bench: Bench, rival: rivals.Rival, stack: AsyncExitStack, missing: list[str]) -> Proxy | None:
    """A rival that is ready; None, with the reason in `missing`, where it is not installed or does not start."""
    if rival.start is None:
        missing.append(f"{rival.name}: not installed ({rival.way})")
        return None
    start = rival.start(upstream_port=bench.upstream_port, core=bench.cores.proxy, folder=bench.folder)
    try:
        return await stack.enter_async_context(start)
    except Unavailable as error:
        missing.append(f"{rival.name}: did not start: {str(error)[:300]}")
        return None
