"""What `alliage replay` does: builds the runs that were asked for, shows progress, prints lines or tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeAlias

from rich.table import Table
from rich.text import Text

from alliage.errors import BadInput
from alliage.faces.cli.screen import remark, show, show_value, stderr
from alliage.replay.openb.experiment import Result, mean_of, run_policy, value_at
from alliage.replay.openb.files import TraceFiles
from alliage.replay.openb.orders import SEEDS, choose_orders, draw_order, parse_seeds
from alliage.replay.openb.reading import read_hosts, read_orders, read_trace
from alliage.replay.openb.results import PLOT_FILE, TOLD_PERCENTS, to_line, write_results
from alliage.replay.openb.trace import Order, Trace
from alliage.replay.policies import Policy, find_policies
from alliage.replay.stress.generate import KINDS, generate
from alliage.replay.stress.hosts import make_fleet
from alliage.replay.stress.running import StressRun, run

Step: TypeAlias = Callable[[str], None]
"""Says what is done next; each call is one more step."""
_NO_MATPLOTLIB: Final = "no plot: Matplotlib is not installed (pip install matplotlib)"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenbOrder:
    """One `alliage replay openb`: policies and seeds as they were typed."""

    files: TraceFiles
    policies: str
    seeds: str
    permutations: int
    out: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StressOrder:
    """One `alliage replay stress`: all as it was typed; `nodes` None for the made-up fleet."""

    kinds: str
    nodes: Path | None
    policies: str
    seeds: str


def run_openb(asked: OpenbOrder, *, as_json: bool) -> None:
    """Run it; raises BadInput before the first run where something that was named is not there."""
    policies, (trace, orders) = find_policies(asked.policies), _read(asked)
    results: dict[str, list[Result]] = {policy.name: [] for policy in policies}
    with progress(len(policies) * len(orders)) as step:
        for policy in policies:
            step(policy.name)
            for result in run_policy(policy, trace, orders, asked.permutations):
                step(f"{policy.name}, seed {result.seed}")
                results[policy.name].append(result)
                if as_json:
                    show_value(_named(to_line(result), policy, policies))
    if not as_json:
        show(openb_table(results))
    if asked.out is not None:
        _write(asked, asked.out, trace, results)


def _read(asked: OpenbOrder) -> tuple[Trace, tuple[Order, ...]]:
    files, seeds = asked.files, parse_seeds(asked.seeds)
    if files.nodes is None or files.pods is None:
        raise BadInput("no trace is named", remedy="name its folder, or give --nodes FILE --pods FILE")
    trace = read_trace(files.nodes, files.pods)
    if files.arrivals is None:
        return trace, tuple(draw_order(trace, seed) for seed in seeds or SEEDS)
    return trace, choose_orders(read_orders(files.arrivals, len(trace.pods)), seeds)


def _named(line: dict[str, object], policy: Policy, policies: Sequence[Policy]) -> dict[str, object]:
    """A policy is named in its line where there are several."""
    return {"policy": policy.name} | line if len(policies) > 1 else line


def _write(asked: OpenbOrder, out: Path, trace: Trace, results: Mapping[str, Sequence[Result]]) -> None:
    files = asked.files
    sources = [path for path in (files.nodes, files.pods, files.arrivals) if path is not None]
    written = [*write_results(out, trace, results, sources)]
    curves = {of[0].policy.title: mean_of(of) for of in results.values() if of}
    runs = sum(len(result.runs) for result in next(iter(results.values()), []))
    note = f"{len(trace.hosts)} nodes; mean of {runs} runs; FGD study's protocol: nothing leaves, what does not fit is dropped"
    name = files.pods.stem.removeprefix("openb_pod_list_") if files.pods else ""
    try:
        from alliage.replay.openb.plot import draw  # noqa: PLC0415 - slow, and may be missing
    except ImportError:
        remark(_NO_MATPLOTLIB)
    else:
        draw(curves, out / PLOT_FILE, title=f"What each policy allocates: {name}", note=note)
        written.append(out / PLOT_FILE)
    remark(f"written: {', '.join(str(path) for path in written)}")


def openb_table(results: Mapping[str, Sequence[Result]]) -> Table:
    """A row a policy: allocated percent, the mean over seeds, where so much demand had arrived."""
    several = any(len(result.runs) > 1 for of in results.values() for result in of)
    table = _table("POLICY", *(f"@{at}" for at in TOLD_PERCENTS), *(["WORST @130"] if several else []), "DECISIONS/S")
    for name, of in results.items():
        curve = mean_of(of)
        cells = [_percent(value_at(curve, at)) for at in TOLD_PERCENTS]
        worst = [_percent(_worst_mean(of))] if several else []
        speed = sum(result.decisions_per_s for result in of) / len(of) if of else 0.0
        table.add_row(*(Text(cell) for cell in (name, *cells, *worst, f"{speed:,.0f}")))
    return table


def _worst_mean(results: Sequence[Result]) -> float | None:
    """The least, over the orders of the nodes, of the mean over seeds at the last told percent."""
    by_order = zip(*(result.runs for result in results), strict=True)
    values = [[value_at(each.curve, TOLD_PERCENTS[-1]) for each in runs] for runs in by_order]
    means = [sum(known) / len(known) for of in values if (known := [value for value in of if value is not None])]
    return min(means, default=None)


def run_stress(asked: StressOrder, *, as_json: bool) -> None:
    """Run it; raises BadInput before the first run where something that was named is not there."""
    policies, seeds = find_policies(asked.policies), parse_seeds(asked.seeds) or (1,)
    kinds = tuple(dict.fromkeys(asked.kinds.replace(",", " ").split())) or KINDS
    hosts = read_hosts(asked.nodes) if asked.nodes is not None else make_fleet()
    workloads = [generate(kind, hosts, seed) for kind in kinds for seed in seeds]
    runs: dict[tuple[str, str], list[StressRun]] = {}
    with progress(len(workloads) * len(policies)) as step:
        for each in workloads:
            for policy in policies:
                step(f"{each.kind}, seed {each.seed}: {policy.name}")
                done = run(each, policy.make(each.hosts, each.shapes, each.typical, each.seed))
                runs.setdefault((each.kind, policy.name), []).append(done)
                if as_json:
                    show_value({"policy": policy.name} | asdict(done))
    if not as_json:
        show(stress_table(runs))


def stress_table(runs: Mapping[tuple[str, str], Sequence[StressRun]]) -> Table:
    """A row a workload and policy, the mean over seeds."""
    table = _table("WORKLOAD", "POLICY", "ALLOCATED", "@100", "REFUSED")
    for (kind, policy), of in runs.items():
        full = [each.allocated_at_full for each in of if each.allocated_at_full is not None]
        means = (_mean([each.allocated for each in of]), _mean(full), _mean([each.refused for each in of]))
        table.add_row(*(Text(cell) for cell in (kind, policy, *(_percent(mean) for mean in means))))
    return table


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for at, column in enumerate(columns):
        table.add_column(column, no_wrap=True, justify="left" if at == 0 or column == "POLICY" else "right")
    return table


@contextmanager
def progress(steps: int) -> Iterator[Step]:
    """A bar on a terminal, else a line where the first word changes."""
    console = stderr()
    if console.is_terminal:
        with _bar(steps) as step:
            yield step
        return
    last = ""

    def line(words: str) -> None:
        nonlocal last
        if (head := words.split(",", maxsplit=1)[0]) != last:
            last = head
            remark(f"replaying {head}")

    yield line


@contextmanager
def _bar(steps: int) -> Iterator[Step]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task("", total=steps)

        def step(words: str) -> None:
            bar.update(task, description=words, advance=0 if "," not in words else 1)

        yield step
