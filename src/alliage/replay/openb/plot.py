"""The curve of a replay as a picture: allocated against arrived demand, a line for each policy, named at its end.

Importing this imports Matplotlib, which is not part of every installation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

OURS: Final = "Alliage"
_OUR_COLOUR: Final = "#0b6e8f"
_COLOURS: Final = ("#7f7f7f", "#c4622d", "#7a5195", "#5b8c3a", "#8c6d1f", "#a23b72")
_GREY: Final = "#555555"
_FROM_PERCENT: Final = 80
_LABEL_GAP: Final = 0.045
"""Least distance of two labels, as a part of the height."""


def draw(curves: Mapping[str, Sequence[float | None]], path: Path, *, title: str, note: str) -> None:
    """Write a PNG of these curves by title; ours is the thick one. The same curves give the same bytes."""
    figure = Figure(figsize=(9.2, 5.4), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.08, right=0.78, top=0.86, bottom=0.13)
    most = max((len(curve) - 1 for curve in curves.values()), default=0)
    start = _FROM_PERCENT if most > _FROM_PERCENT + 10 else 0
    ends = {
        title: _draw_curve(axes, curve, start, *_style(at, title)) for at, (title, curve) in enumerate(curves.items())
    }
    _frame(axes, start, most, [value for curve in curves.values() for value in curve[start:] if value is not None])
    _name_curves(axes, {title: end for title, end in ends.items() if end is not None}, list(curves), most)
    figure.text(0.08, 0.94, title, fontsize=13, fontweight="bold", color="#222222")
    figure.text(0.08, 0.895, note, fontsize=9, color=_GREY)
    figure.savefig(path, format="png", metadata={"Software": None})


def _style(at: int, title: str) -> tuple[str, float]:
    return (_OUR_COLOUR, 2.8) if title == OURS else (_COLOURS[at % len(_COLOURS)], 1.5)


def _draw_curve(axes: Axes, curve: Sequence[float | None], start: int, colour: str, width: float) -> float | None:
    points = [(at, value) for at, value in enumerate(curve) if value is not None and at >= start]
    if not points:
        return None
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=width, solid_capstyle="round", zorder=2 + width)
    return points[-1][1]


def _frame(axes: Axes, start: int, most: int, values: Sequence[float]) -> None:
    low = max(0.0, min(values, default=0.0) - 1)
    high = min(101.0, max(values, default=100.0) + 2)
    axes.plot([start, high], [start, high], color="#999999", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.text(high + 0.6, high - 0.2, "if all of it fitted", color="#888888", fontsize=9, va="top")
    axes.set_xlim(start, max(most, start + 1))
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("demand that has arrived, % of the devices there are", color=_GREY)
    axes.set_ylabel("allocated, % of the devices there are", color=_GREY)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.tick_params(colors=_GREY)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _name_curves(axes: Axes, ends: Mapping[str, float], titles: Sequence[str], most: int) -> None:
    """Each curve's name and last value beside its end, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    gap, below = (high - low) * _LABEL_GAP, low - 1.0
    for title, end in sorted(ends.items(), key=lambda each: each[1]):
        colour, width = _style(titles.index(title), title)
        below = max(end, below + gap)
        axes.annotate(
            f"{title}  {end:.2f}",
            xy=(most, end),
            xytext=(most + (most - axes.get_xlim()[0]) * 0.025, below),
            color=colour,
            fontsize=9.5,
            fontweight="bold" if width > 2 else "normal",
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.7,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
