"""`python -m bench.decide.stress`: our placement rule against FGD and BestFit on workloads that are unkind to it.

For each workload the mean over seeds of what was allocated (percent of the devices: at the end where requests stay, over
time where they leave), our ratio to the better of the rivals, and the worst ratio of a single seed and at 100 % arrived.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from alliage.decide.packing.packing import Packing
from alliage.decide.packing.shapes import Host, Shape, Typical
from alliage.errors import AlliageError
from alliage.replay.openb.orders import parse_seeds
from alliage.replay.openb.reading import read_hosts
from alliage.replay.policies import Policy, find_policies, find_policy
from alliage.replay.stress.generate import KINDS, generate
from alliage.replay.stress.hosts import make_fleet
from alliage.replay.stress.running import StressRun, run

RIVALS = "fgd,best-fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One workload: allocated percent by policy, and our ratios to the better rival."""

    kind: str
    allocated: dict[str, float]
    ratio: float
    """Of the means over seeds."""
    worst_seed: float
    """Of the seed that is worst for us."""
    worst_at_full: float | None
    """The same when as much had arrived as there is, where requests stay."""


def measure(kind: str, hosts: Sequence[Host], ours: Policy, rivals: Sequence[Policy], seeds: Sequence[int]) -> Row:
    """All policies on the same workloads, in turns."""
    runs: dict[str, list[StressRun]] = {}
    for seed in seeds:
        workload = generate(kind, hosts, seed)
        for policy in (ours, *rivals):
            packer = policy.make(workload.hosts, workload.shapes, workload.typical, seed)
            runs.setdefault(policy.name, []).append(run(workload, packer))
    allocated = {name: fmean(each.allocated for each in of) for name, of in runs.items()}
    best = max(allocated[rival.name] for rival in rivals)
    full = [each.allocated_at_full for each in runs[ours.name]]
    return Row(
        kind=kind,
        allocated=allocated,
        ratio=allocated[ours.name] / best,
        worst_seed=min(_ratios(runs, ours, rivals, "allocated")),
        worst_at_full=None if None in full else min(_ratios(runs, ours, rivals, "allocated_at_full")),
    )


def _find_ours(name: str) -> Policy:
    """Our rule with compiled kernels, which a fleet as small as this would not get: the same answers, much sooner."""
    policy = find_policy(name)
    return replace(policy, make=_compiled) if name == "alliage" else policy


def _compiled(hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], _seed: int) -> Packing:
    return Packing(hosts, shapes, typical, compiled=True)


def _ratios(runs: dict[str, list[StressRun]], ours: Policy, rivals: Sequence[Policy], what: str) -> Iterator[float]:
    for at, own in enumerate(runs[ours.name]):
        yield getattr(own, what) / max(getattr(runs[rival.name][at], what) for rival in rivals)


def to_text(rows: Sequence[Row], names: Sequence[str]) -> str:
    """A table, and the worst of each ratio below it."""
    head = f"{'workload':18}" + "".join(f"{name:>13}" for name in names) + f"{'ratio':>9}{'worst seed':>12}{'@100':>9}"
    lines = [head]
    for row in rows:
        cells = "".join(f"{row.allocated[name]:13.2f}" for name in names)
        full = f"{row.worst_at_full:9.4f}" if row.worst_at_full is not None else f"{'-':>9}"
        lines.append(f"{row.kind:18}{cells}{row.ratio:9.4f}{row.worst_seed:12.4f}{full}")
    worst = min(row.ratio for row in rows), min(row.worst_seed for row in rows)
    fulls = [row.worst_at_full for row in rows if row.worst_at_full is not None]
    full = f"{min(fulls):9.4f}" if fulls else ""
    return "\n".join([*lines, f"{'worst':18}{'':{13 * len(names)}}{worst[0]:9.4f}{worst[1]:12.4f}{full}"])


def main(arguments: Sequence[str]) -> int:
    """Print the table, or a line of JSON a workload."""
    parser = argparse.ArgumentParser(prog="python -m bench.decide.stress", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=Path, help="node list (CSV) of the openb trace; a made-up fleet without")
    parser.add_argument("--seeds", default="1-3")
    parser.add_argument("--policy", default="alliage", help="ours")
    parser.add_argument("--rivals", default=RIVALS)
    parser.add_argument("--kind", default=",".join(KINDS))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    try:
        hosts = read_hosts(asked.nodes) if asked.nodes else make_fleet()
        ours, rivals, seeds = _find_ours(asked.policy), find_policies(asked.rivals), parse_seeds(asked.seeds)
        rows = [measure(kind, hosts, ours, rivals, seeds) for kind in asked.kind.split(",")]
    except AlliageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    names = [ours.name, *(rival.name for rival in rivals)]
    print("\n".join(json.dumps(asdict(row)) for row in rows) if asked.json else to_text(rows, names))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
