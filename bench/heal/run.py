"""`python -m bench.heal.run`: a node with eight busy replicas dies under load, with real processes. How long until all is as before?

Each round is a cloud of its own: a rehearsed fleet, a service by objective, clients that stream at a steady rate. The
fullest node is killed; the round goes on until a while after its replicas' successors are ready.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from alliage.app.home import Home
from alliage.app.rehearsal import fleet_of
from alliage.rehearsal.faults import Ask, Calamity, ask_for_fault
from alliage.rehearsal.replica import LAG_S_MAX
from bench.heal.clients import Clients
from bench.heal.cloud import Cloud, a_cloud, until
from bench.heal.figures import Goal, Round, kept_again_s, median, share

FLEET: Final = Path(__file__).with_name("fleet.toml")
MODEL: Final = "qwen3-8b"
GOAL: Final = Goal(ttft_s=0.5, tpot_s=0.06)
HEAL_S: Final = 10.0
"""The goal, beside one model load."""
BUSY_LEAST: Final = 8
POLL_S: Final = 0.25


def main() -> int:
    """Run the rounds and print them; 0: the goals are met, 1: they are not, 3: no round was valid."""
    parser = argparse.ArgumentParser(prog="python -m bench.heal.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replicas", type=int, default=12)
    parser.add_argument("--rate", type=float, default=2.4, help="requests a second that are sent")
    parser.add_argument("--asked", type=float, default=2.4, help="requests a second that the service is asked for with")
    parser.add_argument("--tokens", type=int, default=256, help="of an answer")
    parser.add_argument("--before", type=float, default=20.0, help="seconds of load before the fault")
    parser.add_argument("--after", type=float, default=20.0, help="seconds of load after all are ready again")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cloud is ended too
    _say(given)
    rounds = []
    for number in range(given.rounds):
        done = asyncio.run(one_round(given))
        rounds.append(done)
        print(json.dumps(asdict(done)) if given.json else _line(number, done), flush=True)
    return _verdict(rounds)


async def one_round(given: argparse.Namespace) -> Round:
    """From nothing to the end of one death."""
    with a_cloud(FLEET) as cloud:
        nodes = len(fleet_of(Home(root=cloud.home), FLEET))
        until(lambda: len(cloud.admin.get("/v1/nodes").json()["nodes"]) > nodes, "the nodes")
        cloud.run("node", "cordon", "spare")
        objective = ("--ttft", f"{GOAL.ttft_s}s", "--tpot", f"{GOAL.tpot_s}s", "--rate", str(given.asked))
        cloud.run(
            "deploy", MODEL, *objective, "--min-replicas", str(given.replicas), "--max-replicas", "24", "--no-wait"
        )
        until(lambda: _ready(cloud) >= given.replicas, "all replicas")
        cloud.run("node", "uncordon", "spare")
        clients = Clients(cloud.host, cloud.port, cloud.key, MODEL, given.rate, given.tokens)
        stop = asyncio.Event()
        loading = asyncio.create_task(clients.run(stop))
        try:
            await asyncio.sleep(given.before)
            return await _dying(cloud, clients, loading, stop, given)
        finally:
            stop.set()
            await asyncio.wait([loading], timeout=5)


async def _dying(
    cloud: Cloud, clients: Clients, loading: asyncio.Task[None], stop: asyncio.Event, given: argparse.Namespace
) -> Round:
    before = await asyncio.to_thread(cloud.replicas)
    node, among = Counter(each["node"] for each in before).most_common(1)[0]
    there = [each for each in before if each["node"] == node]
    fault_s = time.monotonic()
    await ask_for_fault(Home(root=cloud.home).faults_socket, Ask(kind=Calamity.DIE, target=node, factor=1.0))
    seen = await _watch(cloud, {each["id"] for each in before}, node, fault_s)
    await asyncio.sleep(given.after)
    stop.set()
    await loading
    again_s = kept_again_s(clients.asked, GOAL, fault_s)
    return Round(
        replicas=len(before),
        busy=sum(1 for each in there if each["in_flight"]) if among else 0,
        requests=len(clients.asked),
        failures=tuple(one.failure for one in clients.asked if one.failure),
        continued=await asyncio.to_thread(cloud.continued),
        longest_gap_s=max(one.longest_gap_s for one in clients.asked),
        kept_before=share(clients.asked, GOAL, 0.0, fault_s - 5.0),
        kept_after=share(clients.asked, GOAL, fault_s + again_s + 1e-3, float("inf")),
        kept_again_s=again_s,
        late_s=cloud.late_s(),
        **seen,
    )


async def _watch(cloud: Cloud, known: set[str], node: str, fault_s: float) -> dict[str, float]:
    """When the replicas of the node were taken away, the first successor was placed, it was ready, and all that was placed was."""
    seen: dict[str, float] = {}
    while "ready_s" not in seen:
        await asyncio.sleep(POLL_S)
        found, at_s = await asyncio.to_thread(cloud.replicas), time.monotonic() - fault_s
        if at_s > 240:
            raise SystemExit(f"its replicas were not replaced within 240 s: {_told(found)}")
        coming = [each for each in found if each["id"] not in known]
        if any(each["node"] == node for each in found):
            continue
        seen.setdefault("lost_s", at_s)
        if not coming:
            continue
        seen.setdefault("placed_s", at_s)
        if any(each["phase"] == "ready" for each in coming):
            seen.setdefault("load_s", at_s - seen["placed_s"])
            if all(each["phase"] in {"ready", "draining", "stopping"} for each in found):
                seen["ready_s"] = at_s
    return seen


def _ready(cloud: Cloud) -> int:
    return sum(1 for each in cloud.replicas() if each["phase"] == "ready")


def _told(found: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{each['id']} on {each['node']} is {each['phase']} {each['note']}" for each in found)


def _say(given: argparse.Namespace) -> None:
    if given.json:
        return
    print(
        f"{MODEL}, TTFT {GOAL.ttft_s:g} s, TPOT {GOAL.tpot_s * 1000:g} ms; {given.rate:g} requests/s of about 1024 + "
        f"{given.tokens} tokens on {given.replicas} replicas"
    )
    print("round  busy  requests  failed  continued  pause  kept  lost  placed  ready  kept again  goal  ratio  late")


def _line(number: int, done: Round) -> str:
    goal_s = HEAL_S + done.load_s
    return (
        f"{number + 1:>5} {done.busy:>5} {done.requests:>9} {len(done.failures):>7} {done.continued:>10} "
        f"{done.longest_gap_s:>4.1f} s {done.kept_before:>5.0%} {done.lost_s:>3.1f} s {done.placed_s:>5.1f} s "
        f"{done.ready_s:>4.1f} s {done.kept_again_s:>9.1f} s {goal_s:>3.0f} s {done.kept_again_s / goal_s:>6.2f} "
        f"{done.late_s * 1000:>3.0f} ms{_why_invalid(done)}"
    )


def _why_invalid(done: Round) -> str:
    if done.late_s > LAG_S_MAX:
        return "  invalid: the engines' loop was late"
    return "" if done.busy >= BUSY_LEAST else f"  invalid: {done.busy} busy replicas died, {BUSY_LEAST} were to"


def _verdict(rounds: Sequence[Round]) -> int:
    failures = [failure for each in rounds for failure in each.failures]
    goal_s = HEAL_S + median(rounds, "load_s")
    again_s = median(rounds, "kept_again_s")
    valid = [each for each in rounds if not _why_invalid(each)]
    told = sys.stderr
    print(f"failed requests: {len(failures)}, goal 0", file=told)
    for failure, times in Counter(failures).most_common(5):
        print(f"  {times} x {failure}", file=told)
    print(
        f"objective kept again after {again_s:.1f} s (median), goal {goal_s:.1f} s: 10 s and one model load of "
        f"{median(rounds, 'load_s'):.1f} s; ratio {again_s / goal_s:.2f}",
        file=told,
    )
    print(f"{len(valid)} of {len(rounds)} rounds were valid", file=told)
    if not valid:
        return 3
    return 0 if not failures and again_s <= goal_s else 1


if __name__ == "__main__":
    raise SystemExit(main())
