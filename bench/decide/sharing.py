"""`python -m bench.decide.sharing [--data FILE] [--seeds 0,1,2] [--short] [--json]`: ours, Gavel and Gavel + fill.

Gavel's setting (`alliage.replay.gavel`): mean completion time of jobs 4000 to 5000 at 5.6 single-device and 2.6
multi-device jobs/h, all policies in the same simulator on the same jobs; then the makespan of 700 jobs at time 0 with
the remaining work known, against the linear programme's bound. Simulated hours: nothing here depends on the machine.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alliage.errors import AlliageError, BadInput
from alliage.replay.gavel.compare import POLICIES, Played, Setting, play
from alliage.replay.gavel.makespan import Makespan, play_makespan
from alliage.replay.gavel.speeds import SpeedTable, read_speeds

RATES = ((False, 5.6), (True, 2.6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for on the command line."""

    table: SpeedTable
    seeds: tuple[int, ...]
    short: bool

    def setting(self, *, multi: bool, rate: float) -> Setting:
        """Gavel's setting, or fewer jobs of it."""
        if self.short:
            return Setting(rate_per_h=rate, multi=multi, jobs=1200, watched=range(400, 600))
        return Setting(rate_per_h=rate, multi=multi)


def main(arguments: list[str] | None = None) -> int:
    """Print it; 2 where the data is not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="simulation_throughputs.json; else gavel/ in $ALLIAGE_TEST_DATA")
    parser.add_argument("--seeds", default="0,1,2", help="seeds between commas")
    parser.add_argument(
        "--short", action="store_true", help="1,200 jobs, 200 of them watched, and 100 for the makespan"
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON a run")
    chosen = parser.parse_args(arguments)
    try:
        table = read_speeds(_find(chosen.data))
    except AlliageError as error:
        print(error, file=sys.stderr)
        return 2
    asked = Asked(table=table, seeds=tuple(int(seed) for seed in chosen.seeds.split(",")), short=chosen.short)
    for multi, rate in RATES:
        _compare(asked, multi=multi, rate=rate, as_json=chosen.json)
    _bound(asked, as_json=chosen.json)
    return 0


def _find(named: Path | None) -> Path:
    path = named or Path(os.environ.get("ALLIAGE_TEST_DATA", ".")) / "gavel" / "simulation_throughputs.json"
    if not path.is_file():
        raise BadInput(f"there are no throughputs at {path}", remedy="name the file with --data FILE")
    return path


def _compare(asked: Asked, *, multi: bool, rate: float, as_json: bool) -> None:
    """All policies on all seeds at one rate, and the ratios."""
    setting = asked.setting(multi=multi, rate=rate)
    played: dict[str, list[Played]] = {policy: [] for policy in POLICIES}
    for seed in asked.seeds:
        for policy in POLICIES:
            print(f"{'multi' if multi else 'single'} {rate}/h, seed {seed}, {policy} ...", file=sys.stderr)
            played[policy].append(play(policy, seed=seed, setting=setting, table=asked.table))
            if as_json:
                print(json.dumps({"multi": multi, "rate_per_h": rate} | played[policy][-1].to_line()))
    if not as_json:
        print(f"\n{'1 to 8 devices' if multi else '1 device'} a job, {rate} jobs/h: mean completion, h")
        print(
            f"{'policy':12}"
            + "".join(f"{f'seed {seed}':>9}" for seed in asked.seeds)
            + "     mean  ratio  moves  worst"
        )
        for policy in POLICIES:
            print(_row(policy, played))


def _row(policy: str, played: dict[str, list[Played]]) -> str:
    """One policy: hours by seed and mean, ours over it, moves a job, worst finish-time ratio."""
    rows = [each.outcome.summarise() for each in played[policy]]
    hours = [row["mean_completion_h"] for row in rows]
    ours = float(np.mean([each.outcome.summarise()["mean_completion_h"] for each in played["alliage"]]))
    moves, worst = np.mean([row["moves_per_job"] for row in rows]), max(row["max_finish_ratio"] for row in rows)
    mean = float(np.mean(hours))
    cells = "".join(f"{each:9.2f}" for each in (*hours, mean))
    return f"{policy:12}{cells}  {ours / mean:5.3f} {moves:6.1f} {worst:6.2f}"


def _bound(asked: Asked, *, as_json: bool) -> None:
    """The makespan, on average over the seeds, against the bound."""
    jobs = 100 if asked.short else 700
    runs: list[Makespan] = []
    for seed in asked.seeds:
        print(f"makespan of {jobs} jobs, seed {seed} ...", file=sys.stderr)
        runs.append(play_makespan(seed=seed, jobs=jobs, table=asked.table))
        if as_json:
            print(json.dumps({"makespan_h": runs[-1].makespan_h, "bound_h": runs[-1].bound_h, "seed": seed}))
    ours, bound = float(np.mean([run.makespan_h for run in runs])), float(np.mean([run.bound_h for run in runs]))
    if not as_json:
        print(
            f"\nmakespan of {jobs} jobs at time 0, work known: {ours:.2f} h, bound {bound:.2f} h, ratio {ours / bound:.4f}"
        )


if __name__ == "__main__":
    sys.exit(main())
