"""What `alliage replay gavel` does: play every policy on every seed, told as it goes, and print or write what came of it."""
# ruff: noqa: PLC0415 - matplotlib and the compiled loops are loaded only where they are needed

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alliage.errors import BadInput
from alliage.faces.cli.screen import remark, show, show_value

if TYPE_CHECKING:
    from rich.table import Table

    from alliage.replay.gavel.compare import Played, Setting

DATA_FILE = Path("gavel", "simulation_throughputs.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class GavelOrder:
    """The command's options; `seeds` and `policies` between commas."""

    throughputs: Path | None
    multi: bool
    rate_per_h: float
    seeds: str
    policies: str
    out: Path | None


def run_gavel(order: GavelOrder, *, as_json: bool) -> None:
    """Raises BadInput for a seed, policy or file that is none."""
    from alliage.replay.gavel.compare import Setting

    seeds, path = _read_seeds(order.seeds), _find(order.throughputs)
    setting = Setting(rate_per_h=order.rate_per_h, multi=order.multi)
    played = _play_all(path, setting, order.policies.split(","), seeds, as_json=as_json)
    if not as_json:
        show(sharing_table(played))
    if order.out is not None:
        _write(order.out, setting, played)


def _find(throughputs: Path | None) -> Path:
    """The file to read; BadInput where none is named or known."""
    folder = os.environ.get("ALLIAGE_TEST_DATA")
    if throughputs is None and folder is None:
        raise BadInput("no throughputs are named", remedy="name Gavel's simulation_throughputs.json")
    return throughputs or Path(folder or "") / DATA_FILE


def _read_seeds(text: str) -> list[int]:
    """Whole numbers between commas."""
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise BadInput(f"--seeds {text}", remedy="give whole numbers between commas") from None


def _play_all(
    path: Path, setting: "Setting", policies: list[str], seeds: list[int], *, as_json: bool
) -> list["Played"]:
    """Every policy on every seed, told as it goes."""
    from alliage.replay.gavel.compare import build_sharer, play
    from alliage.replay.gavel.speeds import read_speeds

    table = read_speeds(path)
    for policy in policies:
        build_sharer(policy, setting.devices(), 1)
    played = []
    for seed in seeds:
        for policy in policies:
            remark(f"seed {seed}, {policy} ...")
            done = play(policy, seed=seed, setting=setting, table=table, progress=_Teller(policy).tell)
            played.append(done)
            if as_json:
                show_value(done.to_line())
    return played


class _Teller:
    """Says on the error stream, at each tenth, how far a run is."""

    def __init__(self, policy: str) -> None:
        self._policy, self._told = policy, 0

    def tell(self, done: int, of: int) -> None:
        """Called after each round in which watched jobs finished."""
        tenth = 10 * done // of
        if tenth > self._told:
            self._told = tenth
            remark(f"  {self._policy}: {done} of {of} watched jobs finished")


def sharing_table(played: list["Played"]) -> "Table":
    """One line a run."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("POLICY", "SEED", "MEAN H", "P50 H", "P99 H", "WORST FINISH RATIO", "MOVES/JOB"):
        table.add_column(title, no_wrap=True)
    for each in played:
        numbers = each.outcome.summarise()
        names = ("mean_completion_h", "p50_completion_h", "p99_completion_h", "max_finish_ratio", "moves_per_job")
        cells = (each.policy, str(each.seed), *(f"{numbers[name]:.2f}" for name in names))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _write(out: Path, setting: "Setting", played: list["Played"]) -> None:
    """The result file, and the plot where Matplotlib is there."""
    from alliage.replay.gavel.results import draw_plot, write_results

    written = [write_results(out, setting, played)]
    try:
        written.append(draw_plot(out, setting, played))
    except ImportError:
        remark("no plot: Matplotlib is not installed (pip install matplotlib)")
    remark(f"written: {', '.join(str(path) for path in written)}")
