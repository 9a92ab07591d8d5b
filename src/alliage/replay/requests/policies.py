"""The routers that a replay of requests can run, by name: our own rule and the baselines beside it."""
# ruff: noqa: PLC0415 - NumPy and Numba are slow to load, and only the clairvoyant needs them

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from alliage.errors import BadInput
from alliage.fleet.services import Objective
from alliage.replay.baselines.least_requests import LeastRequests
from alliage.replay.baselines.prefix_affinity import PrefixAffinity
from alliage.replay.baselines.round_robin import RoundRobin
from alliage.replay.baselines.two_choices import TwoChoices
from alliage.replay.requests.ours import Ours
from alliage.replay.requests.world import World
from alliage.replay.router import Router

Maker: TypeAlias = Callable[[World, Objective, int], Router]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One router: `make` builds it for a world, an objective and a seed; `draws` where the seed makes a difference."""

    name: str
    title: str
    make: Maker
    draws: bool = False


def find_policies(names: str) -> tuple[Policy, ...]:
    """The policies of a list such as `alliage,round-robin`; one named twice is meant once. Raises BadInput."""
    wanted = tuple(dict.fromkeys(names.replace(",", " ").split()))
    unknown = next((name for name in wanted if name not in POLICIES), None)
    if unknown is not None or not wanted:
        what = "no policy is named" if unknown is None else f"there is no policy {unknown!r}"
        raise BadInput(what, remedy=f"policies: {', '.join(POLICIES)}")
    return tuple(POLICIES[name] for name in wanted)


def _ours(world: World, objective: Objective, _seed: int) -> Router:
    return Ours(world.replicas, objective, block_tokens=world.block_tokens)


def _refusing(world: World, objective: Objective, _seed: int) -> Router:
    return Ours(world.replicas, objective, block_tokens=world.block_tokens, refuses=True)


def _clairvoyant(world: World, objective: Objective, _seed: int) -> Router:
    from alliage.replay.baselines.clairvoyant import Clairvoyant

    lengths = [request.output_tokens for request in world.requests]
    return Clairvoyant(world.machines, lengths, objective=objective)


def _least_finish(world: World, _objective: Objective, _seed: int) -> Router:
    from alliage.replay.baselines.clairvoyant import Clairvoyant

    return Clairvoyant(world.machines, [request.output_tokens for request in world.requests])


_ALL: Final = (
    Policy(name="alliage", title="Alliage", make=_ours),
    Policy(name="alliage-refusing", title="Alliage, refusing", make=_refusing),
    Policy(name="round-robin", title="round robin", make=lambda world, _, __: RoundRobin(len(world.machines))),
    Policy(name="least-requests", title="least requests", make=lambda world, _, __: LeastRequests(len(world.machines))),
    Policy(
        name="two-choices",
        title="power of two choices",
        make=lambda world, _, seed: TwoChoices(len(world.machines), seed),
        draws=True,
    ),
    Policy(
        name="prefix-affinity", title="prefix affinity", make=lambda world, _, __: PrefixAffinity(len(world.machines))
    ),
    Policy(name="clairvoyant", title="clairvoyant", make=_clairvoyant),
    Policy(name="clairvoyant-finish", title="clairvoyant, least finish", make=_least_finish),
)
POLICIES: Final = {policy.name: policy for policy in _ALL}
