"""The files a replay leaves: one JSON line a run, and a plot of the completion times."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from alliage.replay.gavel.compare import Played, Setting

RESULT_FILE: Final = "gavel.jsonl"
PLOT_FILE: Final = "gavel.png"


def write_results(folder: Path, setting: Setting, played: Sequence[Played]) -> Path:
    """A first line with the setting, then one a run. The same runs give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    head = {
        "setting": "gavel",
        "jobs": "multi" if setting.multi else "single",
        "rate_per_h": setting.rate_per_h,
        "watched": [setting.watched.start, setting.watched.stop],
        "devices_a_kind": setting.devices_a_kind,
    }
    path = folder / RESULT_FILE
    path.write_text("".join(json.dumps(line) + "\n" for line in (head, *(each.to_line() for each in played))))
    return path


def draw_plot(folder: Path, setting: Setting, played: Sequence[Played]) -> Path:
    """Which part of the jobs is done after so many hours, by policy, all seeds together. ImportError: no Matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow, and may be missing
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for policy in dict.fromkeys(each.policy for each in played):
        hours = np.sort(np.concatenate([each.outcome.completion_h for each in played if each.policy == policy]))
        part = np.arange(1, len(hours) + 1) / len(hours)
        axes.step(hours, part, where="post", label=f"{policy}: mean {hours.mean():.1f} h")
    axes.set(xscale="log", xlabel="hours from arrival to finish", ylabel="part of the jobs", ylim=(0.0, 1.0))
    kind = "1 to 8 devices" if setting.multi else "1 device"
    axes.set_title(f"{setting.rate_per_h:g} jobs/h of {kind}, 3 kinds x {setting.devices_a_kind}", fontsize="medium")
    axes.legend(frameon=False)
    path = folder / PLOT_FILE
    figure.savefig(path, dpi=120, metadata={"Software": None})
    return path
