"""`python -m bench.live`: a slice of a trace through a whole cloud of rehearsed engines, and the same slice in replay.

Two questions: does replay say what a client of the real gateway sees, and does a request keep its objective there? A run
is invalid when a step of the engines ended more than 5 ms late, when a request was sent late, or when replicas changed.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

from alliage.errors import BadInput
from alliage.fleet.services import Objective
from alliage.rehearsal.replica import LAG_S_MAX
from alliage.replay.requests.experiment import Experiment, read_experiment
from alliage.replay.requests.outcome import Outcome
from alliage.replay.requests.playing import play
from alliage.replay.requests.policies import POLICIES
from alliage.replay.requests.reading import read_azure, read_mooncake
from alliage.replay.requests.trace import Trace, cut, speed_up
from bench.heal.cloud import Cloud, a_cloud, until
from bench.live.clients import Asked, Clients
from bench.live.home import offer_size, playables, tell
from bench.live.prompts import orders_of
from bench.route.bed import trace_path

HERE: Final = Path(__file__).parent
AGREES: Final = 0.1
"""How far live may be from replay."""
LATE_S_MAX: Final = 0.05
"""A request may be sent so late."""
PATIENCE_S: Final = 120.0
JITTER_S: Final = 0.02
SETTLE_S: Final = 3.0
"""Until the gateway has the table of ready replicas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the numbers: its trace, and from which second of it on the slice is taken."""

    path: tuple[str, ...]
    read: Callable[[Path], Trace]
    from_s: float


PARTS: Final = {
    "azure": Part(path=("azure-llm-2023", "AzureLLMInferenceTrace_conv.csv"), read=read_azure, from_s=1500.0),
    "mooncake": Part(path=("mooncake", "conversation_trace.jsonl"), read=read_mooncake, from_s=1200.0),
}


def slice_of(trace: Trace, experiment: Experiment, *, from_s: float, seconds: float) -> Trace:
    """What is sent in so many seconds: requests that a replica has room for, from a second of the trace on, sped up."""
    factor = experiment.speed_ups[0]
    fitting = [
        each
        for each in trace.requests
        if each.at_s >= from_s and each.prompt_tokens + each.output_tokens <= experiment.context_tokens
    ]
    if not fitting:
        raise BadInput(f"no request of {trace.name} comes after {from_s:g} s", remedy="begin earlier")
    moved = tuple(replace(each, at_s=each.at_s - fitting[0].at_s) for each in fitting)
    return speed_up(cut(replace(trace, requests=moved), seconds=seconds * factor), factor)


def jittered(trace: Trace, seed: int) -> Trace:
    """The same requests, each up to `JITTER_S` later, as a network has it: one choice that falls otherwise moves all after it."""
    dice = Random(seed)
    later = (replace(each, at_s=each.at_s + dice.uniform(0.0, JITTER_S)) for each in trace.requests)
    return replace(trace, requests=tuple(sorted(later, key=lambda each: each.at_s)))


def run_point(name: str, *, seconds: float) -> int:
    """Run and print one; 0 for a valid run that agrees, 1 for one that does not, 3 for an invalid one."""
    experiment = read_experiment(HERE / f"{name}.toml")
    part = PARTS[name]
    whole = part.read(trace_path(*part.path))
    trace = slice_of(whole, experiment, from_s=part.from_s, seconds=seconds)
    print(
        f"{trace.name}: {len(trace.requests)} requests in {trace.length_s:.0f} s, from second {part.from_s:g} of it "
        f"on {experiment.speed_ups[0]:g} times as fast, {trace.rate_per_s:.2f} a second; {experiment.model}, objective "
        f"{experiment.objective.ttft_s or '-'} s and {experiment.objective.tpot_s or '-'} s a token",
        flush=True,
    )
    with a_cloud(experiment.fleet, prepare=lambda home: offer_size(home, experiment)) as cloud:
        placed = _deploy(cloud, experiment, trace.rate_per_s)
        made = playables(experiment, placed, (cloud.home / "catalog",))
        print(tell(made), flush=True)
        orders = orders_of(trace, experiment.model)
        before = len(cloud.latenesses_s())
        clients = Clients(cloud.host, cloud.port, cloud.key)
        began_s = time.monotonic()
        asyncio.run(clients.run(orders, PATIENCE_S))
        took_s = time.monotonic() - began_s
        late_s = cloud.latenesses_s()[before:]
        still = cloud.replicas()
    played = [
        play(POLICIES["alliage"], jittered(trace, seed), made, experiment.objective, factor=1.0, seed=seed).outcome
        for seed in experiment.seeds
    ]
    why = _why_invalid(late_s, clients, placed, still)
    agrees = _print(clients.asked, played, experiment.objective)
    print(
        f"steps of the engines were more than 5 ms late in {len(late_s)} of {took_s:.0f} seconds, "
        f"{1000 * max(late_s, default=0.0):.0f} ms at most; requests were sent up to {1000 * clients.late_s:.0f} ms late"
    )
    print(f"INVALID: {why}" if why else "valid")
    return 3 if why else 0 if agrees else 1


def _deploy(cloud: Cloud, experiment: Experiment, rate_per_s: float) -> list[dict[str, Any]]:
    """All replicas of the experiment, ready."""
    count = sum(each for _, each in experiment.counts)
    until(lambda: len(cloud.admin.get("/v1/nodes").json()["nodes"]) > count, "the nodes")
    asked = experiment.objective
    goals: list[str] = []
    if asked.ttft_s is not None:
        goals += ["--ttft", f"{asked.ttft_s}s"]
    if asked.tpot_s is not None:
        goals += ["--tpot", f"{asked.tpot_s}s"]
    if goals:
        goals += ["--rate", f"{rate_per_s:.2f}"]
    least = ("--min-replicas", str(count), "--max-replicas", str(count))
    cloud.run("deploy", experiment.model, *goals, *least, "--no-wait")
    until(lambda: sum(each["phase"] == "ready" for each in cloud.replicas()) == count, f"{count} replicas")
    time.sleep(SETTLE_S)
    placed = cloud.replicas()
    chips = sorted((each["recipe"]["chip"], 1) for each in placed)
    if chips != sorted((chip, 1) for chip, of in experiment.counts for _ in range(of)):
        raise SystemExit(f"the cloud placed other replicas than the experiment names: {chips}")
    return placed


def _why_invalid(
    late_s: Sequence[float], clients: Clients, placed: Sequence[dict[str, Any]], still: Sequence[dict[str, Any]]
) -> str:
    if {each["id"] for each in placed} != {each["id"] for each in still}:
        return "replicas changed"
    if late_s and max(late_s) > LAG_S_MAX:
        return "the engines' loop was late"
    return "requests were sent late" if clients.late_s > LATE_S_MAX else ""


def _print(asked: Sequence[Asked], played: Sequence[Outcome], objective: Objective) -> bool:
    """The table; whether all of it agrees within 10 %."""
    answered = [one for one in asked if not one.failure]
    ttfts_s = sorted(one.ttft_s for one in answered)
    tpots_s = sorted(one.tpot_s for one in answered if one.output_tokens > 1)
    failures = [one.failure for one in asked if one.failure]
    print(f"failed: {len(failures)} of {len(asked)}" + (f", the first: {failures[0]}" if failures else ""))
    kept_share = sum(keeps(one, objective) for one in asked) / len(asked)
    rows: list[tuple[str, bool, float, Callable[[Outcome], float]]] = [
        ("kept their objective, %", True, 100 * kept_share, lambda of: 100 * of.kept_share),
        ("mean TTFT, s", True, _mean(ttfts_s), lambda of: of.ttft_s_mean),
        ("p50 TTFT, s", False, _part(ttfts_s, 0.5), lambda of: of.ttft_s_p50),
        ("p90 TTFT, s", True, _part(ttfts_s, 0.9), lambda of: of.ttft_s_p90),
        ("p99 TTFT, s", False, _part(ttfts_s, 0.99), lambda of: of.ttft_s_p99),
        ("mean TPOT, s", True, _mean(tpots_s), lambda of: of.tpot_s_mean),
        ("p99 TPOT, s", False, _part(tpots_s, 0.99), lambda of: of.tpot_s_p99),
    ]
    print(f"{'':26}{'live':>10}{'replay':>10}{'least':>10}{'most':>10}{'live / replay':>15}")
    agrees = True
    for title, counts, live, figure in rows:
        replays = [figure(each) for each in played]
        ratio = live / median(replays)
        agrees = agrees and (not counts or abs(ratio - 1.0) <= AGREES)
        print(
            f"{title:26}{live:>10.4f}{median(replays):>10.4f}{min(replays):>10.4f}{max(replays):>10.4f}{ratio:>15.3f}"
            + (" *" if counts else "")
        )
    print(
        f"* to be within {AGREES:.0%}: {'they are' if agrees else 'NOT all are'}; replay: the median of {len(played)} seeds"
    )
    return agrees


def keeps(one: Asked, objective: Objective) -> bool:
    """Whether a request was answered as was promised."""
    if one.failure:
        return False
    first = objective.ttft_s is None or one.ttft_s <= objective.ttft_s
    return first and (objective.tpot_s is None or one.tpot_s <= objective.tpot_s)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _part(values: Sequence[float], part: float) -> float:
    return values[min(len(values) - 1, int(part * len(values)))] if values else math.nan
