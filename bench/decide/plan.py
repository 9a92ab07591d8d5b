"""Number 5: a plan of 300 services, 12 chips and 20 tenants, against plain HiGHS on the same money stage, in one run.

`python -m bench.decide.plan [--seed N ...] [--json]`. Ours is the whole plan: guarantees, shares, money, prices, reasons.
Plain is the money stage alone, with the floors that our first two stages found, as one mixed-integer programme with
every option, given to HiGHS on one thread until it proves the same gap. Both in CPU seconds of this process; the ratio
is what counts. Then a node of the fullest pool dies, and the plan is made again from the last one.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import highspy
import numpy as np

from alliage.decide.solve.answer import Budget, Plan
from alliage.decide.solve.model import Model, build
from alliage.decide.solve.money import money_setting
from alliage.decide.solve.planner import plan
from alliage.decide.solve.problem import Problem
from bench.decide.plan_instances import an_instance, running

GAP = 0.01
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One instance. Times are CPU seconds, gaps what each proved."""

    seed: int
    columns: int
    ours_s: float
    ours_gap: float
    plain_s: float
    plain_gap: float
    cheaper: float
    """How much dearer plain's money is than ours, as a part."""
    again_s: float
    again_gap: float
    lost: int
    """Replicas that the dead node took."""
    starts: int
    stops: int


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What it returns and the CPU seconds it took."""
    before = time.process_time()
    result = work()
    return result, time.process_time() - before


def compare(seed: int) -> Compared:
    """Ours, plain, and ours again after a node's death."""
    problem = an_instance(seed)
    ours, ours_s = timed(lambda: _planned(problem, None))
    model = build(problem)
    floors = ours.warm.floors if ours.warm is not None else {}
    (value, gap), plain_s = timed(lambda: plain(model, dict(floors)))
    hurt, lost = without_a_node(running(problem, ours), ours)
    again, again_s = timed(lambda: _planned(hurt, ours))
    return Compared(
        seed=seed,
        columns=model.choices,
        ours_s=ours_s,
        ours_gap=ours.gap,
        plain_s=plain_s,
        plain_gap=gap,
        cheaper=value / ours.stages[-1].value - 1.0,
        again_s=again_s,
        again_gap=again.gap,
        lost=lost,
        starts=sum(move.change for move in again.moves if move.change > 0),
        stops=-sum(move.change for move in again.moves if move.change < 0),
    )


def _planned(problem: Problem, last: Plan | None) -> Plan:
    answer = plan(problem, Budget(gap=GAP), last)
    if not isinstance(answer, Plan):
        raise SystemExit(f"no plan: {answer}")
    return answer


def plain(model: Model, floors: dict[str, float]) -> tuple[float, float]:
    """HiGHS alone on the money stage: its value in micros an hour, and the gap it proved."""
    setting = money_setting(model, floors)
    values = model.values.copy()
    values[len(values) - len(model.rows.floors) :] = setting.theta
    whole = np.zeros(len(setting.cost), dtype=np.int32)
    whole[: model.choices] = 1
    highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("parallel", "off")
    highs.setOptionValue("mip_rel_gap", GAP)
    highs.setOptionValue("time_limit", 600.0)
    bounds = (setting.lower, setting.upper, setting.row_lower, setting.row_upper)
    size = (len(setting.cost), len(setting.row_lower), len(values), 1, 1, setting.offset)
    highs.passModel(*size, setting.cost, *bounds, model.starts, model.rows_at, values, whole)
    highs.run()
    info = highs.getInfo()
    return float(info.objective_function_value) * model.scale, float(info.mip_gap)


def without_a_node(problem: Problem, ours: Plan) -> tuple[Problem, int]:
    """A node of the fullest pool dies, with as many replicas as fill it, in the order of their names."""
    devices = {(each.work, each.way, each.pool): each.devices for each in ours.assigned}
    used = {pool.name: 0 for pool in problem.pools}
    for each in ours.assigned:
        used[each.pool] += each.count * each.devices
    pool = max(problem.pools, key=lambda pool: (used[pool.name] / max(1, pool.devices), pool.name))
    room, lost, runs = pool.node_devices, 0, []
    for run in problem.running:
        count = run.count
        size = devices[run.work, run.way, run.pool]
        while run.pool == pool.name and count and size <= room:
            count, room, lost = count - 1, room - size, lost + 1
        if count:
            runs.append(replace(run, count=count))
    pools = tuple(replace(each, nodes=each.nodes - 1) if each.name == pool.name else each for each in problem.pools)
    return replace(problem, pools=pools, running=tuple(runs)), lost


def report(result: Compared) -> str:
    """A few lines a person reads."""
    moved = f"{result.lost} replicas lost, {result.starts} started, {result.stops} stopped"
    return "\n".join(
        (
            f"seed {result.seed}: 300 services, 12 chips in 24 pools, 20 tenants, {result.columns} columns",
            f"  ours, all stages        {result.ours_s:7.2f} s CPU   gap {result.ours_gap:.2%}",
            f"  plain HiGHS, money only {result.plain_s:7.2f} s CPU   gap {result.plain_gap:.2%}",
            f"  ratio ours / plain      {result.ours_s / result.plain_s:7.2f}         plain costs {result.cheaper:+.2%}",
            f"  again after a death     {result.again_s:7.2f} s CPU   gap {result.again_gap:.2%}",
            f"  ratio again / plain     {result.again_s / result.plain_s:7.2f}         {moved}",
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the comparison of each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--json", action="store_true", help="one line of JSON a seed")
    given = parser.parse_args(arguments)
    for seed in given.seed:
        result = compare(seed)
        fields = {name: getattr(result, name) for name in Compared.__dataclass_fields__}
        print(json.dumps(fields) if given.json else report(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
