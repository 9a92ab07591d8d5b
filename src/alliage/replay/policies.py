"""The placement policies a replay can run, by name: our own rule and the baselines beside it.

Each maker imports its policy when it is called, because NumPy and Numba are slow to load.
"""
# ruff: noqa: PLC0415 - see above

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from alliage.decide.packing.shapes import Host, Shape, Typical
from alliage.errors import BadInput
from alliage.replay.packer import Packer

Maker: TypeAlias = Callable[[Sequence[Host], Sequence[Shape], Sequence[Typical], int], Packer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy: `make` builds an empty packer over hosts, shapes, typical shapes and a seed."""

    name: str
    title: str
    make: Maker


def find_policy(name: str) -> Policy:
    """The policy of that name. Raises BadInput naming those there are."""
    if name not in POLICIES:
        raise BadInput(f"there is no policy {name!r}", remedy=f"policies: {', '.join(POLICIES)}")
    return POLICIES[name]


def find_policies(names: str) -> tuple[Policy, ...]:
    """The policies of a list such as `alliage,fgd`; one named twice is meant once. Raises BadInput."""
    wanted = dict.fromkeys(name for name in names.replace(",", " ").split())
    if not wanted:
        raise BadInput("no policy is named", remedy=f"policies: {', '.join(POLICIES)}")
    return tuple(find_policy(name) for name in wanted)


def _alliage(hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], _seed: int) -> Packer:
    from alliage.decide.packing.packing import Packing

    return Packing(hosts, shapes, typical)


def _fgd(hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], _seed: int) -> Packer:
    from alliage.replay.baselines.fgd import Fgd

    return Fgd(hosts, shapes, typical)


def _fgd_least_idle(hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], _seed: int) -> Packer:
    from alliage.replay.baselines.fgd import Fgd

    return Fgd(hosts, shapes, typical, least_idle=True)


def _best_fit(hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], _seed: int) -> Packer:
    from alliage.replay.baselines.best_fit import BestFit

    return BestFit(hosts, shapes, typical)


def _gpu_packing(hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], _seed: int) -> Packer:
    from alliage.replay.baselines.gpu_packing import GpuPacking

    return GpuPacking(hosts, shapes, typical)


def _random(hosts: Sequence[Host], shapes: Sequence[Shape], typical: Sequence[Typical], seed: int) -> Packer:
    from alliage.replay.baselines.random import Random

    return Random(hosts, shapes, typical, seed)


_ALL: Final = (
    Policy(name="alliage", title="Alliage", make=_alliage),
    Policy(name="fgd", title="FGD", make=_fgd),
    Policy(name="fgd-least-idle", title="FGD (least idle)", make=_fgd_least_idle),
    Policy(name="best-fit", title="BestFit", make=_best_fit),
    Policy(name="gpu-packing", title="GpuPacking", make=_gpu_packing),
    Policy(name="random", title="Random", make=_random),
)
POLICIES: Final = {policy.name: policy for policy in _ALL}
