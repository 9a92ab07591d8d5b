"""What a replay leaves behind: `result.json`, the same bytes for the same seeds, and `timings.json`, which is not.

Curves are lists by arrived percent, from 0; their values are allocated percent of capacity, to 4 places.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from alliage.errors import BadInput
from alliage.replay.openb.experiment import Result, mean_of, value_at
from alliage.replay.openb.protocol import mean_curve
from alliage.replay.openb.trace import Trace, capacity_milli

TOLD_PERCENTS: Final = (90, 95, 100, 110, 120, 130)
RESULT_FILE: Final = "result.json"
TIMINGS_FILE: Final = "timings.json"
PLOT_FILE: Final = "curve.png"


def to_line(result: Result) -> dict[str, Any]:
    """One seed's line: `seed`, `allocated` at the told percents, `decisions_per_s`; `worst` of several node orders."""
    line: dict[str, Any] = {"seed": result.seed, "allocated": _told(result.curve)}
    if len(result.runs) > 1:
        line["worst"] = {str(percent): _rounded(result.worst(percent)) for percent in TOLD_PERCENTS}
    return line | {"decisions_per_s": round(result.decisions_per_s, 1)}


def write_results(
    folder: Path, trace: Trace, results: Mapping[str, Sequence[Result]], sources: Sequence[Path]
) -> tuple[Path, ...]:
    """Write `result.json` and `timings.json`; the folder is made. Raises BadInput where it cannot be written."""
    timings = {name: {str(each.seed): round(each.decisions_per_s, 1) for each in of} for name, of in results.items()}
    texts = {RESULT_FILE: _result(trace, results, sources), TIMINGS_FILE: {"decisions_per_s": timings}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in texts.items():
            (folder / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}", remedy="name another with --out") from error
    return tuple(folder / name for name in texts)


def _result(trace: Trace, results: Mapping[str, Sequence[Result]], sources: Sequence[Path]) -> dict[str, Any]:
    return {
        "trace": {
            "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sources},
            "hosts": len(trace.hosts),
            "devices": capacity_milli(trace.hosts) // 1000,
            "pods": len(trace.pods),
            "typical_shapes": len(trace.typical),
        },
        "policies": {name: _policy(of) for name, of in results.items()},
    }


def _policy(results: Sequence[Result]) -> dict[str, Any]:
    curve = mean_of(results)
    return {
        "allocated": _told(curve),
        "curve": [_rounded(value) for value in curve],
        "seeds": [_seed(result) for result in results],
    }


def _seed(result: Result) -> dict[str, Any]:
    return {
        "seed": result.seed,
        "arrivals": result.runs[0].decisions,
        "refused": [run.refused for run in result.runs],
        "allocated": [_told(run.curve) for run in result.runs],
        "curve": [_rounded(value) for value in mean_curve(result.runs)],
    }


def _told(curve: Sequence[float | None]) -> dict[str, float | None]:
    return {str(percent): _rounded(value_at(curve, percent)) for percent in TOLD_PERCENTS}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
