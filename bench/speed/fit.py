"""`python -m bench.speed.fit [--data FILE] [--out FILE]`: fits the coefficients and writes coefficients.toml."""

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import exp
from pathlib import Path

from alliage.catalog.loader import load_catalog
from alliage.errors import AlliageError
from alliage.speed.efficiency import BASES, Coefficients
from bench.speed.cases import Case
from bench.speed.fitting import Fit, fit
from bench.speed.place import data_file
from bench.speed.reading import UNKNOWN_BANDWIDTH, read_cases
from bench.speed.rows import read_rows

COEFFICIENTS = Path(__file__).parents[2] / "src" / "alliage" / "speed" / "coefficients.toml"
NEGLIGIBLE = 0.003
"""Multipliers whose logarithm is nearer to 0 than this are left out: they are 1.
Those of recipes stay: that a recipe was fitted counts."""


def to_coefficients(found: Fit, cases: Sequence[Case], *, source: str, sha256: str, fitted_on: str) -> Coefficients:
    """The fit as the speed model reads it: what was fitted of an unknown bandwidth becomes that bandwidth."""
    unknown = {case.chip for case in cases if case.bandwidth_is_fitted}
    bandwidths: dict[str, float] = {}
    multipliers: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for (what, by, level), value in sorted(found.levels.items()):
        if (what, by) == ("bandwidth", "chip") and level in unknown:
            bandwidths[level] = UNKNOWN_BANDWIDTH * exp(value)
        elif by == "case" or abs(value) > NEGLIGIBLE:
            multipliers[what, by][level] = exp(value)
    return Coefficients(
        fitted_on=fitted_on,
        source=source,
        source_sha256=sha256,
        rows=len(cases),
        base={name: exp(value) for name, value in zip(BASES, found.base, strict=True)},
        multipliers=multipliers,
        bandwidths=bandwidths,
        chips=frozenset(case.chip for case in cases),
    )


def render(coefficients: Coefficients) -> str:
    """The TOML text of coefficients."""
    lines = [
        "# Coefficients of the speed model (alliage.speed), written by `python -m bench.speed.fit`: do not edit by hand.",
        "# They are confounded by design: only their products mean something. A level that is not here multiplies by 1.",
        f"fitted_on = {_text(coefficients.fitted_on)}",
        f"source = {_text(coefficients.source)}",
        f"source_sha256 = {_text(coefficients.source_sha256)}",
        f"rows = {coefficients.rows}",
        f"chips = [{', '.join(map(_text, sorted(coefficients.chips)))}]",
        "",
        "[base]",
        *_pairs(coefficients.base),
        "",
        "# GB/s, of chips whose bandwidth no source states: what the measured rows imply.",
        "[bandwidth_gbs]",
        *_pairs({chip: value / 1e9 for chip, value in coefficients.bandwidths.items()}),
    ]
    for (what, by), table in sorted(coefficients.multipliers.items()):
        lines += ["", f"[multipliers.{what}.{by}]", *_pairs(table)]
    return "\n".join(lines) + "\n"


def _pairs(table: Mapping[str, float]) -> list[str]:
    return [f"{_text(name)} = {value:.4g}" for name, value in table.items()]


def _text(word: str) -> str:
    return json.dumps(word)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fits, writes, says what was used."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.fit", description=__doc__)
    parser.add_argument("--data", type=Path, help="measured speeds as CSV")
    parser.add_argument("--out", type=Path, default=COEFFICIENTS, help="where to write the coefficients")
    given = parser.parse_args(arguments)
    try:
        path = data_file(given.data)
        cases, skipped = read_cases(read_rows(path), load_catalog())
    except AlliageError as error:
        print(error, file=sys.stderr)
        return 2
    coefficients = to_coefficients(
        fit(cases),
        cases,
        source="published speeds: GPUStack's performance lab, MLPerf Inference v5.1, Qwen3, TensorRT-LLM, AWS Neuron, "
        "vLLM-Ascend, and others, each row with its source",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        fitted_on=datetime.now(UTC).date().isoformat(),
    )
    given.out.write_text(render(coefficients), encoding="utf-8")
    levels = sum(map(len, coefficients.multipliers.values()))
    print(f"{len(cases)} rows fitted, {len(skipped)} not used; {levels} multipliers written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
