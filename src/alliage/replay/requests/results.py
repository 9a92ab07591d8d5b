"""The files a replay of requests leaves: one JSON line a run, and a plot over the loads."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.errors import BadInput
from alliage.replay.requests.experiment import Experiment
from alliage.replay.requests.making import Playable
from alliage.replay.requests.playing import Played
from alliage.replay.requests.trace import Trace

RESULT_FILE: Final = "requests.jsonl"
PLOT_FILE: Final = "requests.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What was replayed: an experiment, a trace, and the file that it was read from."""

    experiment: Experiment
    trace: Trace
    source: Path


def write_results(folder: Path, setting: Setting, replicas: Sequence[Playable], played: Sequence[Played]) -> Path:
    """A first line with the setting, then one a run. The same runs give the same bytes. Raises BadInput."""
    experiment, trace = setting.experiment, setting.trace
    head = {
        "setting": "requests",
        "trace": {
            setting.source.name: _hash(setting.source),
            "requests": len(trace.requests),
            "length_s": trace.length_s,
        },
        "experiment": {experiment.path.name: _hash(experiment.path), experiment.fleet.name: _hash(experiment.fleet)},
        "replicas": [_told(each) for each in replicas],
    }
    text = "".join(json.dumps(line) + "\n" for line in (head, *(each.to_line() for each in played)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / RESULT_FILE
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}", remedy="name another with --out") from error
    return path


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _told(each: Playable) -> dict[str, object]:
    recipe = each.recipe
    return {
        "name": each.name,
        "chip": recipe.chip,
        "engine": recipe.engine,
        "devices": recipe.devices,
        "slots": each.pace.slots,
        "kv_tokens": each.pace.kv_tokens,
    }


def draw_plot(folder: Path, setting: Setting, played: Sequence[Played]) -> Path:
    """Objectives kept, or else the mean time to the first token, over the speed-ups. ImportError: no Matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow, and may be missing
    from matplotlib.figure import Figure  # noqa: PLC0415

    experiment = setting.experiment
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    is_asked = experiment.objective.is_asked
    for title in dict.fromkeys(each.policy.title for each in played):
        points: dict[float, list[float]] = {}
        for each in played:
            if each.policy.title == title:
                value = 100 * each.outcome.kept_share if is_asked else each.outcome.ttft_s_mean
                points.setdefault(each.speed_up, []).append(value)
        loads = sorted(points)
        means = [sum(points[load]) / len(points[load]) for load in loads]
        axes.plot(loads, means, marker="o", markersize=3, linewidth=2.4 if title == "Alliage" else 1.3, label=title)
    label = "% of requests that keep their objective" if is_asked else "mean time to the first token, s"
    axes.set(xlabel=f"speed-up of {setting.trace.name}", ylabel=label)
    axes.set_title(f"{experiment.model}, {sum(count for _, count in experiment.counts)} replicas", fontsize="medium")
    axes.legend(frameon=False)
    path = folder / PLOT_FILE
    figure.savefig(path, dpi=120, metadata={"Software": None})
    return path
