"""`python -m bench.shared [VARIANT ...]`: device-hours of ten models on one fleet, against the smallest pool for each alone."""

import sys
from pathlib import Path

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Catalog
from alliage.control.orders import asked_service
from alliage.fleet.ids import ServiceName
from alliage.rehearsal.fleet_file import read_fleet
from alliage.replay.cloud.alone import Pool, smallest_pool
from alliage.replay.cloud.experiment import Experiment, read_experiment
from alliage.replay.cloud.fates import Tally, tally
from alliage.replay.cloud.playing import HOUR_S, Played, Variant, an_order, play, requests_of

FILE = Path(__file__).parent / "experiment.toml"
VARIANTS = (
    Variant(name="zero", min_replicas=0, wakes=False),
    Variant(name="one", min_replicas=1, wakes=False),
    Variant(name="zero-waking", min_replicas=0, wakes=True),
    Variant(name="zero-brief", min_replicas=0, wakes=False, hold_s=120.0),
    Variant(name="zero-waking-brief", min_replicas=0, wakes=True, hold_s=120.0),
)


def main() -> int:
    """Pools first, then each variant (or those that are named)."""
    catalog, experiment = load_catalog(), read_experiment(FILE)
    coming = requests_of(experiment)
    print(f"{len(coming)} requests in {experiment.bursts.length_s:g} s, seed {experiment.seed}", flush=True)
    alone = _alone(experiment, catalog)
    total = sum(pool.devices for pool in alone.values()) * experiment.bursts.length_s / HOUR_S
    print(f"pools of their own, together: {total:.1f} device-hours", flush=True)
    for variant in VARIANTS:
        if variant.name in (sys.argv[1:] or [each.name for each in VARIANTS]):
            _tell(experiment, variant, play(experiment, variant, catalog), alone, total)
    return 0


def _alone(experiment: Experiment, catalog: Catalog) -> dict[ServiceName, Pool]:
    nodes = read_fleet(experiment.fleet, catalog)
    found: dict[ServiceName, Pool] = {}
    print("\nthe smallest pool for each alone: requests, replicas, of what, devices, kept %")
    for model in experiment.models:
        requests = [one.request for one in requests_of(experiment) if one.service == model]
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
    print(
        f"\n{variant.name}: at least {variant.min_replicas} replicas, engines {_starts(variant)}, demand held {variant.hold_s:g} s"
    )
    print("                  requests  kept %  refused %  held %  late %  slow %  starts  device-hours  alone")
    hours = experiment.bursts.length_s / HOUR_S
    for model in experiment.models:
        seen = tally([fate for fate in played.fates if fate.service == model])
        starts = sum(use.replica.rpartition("-")[0] == model for use in played.uses)
        own = alone[model].devices * hours if model in alone else 0.0
        print(_line(model, seen, starts, played.device_hours(model), own))
    print(_line("all", tally(played.fates), len(played.uses), played.device_hours(), total))
    ratio = played.device_hours() / total
    print(f"device-hours: {ratio:.3f} of the pools'; {played.solves} plans solved", flush=True)


def _line(name: str, seen: Tally, starts: int, ours: float, own: float) -> str:
    shares = (seen.kept, seen.refused, seen.held, seen.late, seen.slow)
    widths = (8, 11, 8, 8, 8)
    told = "".join(f"{100 * share:>{width}.2f}" for share, width in zip(shares, widths, strict=True))
    return f"{name:18}{seen.requests:8}{told}{starts:8}{ours:14.2f}{own:7.1f}"


def _starts(variant: Variant) -> str:
    return "wake from the node's memory (a what-if)" if variant.wakes else "load"


if __name__ == "__main__":
    sys.exit(main())
