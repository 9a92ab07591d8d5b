"""What share of a chip's figures is reached, and what a step costs beside them: coefficients, and their look-up.

Every coefficient is a base times multipliers of levels (engine, kind of chip, precision, ...). A level that was never
seen multiplies by 1, so every look-up has an answer. The values in coefficients.toml are fitted by `bench/speed` to
published speeds; those in own.toml, of engines without any, to what this project measured itself.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from math import exp, log
from typing import Final

from alliage.errors import BadInput

_FILES: Final = ("coefficients.toml", "own.toml")
SHARE_MAX: Final = 0.95
"""No stack reaches more of a chip's bandwidth or FLOPS than this."""

BASES: Final = (
    "bandwidth",
    "compute",
    "attention",
    "step_s",
    "layer_s",
    "link_s",
    "sequence_s",
    "request_s",
    "overlap",
    "taper",
    "rate",
)
"""The fields of Efficiency, in their order."""

AFFECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "bandwidth": ("bandwidth",),
    "compute": ("compute",),
    "fixed": ("step_s", "layer_s"),
    "launch": ("layer_s", "link_s"),
    "host": ("sequence_s", "request_s"),
    "rate": ("rate",),
}
"""What a table of multipliers multiplies: engines differ in all fixed costs, chips in those of launching kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """How well one stack uses one chip for one model.

    `bandwidth` and `compute` are shares of the chip's figures, `attention` that of prefill attention in `compute`.
    Seconds: a step, a layer, a layer and doubling of the group, a sequence in a step, a request. `overlap` is the
    exponent by which reading and computing overlap (1 none, infinite all), `taper` the power by which faster chips reach
    a smaller share of their FLOPS (a share is of 1e15 operations/s). `rate` multiplies the speed that comes out.
    """

    bandwidth: float
    compute: float
    attention: float
    step_s: float
    layer_s: float
    link_s: float
    sequence_s: float
    request_s: float
    overlap: float
    taper: float
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """All coefficients, with where they come from. `multipliers` is (what, by) -> level -> factor."""

    fitted_on: str
    source: str
    source_sha256: str
    rows: int
    base: Mapping[str, float]
    multipliers: Mapping[tuple[str, str], Mapping[str, float]]
    bandwidths: Mapping[str, float]
    """Chips of which no source states the bandwidth: what the measured rows imply, in bytes/s."""
    chips: frozenset[str]
    """Chips that had measured rows."""
    chips_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By engine that this project measured itself: the chips on which it did."""

    def knows(self, levels: Mapping[str, str]) -> bool:
        """Whether this recipe (chip, model, engine, precision) had rows in the fit."""
        return levels.get("case", "") in self.multipliers.get(("rate", "case"), {})


def efficiency(coefficients: Coefficients, levels: Mapping[str, str]) -> Efficiency:
    """The efficiency of a situation; `levels` says what stands at each kind of level, such as engine -> vllm."""
    logs = {name: log(coefficients.base[name]) for name in BASES}
    for (what, by), table in coefficients.multipliers.items():
        factor = table.get(levels.get(by, ""))
        if factor is not None:
            for name in AFFECTS[what]:
                logs[name] += log(factor)
    return from_logs([logs[name] for name in BASES])


def from_logs(logs: Sequence[float]) -> Efficiency:
    """From the logarithms of the fields in the order of BASES; shares are cut at SHARE_MAX."""
    values = [exp(value) for value in logs]
    return Efficiency(
        bandwidth=min(values[0], SHARE_MAX),
        compute=values[1],
        attention=values[2],
        step_s=values[3],
        layer_s=values[4],
        link_s=values[5],
        sequence_s=values[6],
        request_s=values[7],
        overlap=max(values[8], 1.0),
        taper=values[9],
        rate=values[10],
    )


@lru_cache(maxsize=1)
def committed() -> Coefficients:
    """The coefficients of this version."""
    published, own = ((files("alliage.speed") / name).read_text(encoding="utf-8") for name in _FILES)
    return with_own(parse_coefficients(published), own)


@lru_cache(maxsize=4096)
def committed_efficiency(levels: tuple[tuple[str, str], ...]) -> Efficiency:
    """`efficiency` by the coefficients of this version: a plan asks for the same situations again and again."""
    return efficiency(committed(), dict(levels))


def parse_coefficients(text: str) -> Coefficients:
    """The coefficients in a TOML text; BadInput naming the field for one that does not hold them."""
    try:
        data = tomllib.loads(text)
        return Coefficients(
            fitted_on=str(data["fitted_on"]),
            source=str(data["source"]),
            source_sha256=str(data["source_sha256"]),
            rows=int(data["rows"]),
            base={name: _positive(f"base.{name}", data["base"][name]) for name in BASES},
            multipliers=_multipliers(data["multipliers"]),
            bandwidths={chip: _positive(chip, value) * 1e9 for chip, value in data["bandwidth_gbs"].items()},
            chips=frozenset(map(str, data["chips"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"the coefficients of the speed model are wrong: {error!r}",
            remedy="fit them again: python -m bench.speed.fit",
        ) from error


def with_own(coefficients: Coefficients, text: str) -> Coefficients:
    """With the multipliers of a TOML text for engines that the coefficients do not know; BadInput for one that has none."""
    try:
        data = tomllib.loads(text)
        merged = {key: dict(table) for key, table in coefficients.multipliers.items()}
        for key, table in _multipliers(data["multipliers"]).items():
            merged.setdefault(key, {}).update(table)
        chips = frozenset(map(str, data["chips"]))
        return replace(coefficients, multipliers=merged, chips_of={str(name): chips for name in data["engines"]})
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"the multipliers of engines that we measured are wrong: {error!r}",
            remedy="fit them again: python -m bench.speed.own",
        ) from error


def _multipliers(
    data: Mapping[str, Mapping[str, Mapping[str, object]]],
) -> Mapping[tuple[str, str], Mapping[str, float]]:
    unknown = sorted(set(data) - set(AFFECTS))
    if unknown:
        raise ValueError(f"`multipliers` has {', '.join(unknown)}; there are {', '.join(AFFECTS)}")
    return {
        (what, by): {level: _positive(f"{what}.{by}.{level}", value) for level, value in table.items()}
        for what, tables in data.items()
        for by, table in tables.items()
    }


def _positive(name: str, value: object) -> float:
    if not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ValueError(f"`{name}` must be a number above 0, not {value!r}")
    return float(value)
