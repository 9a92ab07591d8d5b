"""What `alliage replay azure` and `mooncake` do: play every policy at every load, told as it goes, print or write it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from alliage.catalog.loader import load_catalog
from alliage.errors import BadInput
from alliage.faces.cli.screen import remark, show, show_value
from alliage.replay.openb.orders import parse_seeds
from alliage.replay.requests.experiment import Experiment, read_experiment
from alliage.replay.requests.making import Playable, make_replicas
from alliage.replay.requests.playing import Played, check_room, play, play_seeds
from alliage.replay.requests.policies import Policy, find_policies
from alliage.replay.requests.results import Setting, draw_plot, write_results
from alliage.replay.requests.trace import Trace, cut


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsOrder:
    """The command's options as they were typed."""

    file: Path
    experiment: Path
    policies: str
    speed_ups: str
    count: int | None
    seconds: float | None
    seeds: str
    out: Path | None


def run_requests(order: RequestsOrder, read: Callable[[Path], Trace], *, as_json: bool) -> None:
    """Run it; raises BadInput before the first run where something that was named is not there."""
    policies, experiment = find_policies(order.policies), read_experiment(order.experiment)
    factors = _parse_factors(order.speed_ups) or experiment.speed_ups
    seeds = parse_seeds(order.seeds) or experiment.seeds
    trace = cut(read(order.file), count=order.count, seconds=order.seconds)
    replicas = make_replicas(experiment, load_catalog())
    check_room(trace, replicas)
    played: list[Played] = []
    for each in _play_all(policies, trace, replicas, experiment, factors, seeds):
        played.append(each)
        if as_json:
            show_value(each.to_line())
    if not as_json:
        show(requests_table(played))
    if order.out is not None:
        _write(order.out, Setting(experiment=experiment, trace=trace, source=order.file), replicas, played)


def _parse_factors(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.replace(",", " ").split())
    except ValueError:
        raise BadInput(f"--speed-up {text}", remedy="give numbers between commas") from None


def _play_all(  # noqa: PLR0917 - what a replay is made of
    policies: Sequence[Policy],
    trace: Trace,
    replicas: Sequence[Playable],
    experiment: Experiment,
    factors: Sequence[float],
    seeds: Sequence[int],
) -> Iterator[Played]:
    for factor in factors:
        for policy in policies:
            for seed in play_seeds(policy, seeds):
                remark(f"speed-up {factor:g}, {policy.name}, seed {seed} ...")
                yield play(
                    policy,
                    trace,
                    replicas,
                    experiment.objective,
                    factor=factor,
                    seed=seed,
                    progress=_Teller(policy.name).tell,
                )


class _Teller:
    """Says on the error stream, at each quarter, how far a run is."""

    def __init__(self, policy: str) -> None:
        self._policy, self._told = policy, 0

    def tell(self, done: int, of: int) -> None:
        """Called now and then."""
        quarter = 4 * done // max(of, 1)
        if self._told < quarter < 4:
            self._told = quarter
            remark(f"  {self._policy}: {done} of {of} requests have come")


def requests_table(played: Sequence[Played]) -> Table:
    """One line a run."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("SPEED-UP", "POLICY", "SEED", "KEPT %", "REFUSED %", "TTFT MEAN S", "P90 S", "TPOT MEAN MS", "HIT %"):
        table.add_column(title, no_wrap=True, justify="left" if title == "POLICY" else "right")
    for each in played:
        of = each.outcome
        cells = (
            f"{each.speed_up:g}",
            each.policy.name,
            str(each.seed),
            f"{100 * of.kept_share:.2f}",
            f"{100 * of.refused_share:.2f}",
            f"{of.ttft_s_mean:.3f}",
            f"{of.ttft_s_p90:.3f}",
            f"{1000 * of.tpot_s_mean:.1f}",
            f"{100 * of.hit_share:.1f}",
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _write(out: Path, setting: Setting, replicas: Sequence[Playable], played: Sequence[Played]) -> None:
    """The result file, and the plot where Matplotlib is there."""
    written = [write_results(out, setting, replicas, played)]
    try:
        written.append(draw_plot(out, setting, played))
    except ImportError:
        remark("no plot: Matplotlib is not installed (pip install matplotlib)")
    remark(f"written: {', '.join(str(path) for path in written)}")
