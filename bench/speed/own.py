"""`python -m bench.speed.own [--out FILE]`: fits the engine that this project measured itself, and writes own.toml.

The rows are in own.csv: `batched-bench` is the engine's own benchmark (its prompts and its decode by themselves, next
tokens drawn at no cost), `served` is its server under a closed loop of streamed requests (throughput). All that other
engines' rows told is held; what is fitted are the few multipliers of this engine. The cost of a sequence in a step is
another one with each of the two loads, and only the server's is kept. Both loads weigh the same.
"""

import argparse
import csv
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from alliage.catalog.loader import load_catalog
from alliage.speed.efficiency import Coefficients, committed
from alliage.speed.figures import chip_figures, model_figures
from alliage.speed.predict import Running, Speed, predict

ROWS: Final = Path(__file__).parent / "own.csv"
OWN: Final = Path(__file__).parents[2] / "src" / "alliage" / "speed" / "own.toml"
CHIP: Final = "nvidia-h100-sxm"
ENGINE: Final = "llama.cpp-cuda"
SERVED: Final = "served"
LEVELS: Final = (
    ("bandwidth", "engine", ENGINE),
    ("compute", "engine_format", f"{ENGINE}/gguf"),
    ("compute", "engine_shape", f"{ENGINE}/experts"),
    ("fixed", "engine", ENGINE),
    ("host", "engine", ENGINE),
)
"""What is fitted, the cost of a sequence last."""
SCALE: Final = 0.2
PRIOR: Final = 1.5
"""The standard deviation of a multiplier's logarithm: next to nothing is known before."""
STEPS: Final = 25
NUDGE: Final = 0.03

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One load on one model, and what came out: tokens/s, None where that is not looked at."""

    load: str
    running: Running
    prompt_tps: float | None
    decode_tps: float
    throughput_tps: float | None


def read_own(path: Path = ROWS) -> tuple[Row, ...]:
    """The rows of the file."""
    catalog = load_catalog()
    chip = chip_figures(catalog.chips[CHIP])
    with path.open(encoding="utf-8") as file:
        return tuple(
            Row(
                load=row["load"],
                running=Running(
                    chip=chip,
                    model=model_figures(row["model"], catalog.models[row["model"]].architecture),
                    engine=ENGINE,
                    precision=row["precision"],
                    concurrency=int(row["concurrency"]),
                    slots=int(row["concurrency"]),
                    input_tokens=int(row["input_tokens"]),
                    output_tokens=int(row["output_tokens"]),
                    weight_bytes=float(row["weight_bytes"]),
                ),
                prompt_tps=float(row["prompt_tps"]) if row["prompt_tps"] else None,
                decode_tps=float(row["decode_tps"]),
                throughput_tps=float(row["throughput_tps"]) if row["throughput_tps"] else None,
            )
            for row in csv.DictReader(file)
        )


def ratio_served(row: Row, coefficients: Coefficients) -> float:
    """Measured over predicted throughput."""
    return (row.throughput_tps or row.decode_tps) / _speed(row, coefficients).throughput_tps


def fit_own(rows: Sequence[Row], held: Coefficients) -> tuple[float, ...]:
    """The multipliers of `LEVELS`: damped Gauss-Newton on log(predicted / measured) with the robust loss of `fitting`."""
    weights = _weights(rows)
    found, damping = np.zeros(len(LEVELS) + 1), 1.0
    errors = _errors(rows, held, found)
    for _ in range(STEPS):
        nudged = [_errors(rows, held, found + NUDGE * unit) for unit in np.eye(len(found))]
        slopes = (np.array(nudged).T - errors[:, None]) / NUDGE
        pull = weights / (SCALE**2 * np.sqrt(1 + (errors / SCALE) ** 2))
        curve = (slopes.T * pull) @ slopes + np.eye(len(found)) / PRIOR**2
        down = (slopes.T * pull) @ errors + found / PRIOR**2
        tried = found - np.linalg.solve(curve + damping * np.diag(np.diag(curve)), down)
        after = _errors(rows, held, tried)
        if _loss(after, weights, tried) < _loss(errors, weights, found):
            found, errors, damping = tried, after, damping / 3
        else:
            damping *= 4
    return tuple(exp(value) for value in found[:-1])


def with_levels(held: Coefficients, values: Sequence[float]) -> Coefficients:
    """The coefficients with these multipliers in place of what they have of the engine."""
    tables = {key: dict(table) for key, table in held.multipliers.items()}
    for (what, by, level), value in zip(LEVELS, values, strict=True):
        tables.setdefault((what, by), {})[level] = value
    return replace(held, multipliers=tables)


def render(values: Sequence[float], *, rows: int, sha256: str) -> str:
    """The TOML text of own.toml."""
    tables: dict[tuple[str, str], dict[str, float]] = {}
    for (what, by, level), value in zip(LEVELS, values, strict=True):
        tables.setdefault((what, by), {})[level] = value
    return "\n".join(
        [
            "# Multipliers of engines without published speeds, written by `python -m bench.speed.own`: do not edit by hand.",
            "# They multiply what coefficients.toml says of every engine, which was held; fit them again when it is fitted again.",
            'source = "measured by Alliage\'s authors on one H100 80GB HBM3, driver 580.159.04, 2026-11-26 and 27 (bench/README.md)"',
            f'source_sha256 = "{sha256}"',
            f"rows = {rows}",
            f'engines = ["{ENGINE}"]',
            f'chips = ["{CHIP}"]',
            *(line for (what, by), table in tables.items() for line in _table(what, by, table)),
            "",
        ]
    )


def _table(what: str, by: str, table: Mapping[str, float]) -> list[str]:
    return ["", f"[multipliers.{what}.{by}]", *(f'"{level}" = {value:.4g}' for level, value in table.items())]


def _speed(row: Row, coefficients: Coefficients) -> Speed:
    found = predict(row.running, coefficients=coefficients)
    if not isinstance(found, Speed):
        raise TypeError(f"no speed is known of {row.running.model.id} on {CHIP}: {found}")
    return found


def _errors(rows: Sequence[Row], held: Coefficients, logs: Array) -> Array:
    """log(predicted / measured) of all figures, row by row; the last of `logs` is the benchmark's own cost of a sequence."""
    values = [exp(value) for value in logs]
    served, alone = with_levels(held, values[:-1]), with_levels(held, [*values[:-2], values[-1]])
    return np.array([error for row in rows for error in _row_errors(row, served if row.load == SERVED else alone)])


def _row_errors(row: Row, coefficients: Coefficients) -> list[float]:
    speed = _speed(row, coefficients)
    if row.load == SERVED:
        return [log(speed.throughput_tps / (row.throughput_tps or 1.0))]
    prompts = [] if row.prompt_tps is None else [log(speed.prefill_tps / row.prompt_tps)]
    return [log(speed.decode_tps / row.decode_tps), *prompts]


def _weights(rows: Sequence[Row]) -> Array:
    """Of each figure; both loads weigh as much as half of all figures."""
    served = [row.load == SERVED for row in rows for _ in ([0] if row.prompt_tps is None else [0, 1])]
    share = np.mean(served)
    return np.where(served, 0.5 / share, 0.5 / (1 - share)).astype(np.float64)


def _loss(errors: Array, weights: Array, found: Array) -> float:
    robust = weights @ (np.sqrt(1 + (errors / SCALE) ** 2) - 1)
    return float(robust + 0.5 * (found**2).sum() / PRIOR**2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fits, says how each row of the server stands to a fit that saw no row of its model, and writes."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.own", description=__doc__)
    parser.add_argument("--out", type=Path, default=OWN, help="where to write the multipliers")
    given = parser.parse_args(arguments)
    rows, held = read_own(), committed()
    for model in dict.fromkeys(row.running.model.id for row in rows):
        others = with_levels(held, fit_own([row for row in rows if row.running.model.id != model], held))
        for row in rows:
            if row.running.model.id == model and row.load == SERVED:
                what = f"{model} {row.running.precision}, {row.running.concurrency} at once"
                print(f"{what}: {row.throughput_tps} tokens/s, {ratio_served(row, others):.2f} of what the others tell")
    values = fit_own(rows, held)
    given.out.write_text(
        render(values, rows=len(rows), sha256=hashlib.sha256(ROWS.read_bytes()).hexdigest()), encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
