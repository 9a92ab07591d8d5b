"""Number 1: Azure's conversation trace, sped up, on the four-makers fleet: who keeps how many objectives at which load."""

from alliage.replay.requests.playing import find_load
from alliage.replay.requests.policies import POLICIES
from alliage.replay.requests.reading import read_azure
from bench.route.bed import Bed, make_bed, trace_path

TABLE = ("alliage", "round-robin", "least-requests", "two-choices")
"""At every load."""
AT_80 = (*TABLE, "alliage-refusing", "clairvoyant", "clairvoyant-finish")
"""Where round robin keeps 80 %: the clairvoyant ones take a minute a run and more."""
SHARE = 0.99
STEP = 1.03


def main() -> None:
    """Print the tables."""
    path = trace_path("azure-llm-2023", "AzureLLMInferenceTrace_conv.csv")
    bed = make_bed("azure.toml", path, read_azure)
    print(bed.describe(), flush=True)
    loads = list(bed.experiment.speed_ups)
    print("\nkept % at a speed-up")
    print("policy              " + "".join(f"{load:>10g}" for load in loads))
    for policy in TABLE:
        print(
            f"{policy:20}" + "".join(f"{100 * bed.outcome(policy, load).kept_share:>10.2f}" for load in loads),
            flush=True,
        )
    at_80 = _load(bed, "round-robin", 0.80)
    print(f"\nspeed-up {at_80:.3f}, where round robin keeps 80 %:     kept %  refused %")
    for policy in AT_80:
        of = bed.outcome(policy, at_80)
        print(f"{policy:47}{100 * of.kept_share:>10.2f}{100 * of.refused_share:>11.2f}", flush=True)
    for policy, seed in (
        (policy, seed) for policy in AT_80 if POLICIES[policy].draws for seed in bed.experiment.seeds[1:]
    ):
        of = bed.outcome(policy, at_80, seed)
        print(f"{f'{policy}, seed {seed}':47}{100 * of.kept_share:>10.2f}{100 * of.refused_share:>11.2f}", flush=True)
    found = {policy: _load(bed, policy, SHARE) for policy in TABLE}
    ours = found["alliage"]
    found["clairvoyant"] = _near(bed, "clairvoyant", at_80)
    print(f"\nthe greatest speed-up at which {SHARE:.0%} keep their objective (bisection to 1 %), and ours over it")
    for policy, load in found.items():
        print(f"{policy:20}{load:>10.3f}{load * bed.trace.rate_per_s:>10.1f} requests/s{ours / load:>8.3f}")
    least = [
        (load, *(bed.outcome(each, load).kept_share for each in ("alliage", "least-requests")))
        for load in (*loads, at_80)
    ]
    below = [f"{load:.3f}: {100 * ours:.3f} below {100 * rival:.3f}" for load, ours, rival in least if ours < rival]
    print(f"\nours below least requests: {'; '.join(below) or 'nowhere'}")


def _load(bed: Bed, policy: str, share: float) -> float:
    """By bisection between the loads of the experiment."""
    loads = bed.experiment.speed_ups
    low = max((each for each in loads if bed.outcome(policy, each).kept_share >= share), default=loads[0] / 2)
    high = min((each for each in loads if each > low), default=loads[-1] * 1.5)
    return _search(bed, policy, low, high, share)


def _near(bed: Bed, policy: str, load: float) -> float:
    """By bisection around a load that is about right: few runs, for who takes minutes for each."""
    low = high = load
    while bed.outcome(policy, low).kept_share < SHARE:
        high, low = low, low / STEP
    while high <= low or bed.outcome(policy, high).kept_share >= SHARE:
        low, high = max(low, high), max(low, high) * STEP
    return _search(bed, policy, low, high)


def _search(bed: Bed, policy: str, low: float, high: float, share: float = SHARE) -> float:
    return find_load(lambda load: bed.outcome(policy, load).kept_share, share=share, low=low, high=high)


if __name__ == "__main__":
    main()
