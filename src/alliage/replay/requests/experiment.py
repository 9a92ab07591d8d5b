"""An experiment as a file: fleet, model, replicas, objective, seeds. TOML; every mistake names its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from alliage.errors import BadInput
from alliage.fleet.services import Objective
from alliage.rehearsal.toml_file import read_table

REPLICAS_MAX: Final = 256

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Replicas(_Table):
    """How many replicas on devices of one chip."""

    chip: str
    count: Annotated[int, Field(ge=1, le=REPLICAS_MAX, strict=True)]


class _File(_Table):
    fleet: str
    """Path of the fleet's file, from this file's folder."""
    model: str
    context_tokens: Annotated[int, Field(ge=1, le=10**7, strict=True)]
    concurrency: Annotated[int, Field(ge=1, le=4096, strict=True)]
    ttft_s: Seconds | None = None
    tpot_s: Seconds | None = None
    replicas: Annotated[tuple[_Replicas, ...], Field(min_length=1)]
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    speed_ups: Annotated[tuple[Factor, ...], Field(min_length=1)] = (1.0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What a replay is made with: `counts` replicas by chip, each for at most `concurrency` requests of `context_tokens`."""

    path: Path
    fleet: Path
    model: str
    context_tokens: int
    concurrency: int
    objective: Objective
    counts: tuple[tuple[str, int], ...]
    seeds: tuple[int, ...]
    speed_ups: tuple[float, ...]


def read_experiment(path: Path) -> Experiment:
    """The experiment of a file; raises BadInput naming file, field and value."""
    table = read_table(path, _File, examples="examples/replay")
    counts = tuple((each.chip, each.count) for each in table.replicas)
    if len({chip for chip, _ in counts}) < len(counts) or sum(count for _, count in counts) > REPLICAS_MAX:
        raise BadInput(
            f"{path}: replicas: a chip comes twice, or there are more than {REPLICAS_MAX}",
            remedy="name each chip once, with its count",
        )
    return Experiment(
        path=path,
        fleet=path.parent / table.fleet,
        model=table.model,
        context_tokens=table.context_tokens,
        concurrency=table.concurrency,
        objective=Objective(ttft_s=table.ttft_s, tpot_s=table.tpot_s),
        counts=counts,
        seeds=table.seeds,
        speed_ups=table.speed_ups,
    )
