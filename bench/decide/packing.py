"""`python -m bench.decide.packing [--seeds 42-51]`: our placement rule and the compiled FGD, in turns, on openb.

A table of allocated percent at 90, 100 and 130 % arrived (mean over the seeds; in brackets the published figures), the
worst of permuted orders of the nodes, and decisions a second: the CPU time of the loops of `place`, what is learnt in
an order forgotten before the next. Then the same on four times the nodes and pods. Orders are the published ones.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

from alliage.errors import AlliageError
from alliage.replay.openb.experiment import value_at
from alliage.replay.openb.files import TraceFiles, find_files
from alliage.replay.openb.orders import choose_orders, parse_seeds
from alliage.replay.openb.protocol import draw_curve
from alliage.replay.openb.reading import read_orders, read_trace
from alliage.replay.openb.trace import Order, Trace, shuffle_hosts
from alliage.replay.policies import Policy, find_policies

POINTS = (90, 100, 130)
PUBLISHED = {"default": {100: 95.23, 130: 95.39}, "gpuspec33": {100: 87.84, 130: 94.55}}
LARGE = 4
WARM_UP = 300


@dataclass(frozen=True, slots=True)
class Turn:
    """One policy on one order."""

    allocated: tuple[float, ...]
    """At POINTS."""
    decisions_per_s: float


def take_turns(policies: Sequence[Policy], trace: Trace, orders: Sequence[Order], again: int) -> Iterator[list[Turn]]:
    """For each order a turn of each policy, one directly after the other; `again` picks the order of the nodes."""
    for order in orders[:1]:
        for policy in policies:
            _turn(policy, trace, replace(order, pods=order.pods[:WARM_UP]))
    for order in orders:
        yield [_turn(policy, shuffle_hosts(trace, order.seed, again), order) for policy in policies]


def _turn(policy: Policy, trace: Trace, order: Order) -> Turn:
    packer = policy.make(trace.hosts, trace.shapes, trace.typical, order.seed)
    arrivals = trace.arrivals(order)
    started = time.process_time()
    placements = [packer.place(shape) for shape in arrivals]
    took_s = time.process_time() - started
    curve = draw_curve(trace, arrivals, placements)
    return Turn(tuple(value_at(curve, point) or 0.0 for point in POINTS), len(arrivals) / took_s)


def to_text(name: str, policies: Sequence[Policy], turns: Sequence[Sequence[Turn]]) -> str:
    """A line a policy, and the ratio of the speeds: the median over the orders of ours over each rival's."""
    lines = [f"{name:26}" + "".join(f"{f'@{point}':>9}" for point in POINTS) + f"{'decisions/s':>13}{'ours/its':>10}"]
    for at, policy in enumerate(policies):
        means = [fmean(turn[at].allocated[point] for turn in turns) for point in range(len(POINTS))]
        speed = median(turn[at].decisions_per_s for turn in turns)
        ratio = median(turn[0].decisions_per_s / turn[at].decisions_per_s for turn in turns)
        lines.append(f"{policy.title:26}" + "".join(f"{mean:9.2f}" for mean in means) + f"{speed:13,.0f}{ratio:10.2f}")
    return "\n".join(lines)


def measure(folder: Path, seeds: Sequence[int], permutations: int, names: str) -> Iterator[str]:
    """Text for each workload as it is measured."""
    policies = find_policies(names)
    for workload, published in PUBLISHED.items():
        files = find_files(folder, workload, TraceFiles(nodes=None, pods=None, arrivals=None))
        if files.nodes is None or files.pods is None or files.arrivals is None:
            continue
        trace = read_trace(files.nodes, files.pods)
        orders = choose_orders(read_orders(files.arrivals, len(trace.pods)), seeds)
        yield to_text(f"{workload}, {len(trace.hosts)} nodes", policies, list(take_turns(policies, trace, orders, 0)))
        yield "FGD as published: " + ", ".join(f"@{point} {value}" for point, value in published.items())
        if permutations > 1:
            means = [
                [
                    fmean(turn[0].allocated[at] for turn in take_turns(policies[:1], trace, orders, again))
                    for at in (1, 2)
                ]
                for again in range(permutations)
            ]
            worst = [min(column) for column in zip(*means, strict=True)]
            yield f"ours, worst of {permutations} orders of the nodes: @100 {worst[0]:.2f}, @130 {worst[1]:.2f}"
        large = replace(trace, hosts=trace.hosts * LARGE)
        longer = [Order(seed=orders[0].seed, pods=sum((order.pods for order in orders[:LARGE]), ()))]
        yield to_text(f"{workload}, {len(large.hosts)} nodes", policies, list(take_turns(policies, large, longer, 0)))


def main(arguments: Sequence[str]) -> int:
    """Print the tables; 2 where the trace cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m bench.decide.packing", description=(__doc__ or "").splitlines()[0])
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    data = Path(os.environ.get("ALLIAGE_TEST_DATA", beside)) / "traces" / "openb"
    parser.add_argument("--folder", type=Path, default=data, help="of the trace; default: under ALLIAGE_TEST_DATA")
    parser.add_argument("--seeds", default="42-51")
    parser.add_argument("--permutations", type=int, default=10, help="orders of the nodes for our rule")
    parser.add_argument("--policies", default="alliage,fgd", help="ours first")
    parser.add_argument("--short", action="store_true", help="two seeds, two orders of the nodes")
    asked = parser.parse_args(arguments)
    seeds, permutations = ("42-43", 2) if asked.short else (asked.seeds, asked.permutations)
    try:
        for text in measure(asked.folder, parse_seeds(seeds), permutations, asked.policies):
            print(text, flush=True)
    except AlliageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
