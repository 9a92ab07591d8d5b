"""What a live point's cloud is asked for: engines that offer the experiment's size, and the replicas as they then are in replay."""

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from alliage.app.home import Home
from alliage.catalog.loader import load_catalog
from alliage.fleet.replicas import Evidence, Recipe
from alliage.rehearsal.fleet_file import read_fleet
from alliage.rehearsal.pacing import Unpaced, pace_of_recipe
from alliage.replay.requests.experiment import Experiment
from alliage.replay.requests.making import Playable

ENGINES = ("vllm", "sglang", "mindie")


def offer_size(home: Home, experiment: Experiment) -> None:
    """The catalogue's engines with the slots and context of the experiment, as an admin's own in that home."""
    folder = home.catalog / "engines"
    folder.mkdir(parents=True)
    for engine in ENGINES:
        text = (files("alliage.catalog") / "data" / "engines" / f"{engine}.toml").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^slots = .*$", f"slots = {experiment.concurrency}", text)
        text = re.sub(r"(?m)^context_tokens_max = .*$", f"context_tokens_max = {experiment.context_tokens}", text)
        (folder / f"{engine}.toml").write_text(text, encoding="utf-8")


def playables(
    experiment: Experiment, found: Sequence[dict[str, Any]], catalogs: Sequence[Path]
) -> tuple[Playable, ...]:
    """The replicas that the admin API told of, at the pace that their rehearsed engines keep."""
    catalog = load_catalog(*catalogs)
    nodes = {str(each.node.id): each for each in read_fleet(experiment.fleet, catalog)}
    made = []
    for each in found:
        recipe, node = _recipe(each["recipe"]), nodes[each["node"]]
        like = node.likes[recipe.chip]
        pace = pace_of_recipe(recipe, catalog.models[recipe.model], like)
        if isinstance(pace, Unpaced):
            raise SystemExit(f"{each['id']} cannot be replayed: {pace.why}")
        made.append(
            Playable(
                name=each["id"],
                recipe=recipe,
                pace=pace,
                speed=node.speeds[recipe.chip],
                is_known=like.id == recipe.chip,
            )
        )
    return tuple(made)


def tell(made: Sequence[Playable]) -> str:
    """A line for each."""
    return "\n".join(
        f"  {each.recipe.devices} x {each.recipe.chip}, {each.recipe.engine}: {each.pace.slots} slots, "
        f"{each.recipe.context_tokens} tokens each, {each.pace.kv_tokens} of cache"
        for each in made
    )


def _recipe(told: dict[str, Any]) -> Recipe:
    return Recipe(**{**told, "evidence": Evidence(told["evidence"])})
