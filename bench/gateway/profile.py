"""Where the gateway's CPU goes by function: one window of requests on a gateway that runs under cProfile."""

import io
import pstats
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from bench.gateway import processes
from bench.gateway.settings import Settings
from bench.gateway.windows import Bench

_SHOWN = 45


async def profile(
    settings: Settings, python: str, open_bench: Callable[[Settings, AsyncExitStack], Awaitable[Bench]]
) -> str:
    """The functions with the most time of their own. Shares mean something, times do not: the profiler costs more than they."""
    async with AsyncExitStack() as stack:
        bench = await open_bench(settings, stack)
        out = bench.folder / "gateway.prof"
        ours = processes.gateway(
            python, control=bench.control, core=bench.cores.proxy, folder=bench.folder, profile=out
        )
        async with ours as proxy:
            spans = settings.request
            words = ("requests", "{port}", str(settings.connections), "0", str(spans.warm_s), str(spans.window_s))
            await bench.drive(proxy, words, 1)
        text = io.StringIO()
        pstats.Stats(str(out), stream=text).sort_stats("tottime").print_stats(_SHOWN)
    return text.getvalue()
