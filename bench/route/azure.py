"""Number 1: Azure's conversation trace, sped up, on the four-makers fleet: who keeps how many objectives at which load."""

from alliage.replay.requests.playing import find_load
from alliage.replay.requests.reading import read_azure
from bench.route.bed import Bed, make_bed, trace_path

POLICIES = (
    "alliage",
    "alliage-refusing",
    "round-robin",
    "least-requests",
    "two-choices",
    "clairvoyant",
    "clairvoyant-finish",
)
LADDER = ("alliage", "round-robin", "least-requests", "two-choices", "clairvoyant", "clairvoyant-finish")
SHARE = 0.99


def main() -> None:
    """Print the tables."""
    path = trace_path("azure-llm-2023", "AzureLLMInferenceTrace_conv.csv")
    bed = make_bed("azure.toml", path, read_azure)
    print(bed.describe(), flush=True)
    loads = list(bed.experiment.speed_ups)
    at_80 = _load(bed, "round-robin", 0.80)
    print("\nkept % (refused %) at a speed-up; the last column is where round robin keeps 80 %")
    print("policy              " + "".join(f"{load:>14g}" for load in loads) + f"{at_80:>14.3f}")
    for policy in POLICIES:
        told = (_cell(bed, policy, load) for load in (*loads, at_80))
        print(f"{policy:20}" + "".join(told), flush=True)
    found = {policy: _load(bed, policy, SHARE) for policy in LADDER}
    print(f"\nthe greatest speed-up at which {SHARE:.0%} keep their objective (bisection to 1 %), and ours over it")
    for policy, load in found.items():
        print(f"{policy:20}{load:>10.3f}{load * bed.trace.rate_per_s:>10.1f} requests/s{found['alliage'] / load:>8.3f}")
    least = [
        (load, *(bed.outcome(each, load).kept_share for each in ("alliage", "least-requests")))
        for load in (*loads, at_80)
    ]
    below = [f"{load:.3f}: {100 * ours:.3f} below {100 * rival:.3f}" for load, ours, rival in least if ours < rival]
    print(f"\nours below least requests: {'; '.join(below) or 'nowhere'}")


def _cell(bed: Bed, policy: str, load: float) -> str:
    of = bed.outcome(policy, load)
    refused = f" ({100 * of.refused_share:.1f})" if of.refused_share else ""
    return f"{100 * of.kept_share:.2f}{refused}".rjust(14)


def _load(bed: Bed, policy: str, share: float) -> float:
    """By bisection between the loads of the experiment."""
    loads = bed.experiment.speed_ups
    low = max((each for each in loads if bed.outcome(policy, each).kept_share >= share), default=loads[0] / 2)
    high = min((each for each in loads if each > low), default=loads[-1] * 1.5)
    return find_load(lambda load: bed.outcome(policy, load).kept_share, share=share, low=low, high=high)


if __name__ == "__main__":
    main()
