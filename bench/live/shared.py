"""The live point of number 3: several services that rest while nobody asks, live and in replay by the same real loop."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from alliage.app.home import Home
from alliage.catalog.loader import load_catalog
from alliage.rehearsal.replica import LAG_S_MAX
from alliage.replay.cloud.experiment import Experiment, read_experiment
from alliage.replay.cloud.fates import Fate
from alliage.replay.cloud.playing import HOUR_S, Played, Variant, play, requests_of
from alliage.speed.batching import BLOCK_TOKENS
from bench.heal.cloud import Cloud, a_cloud, until
from bench.live.clients import LEAD_S, Asked, Clients
from bench.live.prompts import order_of
from bench.live.run import AGREES, LATE_S_MAX, keeps

FILE: Final = Path(__file__).with_name("shared.toml")
VARIANT: Final = Variant(name="sleeping", min_replicas=0, rest_s=30.0)
PATIENCE_S: Final = 400.0
POLL_S: Final = 0.5


@dataclass(slots=True)
class Watched:
    """Devices that replicas held, added up over seconds while the traffic lasted; and all the replicas that were seen."""

    device_s: float = 0.0
    replicas: set[str] = field(default_factory=set)

    async def run(self, cloud: Cloud, begin_s: float, end_s: float) -> None:
        """Look again and again; times are of `time.monotonic`."""
        last_s = time.monotonic()
        while last_s < end_s:
            await asyncio.sleep(POLL_S)
            found = await asyncio.to_thread(cloud.replicas)
            now_s = time.monotonic()
            self.replicas.update(each["id"] for each in found)
            held = sum(len(each["bindings"]) for each in found)
            self.device_s += held * max(0.0, min(now_s, end_s) - max(last_s, begin_s))
            last_s = now_s


def run_shared() -> int:
    """Run and print it; 0 for a valid run that agrees, 1 for one that does not, 3 for an invalid one."""
    experiment = read_experiment(FILE)
    coming = requests_of(experiment)
    print(
        f"{len(coming)} requests for {len(experiment.models)} models in {experiment.bursts.length_s:g} s, seed "
        f"{experiment.seed}; a service rests {VARIANT.rest_s:g} s after its last request",
        flush=True,
    )
    clients, watched = Clients("", 0, ""), Watched()
    with a_cloud(experiment.fleet, prepare=_settle) as cloud:
        clients.host, clients.port, clients.key = cloud.host, cloud.port, cloud.key
        until(lambda: len(cloud.admin.get("/v1/nodes").json()["nodes"]) > 1, "the nodes")
        before = asyncio.run(_live(cloud, experiment, clients, watched))
        late_s = max(cloud.latenesses_s()[before:], default=0.0)
    played = play(experiment, VARIANT, load_catalog())
    agrees = _print(experiment, clients.asked, watched, played)
    print(
        f"a step of the engines was {1000 * late_s:.0f} ms late at most, a request sent {1000 * clients.late_s:.0f} ms late at most"
    )
    is_late = late_s > LAG_S_MAX or clients.late_s > LATE_S_MAX
    print("INVALID: the engines' loop or a client was late" if is_late else "valid")
    return 3 if is_late else 0 if agrees else 1


def _settle(home: Home) -> None:
    home.root.joinpath("alliage.toml").write_text(f"[control]\nrest_s = {VARIANT.rest_s}\n", encoding="utf-8")


async def _live(cloud: Cloud, experiment: Experiment, clients: Clients, watched: Watched) -> int:
    """Ask for the services, wait as replay does, and let the traffic come; how often engines had been late before it."""
    began_s = time.monotonic()
    goals = ("--ttft", f"{experiment.objective.ttft_s}s", "--tpot", f"{experiment.objective.tpot_s}s")
    for model in experiment.models:
        await asyncio.to_thread(cloud.run, "deploy", model, *goals, "--min-replicas", "0", "--no-wait")
    orders = [
        order_of(number, one.request, BLOCK_TOKENS, one.service) for number, one in enumerate(requests_of(experiment))
    ]
    traffic_s = began_s + experiment.warm_s
    watching = asyncio.create_task(watched.run(cloud, traffic_s, traffic_s + experiment.bursts.length_s))
    await asyncio.sleep(max(0.0, traffic_s - LEAD_S - time.monotonic()))
    before = len(cloud.latenesses_s())
    await clients.run(orders, PATIENCE_S)
    await watching
    return before


def _print(experiment: Experiment, asked: list[Asked], watched: Watched, played: Played) -> bool:
    """The table; whether kept and device-hours agree within 10 %."""
    goal, count = experiment.objective, len(asked)
    failures = [one.failure for one in asked if one.failure]
    print(f"failed: {len(failures)} of {count}" + (f", the first: {failures[0]}" if failures else ""))
    waits_s = [one.ttft_s for one in asked if not one.failure]
    replayed_s = [fate.ttft_s for fate in played.fates if fate.is_answered]
    rows = [
        (
            "kept their objective, %",
            100 * sum(keeps(one, goal) for one in asked) / count,
            100 * _kept(played.fates),
            True,
        ),
        ("device-hours", watched.device_s / HOUR_S, played.device_hours(), True),
        ("replicas started", float(len(watched.replicas)), float(sum(not use.is_wake for use in played.uses)), False),
        ("mean TTFT, s", sum(waits_s) / max(1, len(waits_s)), sum(replayed_s) / max(1, len(replayed_s)), False),
    ]
    print(f"{'':26}{'live':>10}{'replay':>10}{'live / replay':>15}")
    for title, live, replay, counts in rows:
        print(f"{title:26}{live:>10.3f}{replay:>10.3f}{live / replay:>15.3f}" + (" *" if counts else ""))
    agrees = all(abs(live / replay - 1.0) <= AGREES for _, live, replay, counts in rows if counts)
    print(f"* to be within {AGREES:.0%}: {'they are' if agrees else 'NOT all are'}")
    return agrees


def _kept(fates: tuple[Fate, ...]) -> float:
    return sum(fate.is_kept for fate in fates) / len(fates)
