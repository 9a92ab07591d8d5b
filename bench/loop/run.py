"""`python -m bench.loop.run`: what the live loop costs on a fleet of 200 nodes, 1,600 devices and 100 services, in CPU and memory.

The real loop, planning and SQLite store; agents and a gateway are simulated, and what they cost is not counted. CPU is
that of the whole process, so that the thread which solves is counted too.
"""

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from alliage.app.control import PLAN_WALL_S
from alliage.catalog.loader import load_catalog
from alliage.control.loop import ControlLoop, LoopSettings
from alliage.control.planning import Planning
from alliage.control.ports import Changes
from alliage.control.reconcile import Pass
from alliage.decide.price.listed import listed_prices
from alliage.decide.solve.answer import Budget
from alliage.decide.solve.answer import Plan as Solved
from alliage.fleet.ids import NodeId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.services import Service
from alliage.store.sql import SqlStore, open_store
from bench.loop.edges import Agents, Door, VirtualClock
from bench.loop.fleet import Size, a_fleet, the_services

PRICES: Final = {
    "nvidia-h20": 1.2,
    "nvidia-h100-sxm": 2.5,
    "huawei-910b": 1.0,
    "thead-ppu-810e": 0.9,
    "metax-c500": 0.8,
    "amd-mi300x": 2.0,
}
REST_CPU_S: Final = 1.0
DEATH_CPU_S: Final = 3.0
PASS_CPU_S: Final = 1.0
"""What one pass may block the event loop: agents, gateways and the admin API wait for it."""
MEMORY_MB: Final = 500.0
LATE_S: Final = 2.0
TIMER_S: Final = 0.01
SETTLING: Final = 12
"""Passes, half a minute apart, in which what was just started is watched and learned from."""


@dataclass(slots=True)
class Sums:
    """What was used until something is as it should be."""

    cpu_s: float = 0.0
    """Of all passes and solves."""
    solve_cpu_s: float = 0.0
    """Of it, while a solve went on beside the loop."""
    pass_s_max: float = 0.0
    passes: int = 0
    clock_s: float = 0.0
    late_s: float = 0.0
    """The latest that a timer of the loop fired while a solve went on."""


@dataclass(slots=True)
class Bench:
    """The parts, and the passes so far."""

    store: SqlStore
    clock: VirtualClock
    agents: Agents
    door: Door
    loop: ControlLoop
    woken: asyncio.Event
    cpu_s: list[float] = field(default_factory=list)

    def tick(self, seconds: float) -> None:
        """Time moves and everybody reports; not counted."""
        self.clock.t_s += seconds
        self.agents.tick()
        self.door.tick()

    def pass_once(self) -> Pass | None:
        """One pass, its CPU kept: that of the event loop's own thread, since a solve that it starts goes on beside it."""
        before_s = time.thread_time()
        done = self.loop.pass_once()
        self.cpu_s.append(time.thread_time() - before_s)
        return done

    async def until_rested(self, *, step_s: float, at_least: int = 1, at_most: int = 200) -> Sums:
        """Passes until one aims at what it is, lacks nothing, changes nothing and solves nothing, or there were `at_most`."""
        sums, began_s = Sums(), self.clock.t_s
        quiet = 0
        while sums.passes < at_most and (quiet < 2 or sums.passes < at_least):
            before_s = time.process_time()
            solves = self.loop.planning.solves
            self.woken.clear()
            done = self.pass_once()
            sums.passes += 1
            sums.pass_s_max = max(sums.pass_s_max, self.cpu_s[-1])
            is_solving = self.loop.planning.is_solving
            if is_solving:
                await self._solved(sums)
            used_s = time.process_time() - before_s
            sums.cpu_s += used_s
            sums.solve_cpu_s += used_s - self.cpu_s[-1] if is_solving else 0.0
            is_quiet = done is not None and done.changes == Changes() and self.loop.planning.solves == solves
            quiet = quiet + 1 if is_quiet and not self.woken.is_set() else 0
            self.tick(0.0 if self.woken.is_set() else step_s)
        sums.clock_s = self.clock.t_s - began_s
        return sums

    async def _solved(self, sums: Sums) -> None:
        """The solve that goes on has ended; meanwhile a timer fires again and again."""
        while self.loop.planning.is_solving:
            asked_s = time.monotonic()
            await asyncio.sleep(TIMER_S)
            sums.late_s = max(sums.late_s, time.monotonic() - asked_s - TIMER_S)


def a_bench(folder: Path, size: Size, seed: int) -> Bench:
    """Nodes and services are there; nothing runs yet."""
    catalog, clock = load_catalog(), VirtualClock()
    nodes = a_fleet(catalog, size, seed)
    services = the_services(nodes, catalog, size, seed, now_s=clock.now_s())
    store = open_store(folder / "alliage.db")
    agents = Agents(clock, {node.id: node for node in nodes})
    door = Door(clock, agents, catalog, {each.name: each for each in services}, clock.t_s)
    woken = asyncio.Event()
    prices = listed_prices(catalog, PRICES)
    planning = Planning(
        catalog,
        lambda: prices,
        budget=Budget(wall_s=PLAN_WALL_S),
        beside=True,
        woken=woken.set,
        monotonic_s=clock.monotonic_s,
    )
    ids = iter(range(1 << 24))
    loop = ControlLoop(
        store=store,
        runtime=agents,
        doors=door,
        catalog=catalog,
        clock=clock,
        new_id=lambda: f"{next(ids):06x}",
        settings=LoopSettings(),
        woken=woken,
        planning=planning,
    )
    return Bench(store=store, clock=clock, agents=agents, door=door, loop=loop, woken=woken)


def deploy(bench: Bench, services: tuple[Service, ...]) -> None:
    """All at once."""
    bench.store.commit(bench.store.snapshot().version, Changes(services=services))


async def measure(bench: Bench, passes: int) -> None:
    """Nothing to everything, rest, a node's death."""
    bench.tick(0.0)
    await bench.until_rested(step_s=1.0)
    deploy(bench, tuple(bench.door.services.values()))
    first = await bench.until_rested(step_s=1.0)
    _print_fleet(bench)
    _print_sums("first plan", first)
    settled = await bench.until_rested(step_s=30.0, at_least=SETTLING, at_most=SETTLING)
    _print_sums("settled", settled)
    solves = bench.loop.planning.solves
    rest = []
    for _ in range(passes):
        bench.tick(1.0)
        bench.pass_once()
        rest.append(bench.cpu_s[-1])
    print(f"  solves at rest {bench.loop.planning.solves - solves}")
    victim = _busiest(bench)
    bench.agents.kill(victim)
    bench.tick(1.0)
    death = await bench.until_rested(step_s=1.0, at_least=8, at_most=40)
    _print_sums(f"death of {victim}", death)
    late_s = max(each.late_s for each in (first, settled, death))
    _print_table(rest, death, max(bench.cpu_s), late_s)


def _busiest(bench: Bench) -> NodeId:
    """The node with the most replicas."""
    return max(bench.agents.engines, key=lambda node: (len(bench.agents.engines[node]), node))


def _print_fleet(bench: Bench) -> None:
    view = bench.store.snapshot()
    devices = sum(len(node.devices) for node in view.nodes)
    used = sum(len(each.bindings) for each in view.replicas)
    ready = sum(1 for each in view.replicas if each.phase is ReplicaPhase.READY)
    aims = bench.loop.planning.aims
    solved = aims.plan if aims is not None else None
    short = len(aims.short) if aims is not None else 0
    print(f"{len(view.nodes)} nodes, {devices} devices, {len(view.services)} services")
    print(f"  {len(view.replicas)} replicas, {ready} ready, {used / devices:.0%} of the devices used")
    if isinstance(solved, Solved):
        print(f"  plan: {solved.status}, gap {solved.gap:.2%}, {short} services short")


def _print_sums(what: str, sums: Sums) -> None:
    print(
        f"  {what}: {sums.cpu_s:.2f} s CPU, of it solving {sums.solve_cpu_s:.2f} s; {sums.passes} passes,"
        f" the longest {sums.pass_s_max:.3f} s; {sums.clock_s:.0f} s by the clock; timer late {sums.late_s:.3f} s"
    )


def _print_table(rest: list[float], death: Sums, longest_s: float, late_s: float) -> None:
    median_s = statistics.median(rest)
    print("                                      seen     goal  seen/goal")
    for what, seen, goal, unit in (
        ("a pass at rest, median", median_s, REST_CPU_S, "s CPU"),
        ("a pass at rest, worst", max(rest), REST_CPU_S, "s CPU"),
        ("the longest pass after a death", death.pass_s_max, DEATH_CPU_S, "s CPU"),
        ("the longest pass of all", longest_s, PASS_CPU_S, "s CPU"),
        ("memory (PSS) now", _pss_mb(), MEMORY_MB, "MB"),
        ("memory (RSS) at its peak", _peak_mb(), MEMORY_MB, "MB"),
        ("a timer beside a solve, late", late_s, LATE_S, "s"),
    ):
        print(f"  {what:32} {seen:8.3f} {goal:8.1f} {seen / goal:10.3f}  {unit}")


def _pss_mb() -> float:
    """What is this process's own, and its part of what it shares; Linux tells it."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--seed", type=int, default=1)
    told.add_argument("--nodes", type=float, default=1.0, help="part of the 200 nodes")
    told.add_argument("--services", type=int, default=100)
    told.add_argument("--passes", type=int, default=50)
    told.add_argument("--asked", type=float, default=0.8, help="part of the devices that the services ask for")
    asked = told.parse_args()
    size = Size(nodes=asked.nodes, services=asked.services, asked=asked.asked)
    with tempfile.TemporaryDirectory() as folder:
        print(f"seed {asked.seed}", flush=True)
        asyncio.run(_run(Path(folder), size, asked.seed, asked.passes))


async def _run(folder: Path, size: Size, seed: int, passes: int) -> None:
    bench = a_bench(folder, size, seed)
    try:
        await measure(bench, passes)
    finally:
        bench.store.close()


if __name__ == "__main__":
    main()
