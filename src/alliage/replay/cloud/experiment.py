"""An experiment with a whole cloud, as a file: fleet, models, objective, traffic, prices, seed. TOML; mistakes name their place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from alliage.fleet.ids import ServiceName
from alliage.fleet.services import Objective
from alliage.rehearsal.toml_file import read_table
from alliage.replay.cloud.bursts import Bursts, Lengths

Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Lengths(_Table):
    median: Tokens
    sigma: Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)]
    least: Tokens
    most: Tokens


class _File(_Table):
    fleet: str
    models: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]
    ttft_s: Positive | None = None
    tpot_s: Positive | None = None
    share: Annotated[float, Field(gt=0, le=1)]
    seed: int
    warm_s: Positive
    run_in_s: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    length_s: Positive
    rate_rps: Positive
    zipf: Annotated[float, Field(ge=0, le=10)]
    on_s: Positive
    off_s: Positive
    prompt: _Lengths
    output: _Lengths
    prices: dict[str, Positive] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """`models` in order of popularity; the traffic begins `warm_s` after they were asked for. `share` is what is to keep the objective.

    The traffic lasts `bursts.length_s`, of which the first `run_in_s` are not counted.
    """

    fleet: Path
    models: tuple[ServiceName, ...]
    objective: Objective
    share: float
    seed: int
    warm_s: float
    run_in_s: float
    bursts: Bursts
    prices: Mapping[str, float]


def read_experiment(path: Path) -> Experiment:
    """The experiment of a file; raises BadInput naming file, field and value."""
    table = read_table(path, _File, examples="bench/shared")
    return Experiment(
        fleet=path.parent / table.fleet,
        models=tuple(ServiceName(model) for model in table.models),
        objective=Objective(ttft_s=table.ttft_s, tpot_s=table.tpot_s),
        share=table.share,
        seed=table.seed,
        warm_s=table.warm_s,
        run_in_s=table.run_in_s,
        bursts=Bursts(
            rate_rps=table.rate_rps,
            zipf=table.zipf,
            on_s=table.on_s,
            off_s=table.off_s,
            length_s=table.run_in_s + table.length_s,
            prompt=Lengths(**table.prompt.model_dump()),
            output=Lengths(**table.output.model_dump()),
        ),
        prices=table.prices,
    )
