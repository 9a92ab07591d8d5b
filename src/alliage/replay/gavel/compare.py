"""One seed, one policy: the mix is drawn, played to the end of the watched jobs, and judged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alliage.decide.sharing.values import Rule
from alliage.errors import BadInput
from alliage.replay.gavel.mix import Mix, draw_mix
from alliage.replay.gavel.ours import AlliageSharer
from alliage.replay.gavel.outcome import Outcome, judge
from alliage.replay.gavel.policy import Sharer
from alliage.replay.gavel.rounds import Progress, run_rounds
from alliage.replay.gavel.speeds import SpeedTable

POLICIES: Final = ("alliage", "gavel", "gavel-fill")
DEVICES_A_KIND: Final = 36
JOBS: Final = 9000
WATCHED: Final = range(4000, 5000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is replayed: rate, gangs, how many jobs come, and which of them count. Gavel's are the defaults."""

    rate_per_h: float
    multi: bool
    jobs: int = JOBS
    watched: range = WATCHED
    devices_a_kind: int = DEVICES_A_KIND

    def devices(self) -> NDArray[np.int64]:
        """Devices of each of the three kinds."""
        return np.full(3, self.devices_a_kind, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One policy's outcome on one seed; `certificate` is our rule's mean value over bound, 0 for others."""

    policy: str
    seed: int
    outcome: Outcome
    rounds: int
    certificate: float

    def to_line(self) -> dict[str, object]:
        """One line of a result file."""
        numbers = {name: round(value, 4) for name, value in self.outcome.summarise().items()}
        line: dict[str, object] = {"policy": self.policy, "seed": self.seed, **numbers, "rounds": self.rounds}
        return line | ({"mean_certificate": round(self.certificate, 5)} if self.policy == "alliage" else {})


def build_sharer(name: str, devices: NDArray[np.int64], count: int) -> Sharer:
    """The policy of that name; BadInput names those there are."""
    if name == "alliage":
        return AlliageSharer(devices, rule=Rule())
    if name not in POLICIES:
        raise BadInput(f"no policy {name!r}", remedy=f"there are {', '.join(POLICIES)}")
    from alliage.replay.baselines.gavel import FILL, GavelSharer  # noqa: PLC0415 - loads HiGHS, only for the rival

    return GavelSharer(devices, count=count, fill=FILL if name == "gavel-fill" else 0.0)


def play(
    policy: str, *, seed: int, setting: Setting, table: SpeedTable, progress: Progress = lambda _done, _of: None
) -> Played:
    """Replay one seed under one policy."""
    mix = draw_mix(seed=seed, jobs=setting.jobs, rate_per_h=setting.rate_per_h, multi=setting.multi, table=table)
    return play_mix(policy, mix, seed=seed, setting=setting, build=build_sharer, progress=progress)


def play_mix(
    policy: str,
    mix: Mix,
    *,
    seed: int,
    setting: Setting,
    build: Callable[[str, NDArray[np.int64], int], Sharer],
    progress: Progress,
) -> Played:
    """Replay a mix that is drawn already."""
    devices = setting.devices()
    sharer = build(policy, devices, len(mix))
    run = run_rounds(mix, devices, sharer, watched=setting.watched, progress=progress)
    certificates = sharer.certificates if isinstance(sharer, AlliageSharer) else [0.0]
    return Played(
        policy=policy,
        seed=seed,
        outcome=judge(mix, devices, run, setting.watched),
        rounds=len(run.starts_s),
        certificate=float(np.mean(certificates)),
    )
