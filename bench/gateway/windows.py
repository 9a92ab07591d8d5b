"""One window of load on one proxy: the load generator is started, and the proxy's counters are read at its marks."""

import itertools
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from alliage.errors import Unavailable
from bench.gateway import measure, processes
from bench.gateway.control import Control
from bench.gateway.processes import Proxy
from bench.gateway.report import Beside, Lag, Sample
from bench.gateway.settings import Settings, Spans
from bench.gateway.tools import Cores

_LOAD_S: Final = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the load generator says at its end: units done in the window, errors, percentiles, MiB of bodies; lags by port."""

    done: int
    errors: int
    p50_us: float = 0.0
    p99_us: float = 0.0
    mib: float = 0.0
    ports: tuple[Lag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A proxy's memory at the marks of a crowd, and how many descriptors it may have."""

    descriptors_max: int
    ready_bytes: int
    idle_bytes: int
    open_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What stays the same through a run, and what was wrong so far."""

    settings: Settings
    cores: Cores
    load: Path
    folder: Path
    control: Control
    upstream_port: int
    wrong: list[str] = field(default_factory=list)
    seeds: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """No texts are asked twice of one proxy in a run."""

    async def drive(self, proxy: Proxy, words: tuple[str, ...], seed: int, *, by_mib: bool = False) -> Sample:
        """One window; `words` are the load generator's, `{port}` among them, and the same seed asks the same texts."""
        log = self.folder / "load.log"
        async with self._loading(words, proxy, seed) as process:
            await processes.read_line(process, log, _LOAD_S)
            pids = measure.process_tree(proxy.pid)  # now, because nginx listens before it has a worker
            before = self._read(proxy, pids)
            await processes.read_line(process, log, _LOAD_S)
            after = self._read(proxy, pids)
            loaded = msgspec.json.decode(await processes.read_line(process, log, _LOAD_S), type=Loaded)
            await process.wait()
        self._tell_errors(proxy.name, loaded)
        units = loaded.mib if by_mib else loaded.done
        return _sample(loaded, units, measure.spent(before, after), (after.at_ns - before.at_ns) / 1e9)

    def _loading(self, words: tuple[str, ...], proxy: Proxy | None, seed: int) -> AbstractAsyncContextManager[Process]:
        port = proxy.port if proxy else 0
        argv = (str(self.load), *(word.format(port=port) for word in words))
        keys = proxy.key if proxy and proxy.key else ",".join(self.control.secrets)
        environment = {"BENCH_KEYS": keys, "BENCH_SEED": str(seed)}
        return processes.running(*argv, core=self.cores.others, log=self.folder / "load.log", environment=environment)

    def _tell_errors(self, name: str, loaded: Loaded) -> None:
        if loaded.errors:
            first = (self.folder / "load.log").read_text(errors="replace")[:900].strip()
            print(f"{name}: {loaded.errors} errors, the first: {first}", file=sys.stderr)

    def _read(self, proxy: Proxy, pids: tuple[int, ...]) -> measure.Reading:
        try:
            return measure.read(pids, self.cores.proxy)
        except OSError as error:
            raise self._ended(proxy) from error

    def _ended(self, proxy: Proxy) -> Unavailable:
        words = processes.last_words(self.folder / f"{proxy.name}.log")
        return Unavailable(f"{proxy.name} ended under load", remedy=words)

    async def take_turns(self, proxies: tuple[Proxy, ...], spans: Spans, seed: int) -> tuple[dict[str, Lag], int]:
        """One connection to the engine and one to each proxy, asked in turns; lags by name, and errors."""
        log = self.folder / "load.log"
        ports = (self.upstream_port, *(proxy.port for proxy in proxies))
        words = ("latency", *map(str, ports), str(spans.warm_s), str(spans.window_s))
        async with self._loading(words, None, seed) as process:
            for _ in ("open", "close"):
                await processes.read_line(process, log, _LOAD_S)
            loaded = msgspec.json.decode(await processes.read_line(process, log, _LOAD_S), type=Loaded)
            await process.wait()
        self._tell_errors("latency", loaded)
        names = ("engine", *(proxy.name for proxy in proxies))
        return dict(zip(names, loaded.ports, strict=True)), loaded.errors + (loaded.done == 0)

    async def crowd(self, proxy: Proxy) -> Beside:
        """Others' answers while the proxy is theirs alone, then beside a crowd."""
        crowd = self.settings.crowd
        alone, _ = await self._crowd(proxy, 0, 0, next(self.seeds))
        loaded, held = await self._crowd(proxy, crowd.idle, crowd.streams, next(self.seeds))
        return Beside(
            descriptors_max=held.descriptors_max,
            start_bytes=held.ready_bytes,
            idle_bytes=held.idle_bytes,
            crowd_bytes=held.open_bytes,
            alone_p99_us=alone.p99_us,
            crowd_p99_us=loaded.p99_us,
            alone_p50_us=alone.p50_us,
            crowd_p50_us=loaded.p50_us,
            errors=alone.errors + loaded.errors + (alone.done == 0) + (loaded.done == 0),
        )

    async def _crowd(self, proxy: Proxy, idle: int, streams: int, seed: int) -> tuple[Loaded, Held]:
        crowd, spans, log = self.settings.crowd, self.settings.crowd_spans, self.folder / "load.log"
        pace = (str(crowd.interval_us), str(crowd.others_per_s), str(spans.warm_s), str(spans.window_s))
        async with self._loading(("crowd", "{port}", str(idle), str(streams), *pace), proxy, seed) as process:
            held = []
            for _ in ("ready", "idle", "open"):
                await processes.read_line(process, log, _LOAD_S)
                held.append(self._memory(proxy))
            await processes.read_line(process, log, _LOAD_S)
            loaded = msgspec.json.decode(await processes.read_line(process, log, _LOAD_S), type=Loaded)
            await process.wait()
        self._tell_errors(proxy.name, loaded)
        most = min(measure.descriptors_max(pid) for pid in measure.process_tree(proxy.pid))
        return loaded, Held(descriptors_max=most, ready_bytes=held[0], idle_bytes=held[1], open_bytes=held[2])

    def _memory(self, proxy: Proxy) -> int:
        try:
            return measure.memory_bytes(measure.process_tree(proxy.pid))
        except OSError as error:
            raise self._ended(proxy) from error


def _sample(loaded: Loaded, units: float, spent: measure.Spent, window_s: float) -> Sample:
    return Sample(
        cpu_us=spent.cpu_ns / 1e3 / (units or 1),
        per_s=units / window_s,
        p50_us=loaded.p50_us,
        p99_us=loaded.p99_us,
        core_busy=spent.core_busy,
        foreign=spent.foreign,
        errors=loaded.errors + (loaded.done == 0),
    )
