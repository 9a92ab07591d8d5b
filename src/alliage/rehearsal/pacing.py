"""The pace of an ordered replica, from its recipe and the catalogue: what the real engine is expected to do."""

from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.actions import StartReplica
from alliage.speed.figures import chip_figures
from alliage.speed.learned import Load, running_of
from alliage.speed.pace import Pace, pace_of
from alliage.speed.predict import Unknown

INPUT_TOKENS: Final = 1024
OUTPUT_TOKENS: Final = 256
"""How long requests are reckoned to be, where the recipe has room for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaced:
    """It cannot be rehearsed, and why."""

    why: str


def pace_of_replica(order: StartReplica, catalog: Catalog) -> Pace | Unpaced:
    """How fast a replica is, by the data sheet of its chip and the engine that its recipe names."""
    recipe = order.replica.recipe
    chip = catalog.chips.get(recipe.chip)
    if chip is None:
        return Unpaced(why=f"the chip {recipe.chip} is not in the catalogue")
    figures = chip_figures(chip)
    context = recipe.context_tokens
    load = Load(
        concurrency=1,
        input_tokens=max(1, min(INPUT_TOKENS, context // 2)),
        output_tokens=max(1, min(OUTPUT_TOKENS, context // 4)),
    )
    running = running_of(recipe, order.model, figures, load)
    memory_bytes = (figures.memory_bytes or 0.0) * recipe.pipeline_parallel
    staged = replace(running, devices=recipe.tensor_parallel, memory_bytes=memory_bytes or None)
    found = pace_of(staged)
    return Unpaced(why=f"its {found.missing} is not known ({found.value})") if isinstance(found, Unknown) else found
