"""`python -m bench.shared [--seed N] [VARIANT ...]`: device-hours of ten models on one fleet, against the smallest pool for each alone."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Catalog
from alliage.control.orders import asked_service
from alliage.fleet.ids import ServiceName
from alliage.rehearsal.fleet_file import read_fleet
from alliage.replay.cloud.agents import Use
from alliage.replay.cloud.alone import Pool, smallest_pool
from alliage.replay.cloud.experiment import Experiment, read_experiment
from alliage.replay.cloud.fates import Tally, tally
from alliage.replay.cloud.playing import HOUR_S, Played, Variant, an_order, counted, play

FILE = Path(__file__).parent / "experiment.toml"
VARIANTS = (
    Variant(name="sleeping", min_replicas=0),
    Variant(name="loading", min_replicas=0, sleeps=False),
)


def main() -> int:
    """Pools first, then each variant (or those that are named)."""
    asked = argparse.ArgumentParser(prog="python -m bench.shared")
    asked.add_argument("--seed", type=int)
    asked.add_argument("variants", nargs="*", default=[each.name for each in VARIANTS])
    told = asked.parse_args()
    catalog, experiment = load_catalog(), read_experiment(FILE)
    experiment = experiment if told.seed is None else replace(experiment, seed=told.seed)
    count = sum(len(counted(experiment, model)) for model in experiment.models)
    print(f"{count} requests in {_counted_s(experiment):g} s, seed {experiment.seed}", flush=True)
    alone = _alone(experiment, catalog)
    total = sum(pool.devices for pool in alone.values()) * _counted_s(experiment) / HOUR_S
    print(f"pools of their own, together: {total:.1f} device-hours", flush=True)
    for variant in VARIANTS:
        if variant.name in told.variants:
            _tell(experiment, variant, play(experiment, variant, catalog), alone, total)
    return 0


def _counted_s(experiment: Experiment) -> float:
    return experiment.bursts.length_s - experiment.run_in_s


def _alone(experiment: Experiment, catalog: Catalog) -> dict[ServiceName, Pool]:
    nodes = read_fleet(experiment.fleet, catalog)
    found: dict[ServiceName, Pool] = {}
    print("\nthe smallest pool for each alone: requests, replicas, of what, devices, kept %")
    for model in experiment.models:
        requests = counted(experiment, model)
        if not requests:
            print(f"{model:18}       0  nothing asked", flush=True)
            continue
        order = an_order(model, experiment, VARIANTS[0])
        service = asked_service(order, model, catalog.models[model], None, now_s=0.0)
        pool = smallest_pool(service, requests, nodes, catalog, share=experiment.share, devices_max=256)
        if pool is None:
            print(f"{model:18}{len(requests):8}  no pool of up to 256 devices keeps it", flush=True)
            continue
        found[model] = pool
        recipe = pool.recipe
        what = f"{recipe.engine} on {recipe.devices} {recipe.chip}"
        print(
            f"{model:18}{len(requests):8}{pool.count:4}  {what:28}{pool.devices:4}{100 * pool.kept_share:8.2f}",
            flush=True,
        )
    return found


def _tell(
    experiment: Experiment, variant: Variant, played: Played, alone: dict[ServiceName, Pool], total: float
) -> None:
    print(f"\n{variant.name}: at least {variant.min_replicas} replicas, engines {_starts(variant)}")
    print("                  requests  kept %  refused %  held %  late %  slow %  starts  wakes  device-hours  alone")
    hours = _counted_s(experiment) / HOUR_S
    for model in experiment.models:
        seen = tally([fate for fate in played.fates if fate.service == model])
        uses = [use for use in played.uses if use.replica.rpartition("-")[0] == model]
        own = alone[model].devices * hours if model in alone else 0.0
        print(_line(model, seen, uses, played.device_hours(model), own))
    print(_line("all", tally(played.fates), played.uses, played.device_hours(), total))
    ratio = played.device_hours() / total
    print(f"device-hours: {ratio:.3f} of the pools'; {played.solves} plans solved", flush=True)


def _line(name: str, seen: Tally, uses: Sequence[Use], ours: float, own: float) -> str:
    shares = (seen.kept, seen.refused, seen.held, seen.late, seen.slow)
    widths = (8, 11, 8, 8, 8)
    told = "".join(f"{100 * share:>{width}.2f}" for share, width in zip(shares, widths, strict=True))
    wakes = sum(use.is_wake for use in uses)
    return f"{name:18}{seen.requests:8}{told}{len(uses) - wakes:8}{wakes:7}{ours:14.2f}{own:7.1f}"


def _starts(variant: Variant) -> str:
    return f"may sleep, after {variant.rest_s:g} s" if variant.sleeps else "load"


if __name__ == "__main__":
    sys.exit(main())
