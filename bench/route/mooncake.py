"""Number 2: Mooncake's conversation trace with its prefix hashes: seconds to the first token over a range of loads."""

from collections.abc import Callable

from alliage.replay.requests.outcome import Outcome
from alliage.replay.requests.reading import read_mooncake
from bench.route.bed import make_bed, trace_path

POLICIES = ("alliage", "least-requests", "prefix-affinity")
FIGURES: tuple[tuple[str, Callable[[Outcome], float]], ...] = (
    ("mean TTFT, s", lambda of: of.ttft_s_mean),
    ("p90 TTFT, s", lambda of: of.ttft_s_p90),
    ("prompt tokens found in a cache, %", lambda of: 100 * of.hit_share),
)


def main() -> None:
    """Print the tables."""
    bed = make_bed("mooncake.toml", trace_path("mooncake", "conversation_trace.jsonl"), read_mooncake)
    print(bed.describe(), flush=True)
    loads = bed.experiment.speed_ups
    for title, figure in FIGURES:
        print(f"\n{title:34}" + "".join(f"{load:>10g}" for load in loads))
        for policy in POLICIES:
            print(f"{policy:34}" + "".join(f"{figure(bed.outcome(policy, load)):>10.3f}" for load in loads), flush=True)
        if "TTFT" in title:
            ratios = [
                figure(bed.outcome("alliage", load))
                / min(figure(bed.outcome(each, load)) for each in ("least-requests", "prefix-affinity"))
                for load in loads
            ]
            print("ours / better of the two          " + "".join(f"{each:>10.3f}" for each in ratios))


if __name__ == "__main__":
    main()
