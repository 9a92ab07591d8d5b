"""The pace of an ordered replica, from its recipe and the catalogue: what the real engine is expected to do."""

from dataclasses import dataclass, replace

from alliage.catalog.records import Chip, ModelCard
from alliage.control.actions import StartReplica
from alliage.decide.carrying import running_at, usual_lengths
from alliage.decide.places import place_of_chip
from alliage.fleet.replicas import Recipe
from alliage.speed.pace import Pace, pace_of
from alliage.speed.predict import Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaced:
    """It cannot be rehearsed, and why."""

    why: str


def pace_of_replica(order: StartReplica, like: Chip) -> Pace | Unpaced:
    """How fast a replica is by the data sheet of a chip, its own or one `like` it, and the engine that its recipe names."""
    return pace_of_recipe(order.replica.recipe, order.model, like)


def pace_of_recipe(recipe: Recipe, model: ModelCard, like: Chip) -> Pace | Unpaced:
    """The same of a recipe."""
    input_tokens, output_tokens = usual_lengths(recipe)
    running = running_at(model, recipe, place_of_chip(like), input_tokens=input_tokens, output_tokens=output_tokens)
    found = pace_of(replace(running, concurrency=1, slots=recipe.concurrency))
    return Unpaced(why=f"its {found.missing} is not known ({found.value})") if isinstance(found, Unknown) else found
