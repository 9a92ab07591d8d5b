"""choice: the next replica of one service: which recipe at which node, and the reasons against all others. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Catalog, ModelCard
from alliage.decide.aiming.aims import Aim
from alliage.decide.carrying import Promise, carrying
from alliage.decide.places import place_of_node
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.decide.recipes import Way, ways
from alliage.decide.room import Room, Spot, spots
from alliage.fleet.failed import Failed
from alliage.fleet.ids import ServiceName
from alliage.fleet.measured import measured_on, recipe_key
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Recipe
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """A way at a spot, what it lacks there (None: it fits), and what it promises (None: not asked, or not known)."""

    way: Way
    spot: Spot
    lacks: Reason | None
    promise: Promise | None

    @property
    def label(self) -> str:
        rooms = self.spot.free_for(self.way.recipe) or self.spot.rooms[: self.way.devices]
        return label(self.way.recipe, " + ".join(room.id for room in rooms))


def label(recipe: Recipe, where: str) -> str:
    """`llama.cpp on cpu-x86 at laptop/cpu0, 4 x 4096 tokens`; without a place where it matters nowhere."""
    size = f"{recipe.concurrency} x {recipe.context_tokens} tokens"
    return f"{recipe.engine} on {recipe.chip}{f' at {where}' if where else ''}, {size}"


def choose(service: Service, view: FleetView, left: list[Room], catalog: Catalog, aim: Aim | None = None) -> Choice:
    """The first way that fits, at the spot with the most room; and why the others were not taken.

    With an `aim` only what it allows is taken, at the spot of devices given whole with the least room that does.

    Where an objective is asked, what is known to miss it is not taken, and the way that keeps it for the most requests a
    device comes first; those of unknown speed come last. Of spots that are alike in all that matters one is looked at.
    """
    options: list[_Option] = []
    rejected: list[Rejected] = []
    seen: set[object] = set()
    for spot in sorted(spots(left), key=_roomiest if aim is None else _tightest):
        state = _state(spot, view), aim is not None and spot.node in aim.kind.nodes
        if state in seen:
            continue
        seen.add(state)
        found, refused = _at(service, spot, view, catalog)
        options.extend(found)
        rejected.extend(refused)
    if service.objective.is_asked:
        options.sort(key=lambda option: -option.promise.users / option.way.devices if option.promise else 0.0)
    taken = next((option for option in options if option.lacks is None and _is_allowed(option, aim)), None)
    others = [option for option in options if option is not taken]
    for option in others:
        reason = option.lacks or (_worse(option, taken, aim) if taken is not None else None)
        rejected.extend([Rejected(option=option.label, reason=reason)] if reason is not None else [])
    if taken is None:
        changes = [change for option in others if option.lacks for change in _remedies(option.lacks, service, view)]
        changes.extend(_installs(tuple(rejected), service.model, catalog))
        changes.extend(_more_devices(tuple(rejected)))
    else:
        changes = _turning_points(taken, others)
    return Choice(
        recipe=taken.way.recipe if taken is not None else None,
        taken=taken.spot.free_for(taken.way.recipe) if taken is not None else (),
        promise=taken.promise if taken is not None else None,
        rejected=tuple(rejected[:REJECTED_MAX]),
        would_change=tuple(_unique(changes)),
    )


def _roomiest(spot: Spot) -> tuple[int, int]:
    return -spot.free_cores, -spot.free_bytes


def _tightest(spot: Spot) -> tuple[int, int]:
    """Gangs leave whole nodes free for larger ones; engines that share a CPU keep out of each other's way."""
    return (sum(1 for room in spot.rooms if not room.holders), 0) if spot.is_whole else _roomiest(spot)


def _is_allowed(option: _Option, aim: Aim | None) -> bool:
    return aim is None or aim.allows(option.spot.node, option.way.recipe)


def _state(spot: Spot, view: FleetView) -> object:
    """All of a spot that a choice depends on, but its name."""
    node = view.node(spot.node)
    engines = frozenset(found.engine for found in node.engines) if node is not None else None
    devices = tuple(
        (room.device.memory_bytes, len(room.device.cores), tuple(room.device.figures.items())) for room in spot.rooms
    )
    free = tuple((room.memory_bytes, len(room.cores), room.holders) for room in spot.rooms)
    failed = frozenset(each.recipe for each in view.failed if each.node == spot.node)
    return spot.site, spot.chip, engines, devices, free, failed


def take(room: Room, recipe: Recipe, service: ServiceName) -> Room:
    """What is left of one of the rooms that a replica of the recipe takes."""
    return replace(
        room,
        cores=room.cores[recipe.cores :],
        memory_bytes=room.memory_bytes - recipe.device_bytes,
        holders=tuple(dict.fromkeys((*room.holders, service))),
    )


def _at(service: Service, spot: Spot, view: FleetView, catalog: Catalog) -> tuple[list[_Option], tuple[Rejected, ...]]:
    """What could be done at one spot."""
    node, chip = view.node(spot.node), catalog.chips.get(spot.chip)
    if node is None:
        return [], ()
    if chip is None:
        unknown = Reason(code=ReasonCode.CHIP_UNKNOWN, facts={"chip": spot.chip, "node": node.id})
        return [], (Rejected(option=spot.rooms[0].id, reason=unknown),)
    if not _may_live(service, node):
        facts: Facts = {"node": node.id, "site": node.site, "residency": ", ".join(service.residency)}
        return [], (
            Rejected(option=f"{spot.chip} at {node.id}", reason=Reason(code=ReasonCode.RESIDENCY, facts=facts)),
        )
    failed = {each.recipe: each for each in view.failed if each.node == node.id}
    place = place_of_node(chip, node, tuple(room.device for room in spot.rooms))
    found = ways(service.model, place, catalog)
    options: list[_Option] = []
    rejected = list(found.rejected)
    for way in found.ways:
        if (mark := failed.get(recipe_key(way.recipe))) is not None:
            rejected.append(_failed_before(way, spot, mark))
            continue
        made = None
        if service.objective.is_asked:
            measured = measured_on(view.measured, node.id, is_rehearsed=node.is_rehearsed, odd=view.odd)
            made = carrying(service, way.recipe, place, view.demand.get(service.name), measured)
        if isinstance(made, Reason):
            where = " + ".join(room.id for room in spot.rooms[: way.devices])
            rejected.append(Rejected(option=label(way.recipe, where), reason=made))
            continue
        recipe = way.recipe if made is None else replace(way.recipe, concurrency=made.users)
        kept = replace(way, recipe=recipe)
        options.append(_Option(way=kept, spot=spot, lacks=_short_of(kept, spot), promise=made))
    return options, tuple(rejected)


def _may_live(service: Service, node: Node) -> bool:
    return not service.residency or bool({node.site, node.region, *node.tags} & set(service.residency))


def _failed_before(way: Way, spot: Spot, mark: Failed) -> Rejected:
    where = " + ".join(room.id for room in spot.rooms[: way.devices])
    facts: Facts = {"node": spot.node, "recipe": label(way.recipe, ""), "last_words": mark.why}
    return Rejected(option=label(way.recipe, where), reason=Reason(code=ReasonCode.RECIPE_FAILED, facts=facts))


def _short_of(way: Way, spot: Spot) -> Reason | None:
    """What the spot lacks for one more replica; None when it fits."""
    recipe = way.recipe
    if spot.free_for(recipe):
        return None
    if spot.is_whole and any(room.holders for room in spot.rooms):
        return Reason(code=ReasonCode.DEVICES_TAKEN, facts=_taken_facts(way, spot))
    room = max(spot.rooms, key=lambda room: room.memory_bytes)
    if recipe.device_bytes > room.memory_bytes or spot.is_whole:
        room = min(spot.rooms, key=lambda room: room.memory_bytes) if spot.is_whole else room
        return Reason(code=ReasonCode.MEMORY_SHORT, facts=_memory_facts(way, room, recipe.device_bytes))
    return Reason(code=ReasonCode.CORES_SHORT, facts=_cores_facts(recipe, room))


def _taken_facts(way: Way, spot: Spot) -> Facts:
    return {
        "node": spot.node,
        "chip": spot.chip,
        "needed": way.devices,
        "free": sum(1 for room in spot.rooms if not room.holders),
        "total": len(spot.rooms),
        "holders": ", ".join(dict.fromkeys(name for room in spot.rooms for name in room.holders)),
    }


def _memory_facts(way: Way, room: Room, needed_bytes: int) -> Facts:
    return {
        "node": room.node,
        "device": room.id,
        "needed_bytes": needed_bytes,
        "free_bytes": room.memory_bytes,
        "total_bytes": room.device.memory_bytes,
        "weight_bytes": way.weight_bytes,
        "kv_bytes": way.kv_bytes,
    }


def _cores_facts(recipe: Recipe, room: Room) -> Facts:
    return {
        "node": room.node,
        "device": room.id,
        "needed": recipe.cores,
        "free": len(room.cores),
        "total": len(room.device.cores),
        "holders": ", ".join(room.holders),
    }


def _worse(option: _Option, taken: _Option, aim: Aim | None) -> Reason:
    """What the option that was taken has before one that fits too."""
    if aim is not None and not _is_allowed(option, aim):
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


def _carries_facts(option: _Option, promised: Promise, way: Way) -> Facts:
    """0 users: its speed is not known."""
    users = option.promise.users if option.promise is not None else 0
    return {
        "users": users,
        "devices": option.way.devices,
        "than_users": promised.users,
        "than_devices": way.devices,
    }


def _turning_points(taken: _Option, others: list[_Option]) -> list[Reason]:
    """The loss of memory on the chosen device from which on the next best option would be taken."""
    instead = next((option for option in others if option.lacks is None), None)
    if instead is None or taken.way.devices > 1 or instead.way.devices > 1:
        return []
    facts: Facts = {
        "device": taken.spot.free_for(taken.way.recipe)[0].id,
        "below_bytes": taken.way.recipe.memory_bytes,
        "instead": instead.label,
    }
    return [Reason(code=ReasonCode.LOSE_MEMORY, facts=facts)]


def _remedies(reason: Reason, service: Service, view: FleetView) -> list[Reason]:
    """The smallest changes that would make room: one of the holders stopped, or memory added."""
    if reason.code is ReasonCode.MEMORY_SHORT:
        missing = int(reason.facts["needed_bytes"]) - int(reason.facts["free_bytes"])
        more: Facts = {"node": reason.facts["node"], "missing_bytes": missing}
        return [Reason(code=ReasonCode.ADD_MEMORY, facts=more)]
    short = int(reason.facts["needed"]) - int(reason.facts["free"])
    if reason.code is ReasonCode.DEVICES_TAKEN:
        held = _held(view, service, devices_of=(str(reason.facts["node"]), str(reason.facts["chip"])))
        return [
            Reason(
                code=ReasonCode.FREE_DEVICES, facts={"service": name, "devices": count, "node": reason.facts["node"]}
            )
            for name, count in held.items()
            if count >= short
        ]
    cores: dict[ServiceName, int] = {}
    for replica in view.replicas:
        for binding in replica.bindings:
            if binding.device == reason.facts["device"] and replica.service != service.name:
                cores[replica.service] = cores.get(replica.service, 0) + len(binding.cores)
    return [
        Reason(code=ReasonCode.STOP_SERVICE, facts={"service": name, "device": reason.facts["device"], "cores": count})
        for name, count in cores.items()
        if count >= short
    ]


def _held(view: FleetView, service: Service, *, devices_of: tuple[str, str]) -> dict[ServiceName, int]:
    """Devices of one chip at one node that each other service holds."""
    node_id, chip = devices_of
    mine = {device.id for node in view.nodes if node.id == node_id for device in node.devices if device.chip == chip}
    held: dict[ServiceName, int] = {}
    for replica in view.replicas:
        count = sum(1 for binding in replica.bindings if binding.device in mine)
        if count and replica.service != service.name:
            held[replica.service] = held.get(replica.service, 0) + count
    return held


def _installs(rejected: tuple[Rejected, ...], model: ModelCard, catalog: Catalog) -> list[Reason]:
    """Engines that would serve the model if the node had them."""
    missing = (entry.reason.facts for entry in rejected if entry.reason.code is ReasonCode.ENGINE_MISSING)
    return [
        Reason(code=ReasonCode.INSTALL_ENGINE, facts={"engine": facts["engine"], "node": facts["node"]})
        for facts in missing
        if model.weights.format in catalog.engines[str(facts["engine"])].formats
    ]


def _more_devices(rejected: tuple[Rejected, ...]) -> list[Reason]:
    """Nodes that would do with more devices of a chip that they have."""
    short = (entry.reason.facts for entry in rejected if entry.reason.code is ReasonCode.DEVICES_SHORT)
    return [
        Reason(
            code=ReasonCode.ADD_DEVICES,
            facts={"node": facts["node"], "chip": facts["chip"], "devices": facts["needed"], "has": facts["devices"]},
        )
        for facts in short
        if int(facts["needed"]) > int(facts["devices"])
    ]


def _unique(reasons: list[Reason]) -> list[Reason]:
    """Without repetition, in order."""
    seen: list[Reason] = []
    for reason in reasons:
        if reason not in seen:
            seen.append(reason)
    return seen
