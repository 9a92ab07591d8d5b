"""choice: the next replica of one service: which recipe at which node, and the reasons against all others. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from alliage.catalog.records import Catalog, ModelCard
from alliage.decide.aiming.aims import Aim
from alliage.decide.carrying import Promise
from alliage.decide.places import Place, place_of_node
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.decide.recipes import Way
from alliage.decide.reckoning import Reckoned, Reckoner
from alliage.decide.room import Room, Spot, rooms, spots
from alliage.fleet.failed import Failed
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.measured import RecipeKey, recipe_key
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Recipe, Replica
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
    """A way at a spot, and what it promises (None: not asked, or not known)."""

    way: Way
    spot: Spot
    promise: Promise | None

    @property
    def lacks(self) -> Reason | None:
        """What the spot lacks for it; None: it fits."""
        return _short_of(self.way, self.spot)

    @property
    def label(self) -> str:
        """What people read of it."""
        rooms = self.spot.free_for(self.way.recipe) or self.spot.rooms[: self.way.devices]
        return label(self.way.recipe, " + ".join(room.id for room in rooms))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """A spot with what is known of its node."""

    spot: Spot
    node: Node
    place: Place | None
    """None where its chip is not known."""
    failed: Mapping[RecipeKey, Failed]
    state: int
    """The same number, the same in all that a choice depends on."""
    roomiest: tuple[int, int]
    tightest: tuple[int, int]


class Sites:
    """The spots of a view, kept up to date while replicas are placed one after the other."""

    def __init__(self, view: FleetView, catalog: Catalog, left: Iterable[Room] | None = None) -> None:
        """`left` is the room there is; by default that of the view."""
        self._catalog = catalog
        self._nodes = {node.id: node for node in view.nodes}
        self._failed: dict[NodeId, dict[RecipeKey, Failed]] = {}
        for each in view.failed:
            self._failed.setdefault(each.node, {})[each.recipe] = each
        self._states: dict[object, int] = {}
        known = spots(rooms(view) if left is None else left)
        self._sites = [site for spot in known if (site := self._site(spot)) is not None]
        self.devices = sum(len(spot.rooms) for spot in known)

    def take(self, taken: tuple[Room, ...], recipe: Recipe, service: ServiceName) -> None:
        """A replica of the recipe takes these rooms of one spot."""
        for number, site in enumerate(self._sites):
            if site.spot.node == taken[0].node and site.spot.chip == recipe.chip:
                after = self._site(site.spot.without((room.id for room in taken), recipe, service))
                self._sites[number] = site if after is None else after

    def take_bed(self, replica: Replica) -> bool:
        """Whether one that sleeps can have its devices again; they are taken then."""
        for number, site in enumerate(self._sites):
            if site.spot.node == replica.node and (taken := site.spot.bed_of(replica)):
                after = self._site(site.spot.without((room.id for room in taken), replica.recipe, replica.service))
                self._sites[number] = site if after is None else after
                return True
        return False

    def ordered(self, service: ServiceName, aim: Aim | None) -> Iterator[_Site]:
        """In the order in which they are tried, nodes without the service first; of those that are alike in all that matters the first."""

        def order(site: _Site) -> tuple[bool, tuple[int, int]]:
            is_there = any(service in room.holders for room in site.spot.rooms)
            return is_there, site.roomiest if aim is None else site.tightest

        seen: set[tuple[int, bool]] = set()
        among = frozenset() if aim is None else frozenset(aim.kind.nodes)
        for site in sorted(self._sites, key=order):
            state = site.state, site.spot.node in among
            if state not in seen:
                seen.add(state)
                yield site

    def _site(self, spot: Spot) -> _Site | None:
        node, marks = self._nodes.get(spot.node), self._failed.get(spot.node, {})
        if node is None:
            return None
        chip = self._catalog.chips.get(spot.chip)
        state = _state(spot, node), frozenset(marks)
        return _Site(
            spot=spot,
            node=node,
            place=None if chip is None else place_of_node(chip, node, tuple(room.device for room in spot.rooms)),
            failed=marks,
            state=self._states.setdefault(state, len(self._states)),
            roomiest=_roomiest(spot),
            tightest=_tightest(spot),
        )


def label(recipe: Recipe, where: str) -> str:
    """`llama.cpp on cpu-x86 at laptop/cpu0, 4 x 4096 tokens`; without a place where it matters nowhere."""
    size = f"{recipe.concurrency} x {recipe.context_tokens} tokens"
    return f"{recipe.engine} on {recipe.chip}{f' at {where}' if where else ''}, {size}"


def choose(service: Service, view: FleetView, sites: Sites, reckoner: Reckoner, *, aim: Aim | None = None) -> Choice:
    """The first way that fits, at the spot with the most room; and why the others were not taken.

    With an `aim` only what it allows is taken, at the spot of devices given whole with the least room that does; where
    there is none, nothing more is told.

    Where an objective is asked, what is known to miss it is not taken, and the way that keeps it for the most requests a
    device comes first; those of unknown speed come last. Of spots that are alike in all that matters one is looked at.
    """
    tried = tuple(sites.ordered(service.name, aim))
    options = [option for site in tried for option in _options(service, site, view, reckoner)]
    if service.objective.is_asked:
        options.sort(key=lambda option: -option.promise.users / option.way.devices if option.promise else 0.0)
    taken = _least_disturbing(option for option in options if _is_allowed(option, aim) and option.lacks is None)
    if taken is None and aim is not None:
        return Choice(recipe=None, taken=(), promise=None, rejected=(), would_change=())
    others = [option for option in options if option is not taken]
    refused = (each for site in tried for each in _refused(service, site, view, reckoner))
    if taken is not None:
        rejected = tuple(islice(chain(refused, _worse_ones(others, taken, aim)), REJECTED_MAX))
        return Choice(
            recipe=taken.way.recipe,
            taken=taken.spot.free_for(taken.way.recipe),
            promise=taken.promise,
            rejected=rejected,
            would_change=tuple(_turning_points(taken, others)),
        )
    lacking = [(option, lacks) for option in others if (lacks := option.lacks) is not None]
    every = (*refused, *(Rejected(option=option.label, reason=lacks) for option, lacks in lacking))
    changes = [change for _, lacks in lacking for change in _remedies(lacks, service, view)]
    changes.extend(_installs(every, service.model, reckoner.catalog))
    changes.extend(_more_devices(every))
    return Choice(
        recipe=None, taken=(), promise=None, rejected=every[:REJECTED_MAX], would_change=tuple(_unique(changes))
    )


def _least_disturbing(fitting: Iterator[_Option]) -> _Option | None:
    """The first of them, at the spot where the fewest sleep that could not wake then."""
    first = next(fitting, None)
    if first is None or not _disturbed(first):
        return first
    return min((first, *(each for each in fitting if each.way.recipe == first.way.recipe)), key=_disturbed)


def _disturbed(option: _Option) -> int:
    return sum(room.sleepers for room in option.spot.free_for(option.way.recipe))


def _worse_ones(others: list[_Option], taken: _Option, aim: Aim | None) -> Iterator[Rejected]:
    """Why each of the others was not taken."""
    for option in others:
        yield Rejected(option=option.label, reason=option.lacks or _worse(option, taken, aim))


def _roomiest(spot: Spot) -> tuple[int, int]:
    return -spot.free_cores, -spot.free_bytes


def _tightest(spot: Spot) -> tuple[int, int]:
    """Gangs leave whole nodes free for larger ones; engines that share a CPU keep out of each other's way."""
    return (sum(1 for room in spot.rooms if not room.holders), 0) if spot.is_whole else _roomiest(spot)


def _is_allowed(option: _Option, aim: Aim | None) -> bool:
    return aim is None or aim.allows(option.spot.node, option.way.recipe)


def _state(spot: Spot, node: Node) -> object:
    """All of a spot that a choice depends on, but its name and what failed there."""
    engines = frozenset(found.engine for found in node.engines)
    devices = tuple(
        (room.device.memory_bytes, len(room.device.cores), tuple(room.device.figures.items())) for room in spot.rooms
    )
    free = tuple((room.memory_bytes, len(room.cores), room.holders, room.sleepers) for room in spot.rooms)
    return spot.site, spot.chip, engines, devices, free


def _options(service: Service, site: _Site, view: FleetView, reckoner: Reckoner) -> Iterator[_Option]:
    """What could be done at one spot."""
    for each in _reckoned(service, site, view, reckoner):
        if site.failed and recipe_key(each.way.recipe) in site.failed:
            continue
        if not service.objective.is_asked:
            yield _Option(way=each.way, spot=site.spot, promise=None)
        elif each.carried is None or isinstance(each.carried, Promise):
            yield _Option(way=each.promised, spot=site.spot, promise=each.carried)


def _refused(service: Service, site: _Site, view: FleetView, reckoner: Reckoner) -> Iterator[Rejected]:
    """What could not, whatever room there is."""
    spot, node = site.spot, site.node
    if site.place is None:
        unknown = Reason(code=ReasonCode.CHIP_UNKNOWN, facts={"chip": spot.chip, "node": node.id})
        yield Rejected(option=spot.rooms[0].id, reason=unknown)
        return
    if not _may_live(service, node):
        facts: Facts = {"node": node.id, "site": node.site, "residency": ", ".join(service.residency)}
        yield Rejected(option=f"{spot.chip} at {node.id}", reason=Reason(code=ReasonCode.RESIDENCY, facts=facts))
        return
    yield from reckoner.rejected(service.model, site.place)
    for each in _reckoned(service, site, view, reckoner):
        if site.failed and (mark := site.failed.get(recipe_key(each.way.recipe))) is not None:
            yield _failed_before(each.way, spot, mark)
        elif service.objective.is_asked and isinstance(each.carried, Reason):
            where = " + ".join(room.id for room in spot.rooms[: each.way.devices])
            yield Rejected(option=label(each.way.recipe, where), reason=each.carried)


def _reckoned(service: Service, site: _Site, view: FleetView, reckoner: Reckoner) -> tuple[Reckoned, ...]:
    if site.place is None or not _may_live(service, site.node):
        return ()
    node = site.node
    return reckoner.at(service, site.place, node.id, view, is_rehearsed=node.is_rehearsed)


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
