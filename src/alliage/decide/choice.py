"""choice: the next replica of one service: which recipe at which node, and the reasons against all others. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from alliage.decide.aiming.aims import Aim
from alliage.decide.carrying import Promise
from alliage.decide.option import Option
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.decide.recipes import Way
from alliage.decide.remedies import installs, more_devices, remedies, unique
from alliage.decide.room import Room
from alliage.decide.sites import Sites
from alliage.fleet.replicas import Recipe
from alliage.fleet.services import Service

REJECTED_MAX: Final = 50
"""Options that a decision names beside the one taken; on a large fleet the rest are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The recipe and the rooms it takes, or None and none; why not the others; what would change the answer."""

    recipe: Recipe | None
    taken: tuple[Room, ...]
    promise: Promise | None
    """What the recipe is predicted to keep; None where no objective was asked or no speed is known."""
    rejected: tuple[Rejected, ...]
    would_change: tuple[Reason, ...]

    @property
    def where(self) -> str:
        """`rack-1/ascend0 + rack-1/ascend1`; "" when nothing was taken."""
        return " + ".join(room.id for room in self.taken)


def choose(service: Service, sites: Sites, *, aim: Aim | None = None) -> Choice:
    """The first way that fits, at the spot with the most room; and why the others were not taken.

    With an `aim` only what it allows is taken, at the spot of devices given whole with the least room that does; where
    there is none, nothing more is told.

    Where an objective is asked, what is known to miss it is not taken, and the way that keeps it for the most requests a
    device comes first; those of unknown speed come last. Of spots that are alike in all that matters one is looked at.
    """
    tried = tuple(sites.ordered(service.name, aim))
    options = [option for site in tried for option in sites.options(service, site)]
    if service.objective.is_asked:
        options.sort(key=lambda option: -option.users_per_device)
    taken = next(_fitting(options, aim), None)
    if taken is None and aim is not None:
        return Choice(recipe=None, taken=(), promise=None, rejected=(), would_change=())
    others = [option for option in options if option is not taken]
    refused = (each for site in tried for each in sites.refused(service, site))
    if taken is not None:
        rejected = tuple(islice(chain(refused, _worse_ones(others, taken, aim)), REJECTED_MAX))
        return Choice(
            recipe=taken.way.recipe,
            taken=taken.taken,
            promise=taken.promise,
            rejected=rejected,
            would_change=tuple(_turning_points(taken, others)),
        )
    lacking = [(option, lacks) for option in others if (lacks := option.lacks) is not None]
    every = (*refused, *(Rejected(option=option.label, reason=lacks) for option, lacks in lacking))
    changes = list(remedies((lacks for _, lacks in lacking), service, sites.view))
    changes.extend(installs(every, service.model, sites.reckoner.catalog))
    changes.extend(more_devices(every))
    return Choice(recipe=None, taken=(), promise=None, rejected=every[:REJECTED_MAX], would_change=unique(changes))


def _fitting(options: Sequence[Option], aim: Aim | None) -> Iterator[Option]:
    """Those that have room, and that the aim allows."""
    if aim is None:
        return (option for option in options if option.taken)
    nodes = frozenset(aim.kind.nodes)
    return (
        option
        for option in options
        if option.taken and option.spot.node in nodes and aim.allows(option.spot.node, option.way.recipe)
    )


def _worse_ones(others: Sequence[Option], taken: Option, aim: Aim | None) -> Iterator[Rejected]:
    """Why each of the others was not taken."""
    for option in others:
        yield Rejected(option=option.label, reason=option.lacks or _worse(option, taken, aim))


def _worse(option: Option, taken: Option, aim: Aim | None) -> Reason:
    """What the option that was taken has before one that fits too."""
    if aim is not None and not aim.allows(option.spot.node, option.way.recipe):
        return Reason(code=ReasonCode.NOT_PLANNED, facts={"instead": aim.way})
    mine, other = option.way.recipe, taken.way.recipe
    if taken.promise is not None and (option.promise, option.way.devices) != (taken.promise, taken.way.devices):
        return Reason(code=ReasonCode.CARRIES_LESS, facts=_carries_facts(option, taken.promise, taken.way))
    if option.spot is not taken.spot:
        facts: Facts = {
            "node": option.spot.node,
            "device": option.spot.rooms[0].id,
            "free": option.spot.free_cores,
            "free_bytes": option.spot.free_bytes,
            "than": taken.spot.rooms[0].id,
        }
        return Reason(code=ReasonCode.LESS_ROOM, facts=facts)
    if option.way.devices > taken.way.devices:
        facts = {"chip": mine.chip, "devices": option.way.devices, "than_devices": taken.way.devices}
        return Reason(code=ReasonCode.MORE_DEVICES, facts=facts)
    facts = {
        "concurrency": mine.concurrency,
        "context_tokens": mine.context_tokens,
        "than_concurrency": other.concurrency,
        "than_context_tokens": other.context_tokens,
    }
    return Reason(code=ReasonCode.SMALLER_SIZE, facts=facts)


def _carries_facts(option: Option, promised: Promise, way: Way) -> Facts:
    """0 users: its speed is not known."""
    users = option.promise.users if option.promise is not None else 0
    return {
        "users": users,
        "devices": option.way.devices,
        "than_users": promised.users,
        "than_devices": way.devices,
    }


def _turning_points(taken: Option, others: list[Option]) -> list[Reason]:
    """The loss of memory on the chosen device from which on the next best option would be taken."""
    if taken.way.devices > 1:
        return []
    instead = next((option for option in others if option.taken), None)
    if instead is None or instead.way.devices > 1:
        return []
    facts: Facts = {
        "device": taken.taken[0].id,
        "below_bytes": taken.way.recipe.memory_bytes,
        "instead": instead.label,
    }
    return [Reason(code=ReasonCode.LOSE_MEMORY, facts=facts)]
