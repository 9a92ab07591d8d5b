"""An experiment -> its replicas: recipes and their promises by the real decisions, paces by the real speed model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from alliage.catalog.records import Catalog, Chip, ModelCard
from alliage.decide.carrying import Promise, promise, running_at, usual_lengths
from alliage.decide.places import Place, place_of_chip, places_of_node
from alliage.decide.recipes import Size, Way, ways
from alliage.errors import BadInput
from alliage.fleet.replicas import Recipe
from alliage.rehearsal.fleet_file import RehearsedNode, read_fleet
from alliage.replay.requests.experiment import Experiment
from alliage.speed.pace import Pace, pace_of
from alliage.speed.predict import Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Playable:
    """One replica: its recipe, how its engine spends time, and how much faster than that its devices are."""

    name: str
    recipe: Recipe
    pace: Pace
    speed: float
    is_known: bool = True
    """Whether a router is told its pace; False where that is another chip's, which a fleet's file says it is like."""


def make_replicas(experiment: Experiment, catalog: Catalog) -> tuple[Playable, ...]:
    """The replicas in the order of the file. BadInput where a chip has no room for them or no recipe of the model."""
    model = catalog.models.get(experiment.model)
    if model is None:
        raise BadInput(
            f"{experiment.path}: there is no model {experiment.model!r}", remedy="`alliage models` lists them"
        )
    nodes = read_fleet(experiment.fleet, catalog)
    return tuple(
        each for chip, count in experiment.counts for each in _of_chip(experiment, model, nodes, chip, count, catalog)
    )


def _of_chip(  # noqa: PLR0917 - what a recipe is made of
    experiment: Experiment,
    model: ModelCard,
    nodes: tuple[RehearsedNode, ...],
    chip: str,
    count: int,
    catalog: Catalog,
) -> Iterator[Playable]:
    """Node by node, as many as it has devices for."""
    left = count
    for node in nodes:
        for place in places_of_node(node.node, catalog):
            if place.chip.id != chip or not left:
                continue
            way = _best(experiment, model, place, catalog)
            if way is None:
                raise BadInput(
                    f"{experiment.path}: no recipe of {model.id} on {chip} keeps the objective",
                    remedy="ask for less, or leave that chip out (`alliage fit` tells why)",
                )
            here = min(left, place.devices // way.devices)
            pace = _pace(experiment, model, way.recipe, node.likes[chip])
            for number in range(here):
                name = f"{node.node.id}/{number}"
                is_known = node.likes[chip].id == chip
                yield Playable(name=name, recipe=way.recipe, pace=pace, speed=node.speeds[chip], is_known=is_known)
            left -= here
    if left:
        raise BadInput(
            f"{experiment.path}: {count} replicas on {chip}: devices for {count - left} of them are in {experiment.fleet}",
            remedy="ask for fewer, or name a larger fleet",
        )


def _best(experiment: Experiment, model: ModelCard, place: Place, catalog: Catalog) -> Way | None:
    """What `decide.choice` would take of one chip: the most requests a device that keep the objective, else few devices."""
    sizes = (Size(concurrency=experiment.concurrency, context_tokens=experiment.context_tokens),)
    known: list[tuple[float, Way]] = []
    for way in ways(model, place, catalog, sizes=sizes).ways:
        made = promise(model, experiment.objective, way.recipe, place)
        if isinstance(made, Promise):
            users = min(made.users, experiment.concurrency)
            kept = replace(way, recipe=replace(way.recipe, concurrency=users))
            known.append((-users / way.devices, kept))
        elif made is None:
            known.append((0.0, way))
    return min(known, key=lambda each: each[0])[1] if known else None


def _pace(experiment: Experiment, model: ModelCard, recipe: Recipe, like: Chip) -> Pace:
    """As a rehearsed replica would have it (`rehearsal.pacing`)."""
    input_tokens, output_tokens = usual_lengths(recipe)
    running = running_at(model, recipe, place_of_chip(like), input_tokens=input_tokens, output_tokens=output_tokens)
    found = pace_of(replace(running, concurrency=1, slots=recipe.concurrency))
    if isinstance(found, Unknown):
        raise BadInput(
            f"{experiment.path}: {recipe.chip} cannot be replayed: its {found.missing} is not known ({found.value})",
            remedy="rehearse it `like` another chip in the fleet file",
        )
    return found


def count_devices(replicas: tuple[Playable, ...]) -> Mapping[str, int]:
    """Devices in use, by chip."""
    devices: dict[str, int] = {}
    for each in replicas:
        devices[each.recipe.chip] = devices.get(each.recipe.chip, 0) + each.recipe.devices
    return devices
