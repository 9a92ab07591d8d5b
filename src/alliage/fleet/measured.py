"""What was measured of a recipe: figures of one load on one replica, as its clients saw them."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.replicas import Evidence, Recipe


class Origin(StrEnum):
    """Where a measurement comes from."""

    PROBE = "probe"
    """`alliage probe`: a closed loop on one replica that did nothing else."""
    GATEWAY = "gateway"
    """What gateways saw of the requests that came: concurrency and lengths are means, and throughput is that of so many
    requests always in flight at those times (Little's law)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeKey:
    """What makes two measurements ones of the same recipe. `cores` is 0 where devices are given whole."""

    chip: str
    model: str
    engine: str
    precision: str
    devices: int
    cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One load on one replica: `concurrency` requests always in flight, each of `input_tokens` and `output_tokens`.

    Tokens a second are those of all requests together; times are medians over the requests. The tokens are what the
    engine counted, in the mean of the requests.
    """

    at_s: float
    """Seconds since 1970."""
    service: ServiceName
    node: NodeId
    chip: str
    engine: str
    engine_version: str
    """As the node tells it; "" where it is not known."""
    model: str
    precision: str
    devices: int
    cores: int
    slots: int
    """Requests that the engine works on at once (the recipe's concurrency); more wait."""
    concurrency: int
    input_tokens: int
    output_tokens: int
    throughput_tps: float
    """Output tokens a second from the first request's start to the last one's end."""
    decode_tps: float
    """Output tokens a second while answers are written: `concurrency` over the mean time a token."""
    ttft_s: float
    tpot_s: float
    requests: int
    duration_s: float
    origin: Origin
    is_rehearsed: bool = False
    """Seen on a node that only keeps time: it counts for such nodes alone, and never as measured."""

    @property
    def key(self) -> RecipeKey:
        """Whose figures these are."""
        return RecipeKey(
            chip=self.chip,
            model=self.model,
            engine=self.engine,
            precision=self.precision,
            devices=self.devices,
            cores=self.cores,
        )


def recipe_key(recipe: Recipe) -> RecipeKey:
    """The key of a recipe."""
    return RecipeKey(
        chip=recipe.chip,
        model=recipe.model,
        engine=recipe.engine,
        precision=recipe.precision,
        devices=recipe.devices,
        cores=recipe.cores,
    )


def measured_recipes(measured: Iterable[Measured]) -> frozenset[tuple[RecipeKey, NodeId | None]]:
    """Which recipes were measured, each with its node where that matters.

    A chip that is shared in cores is its node's own CPU, whatever it is called: what another node did says nothing.
    """
    return frozenset((each.key, each.node if each.cores else None) for each in measured if not each.is_rehearsed)


def evidence_of(recipe: Recipe, node: NodeId, known: frozenset[tuple[RecipeKey, NodeId | None]]) -> Evidence:
    """`measured` for an estimated recipe on a node that `known` (`measured_recipes`) has; else what the recipe says."""
    is_measured = (recipe_key(recipe), node if recipe.cores else None) in known
    return Evidence.MEASURED if is_measured and recipe.evidence is Evidence.ESTIMATED else recipe.evidence


def measured_on(
    measured: Iterable[Measured], node: NodeId, *, is_rehearsed: bool, odd: AbstractSet[NodeId]
) -> tuple[Measured, ...]:
    """What counts for a node: of an odd one what was seen on it alone, of the others what was seen on any that is not odd."""
    return tuple(
        each
        for each in measured
        if each.is_rehearsed == is_rehearsed and (each.node == node if node in odd else each.node not in odd)
    )
