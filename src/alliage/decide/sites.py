"""sites: the devices of a view, by node and chip, while replicas are placed one after the other; what could stand at each. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from alliage.decide.aiming.aims import Aim
from alliage.decide.carrying import Promise
from alliage.decide.homes import may_live
from alliage.decide.option import Option, an_option, label
from alliage.decide.places import Place, place_of_node
from alliage.decide.reasons import Facts, Reason, ReasonCode, Rejected
from alliage.decide.recipes import Way
from alliage.decide.reckoning import Reckoned, Reckoner
from alliage.decide.room import Room, Spot, rooms, spots
from alliage.fleet.failed import Failed
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.lifecycles import NodePhase
from alliage.fleet.measured import RecipeKey, recipe_key
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Recipe
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Site:
    """A spot with what is known of its node, and what was asked of it. A spot of which something is taken is another site."""

    spot: Spot
    node: Node
    place: Place | None
    """None where its chip is not known."""
    failed: Mapping[RecipeKey, Failed]
    state: int
    """The same number, the same in all that a choice depends on."""
    holders: frozenset[ServiceName]
    roomiest: tuple[int, int]
    tightest: tuple[int, int]
    options: dict[ServiceName, tuple[Option, ...]]
    refused: dict[ServiceName, tuple[Rejected, ...]]


class Sites:
    """The spots of a view, kept up to date while replicas are placed one after the other."""

    def __init__(self, view: FleetView, reckoner: Reckoner, left: Iterable[Room] | None = None) -> None:
        """`left` is the room there is; by default that of the view."""
        self.view = view
        self.reckoner = reckoner
        self._left = None if left is None else tuple(left)
        self._states: dict[object, int] = {}

    @property
    def devices(self) -> int:
        """How many devices there are that take anything."""
        if self._left is not None:
            return len(self._left)
        ready = (node for node in self.view.nodes if node.phase is NodePhase.READY)
        return sum(1 for node in ready for device in node.devices if node.takes(device.id))

    def take(self, taken: tuple[Room, ...], recipe: Recipe, service: ServiceName) -> None:
        """A replica of the recipe takes these rooms of one spot."""
        where = taken[0].node, recipe.chip
        spot = self._sites[where].spot.without((room.id for room in taken), recipe, service)
        self._sites[where] = self._site(spot, self._sites[where].node, self._sites[where].failed)

    def ordered(self, service: ServiceName, aim: Aim | None) -> Iterator[Site]:
        """In the order in which they are tried, nodes without the service first; of those that are alike in all that matters the first."""

        def order(site: Site) -> tuple[bool, tuple[int, int]]:
            return service in site.holders, site.roomiest if aim is None else site.tightest

        seen: set[tuple[int, bool]] = set()
        among = frozenset() if aim is None else frozenset(aim.kind.nodes)
        for site in sorted(self._sites.values(), key=order):
            state = site.state, site.spot.node in among
            if state not in seen:
                seen.add(state)
                yield site

    def options(self, service: Service, site: Site) -> tuple[Option, ...]:
        """What could be done at one of them; asked again before anything of it is taken, it is not reckoned again."""
        found = site.options.get(service.name)
        if found is None:
            found = site.options[service.name] = tuple(self._options(service, site))
        return found

    def refused(self, service: Service, site: Site) -> tuple[Rejected, ...]:
        """What could not be done there, whatever room there is."""
        found = site.refused.get(service.name)
        if found is None:
            found = site.refused[service.name] = tuple(self._refused(service, site))
        return found

    @cached_property
    def _sites(self) -> dict[tuple[NodeId, str], Site]:
        """By node and chip; made when the first of them is asked for, since most passes place nothing."""
        nodes = {node.id: node for node in self.view.nodes}
        failed: dict[NodeId, dict[RecipeKey, Failed]] = {}
        for each in self.view.failed:
            failed.setdefault(each.node, {})[each.recipe] = each
        return {
            (spot.node, spot.chip): self._site(spot, nodes[spot.node], failed.get(spot.node, {}))
            for spot in spots(rooms(self.view) if self._left is None else self._left)
            if spot.node in nodes
        }

    def _site(self, spot: Spot, node: Node, failed: Mapping[RecipeKey, Failed]) -> Site:
        chip = self.reckoner.catalog.chips.get(spot.chip)
        state = _state(spot, node), frozenset(failed)
        return Site(
            spot=spot,
            node=node,
            place=None if chip is None else place_of_node(chip, node, tuple(room.device for room in spot.rooms)),
            failed=failed,
            state=self._states.setdefault(state, len(self._states)),
            holders=frozenset(name for room in spot.rooms for name in room.holders),
            roomiest=_roomiest(spot),
            tightest=_tightest(spot),
            options={},
            refused={},
        )

    def _options(self, service: Service, site: Site) -> Iterator[Option]:
        for each in self._reckoned(service, site):
            if site.failed and recipe_key(each.way.recipe) in site.failed:
                continue
            if not service.objective.is_asked:
                yield an_option(each.way, site.spot, None)
            elif each.carried is None or isinstance(each.carried, Promise):
                yield an_option(each.promised, site.spot, each.carried)

    def _refused(self, service: Service, site: Site) -> Iterator[Rejected]:
        spot, node = site.spot, site.node
        if site.place is None:
            unknown = Reason(code=ReasonCode.CHIP_UNKNOWN, facts={"chip": spot.chip, "node": node.id})
            yield Rejected(option=spot.rooms[0].id, reason=unknown)
            return
        if not may_live(service, node):
            facts: Facts = {"node": node.id, "site": node.site, "residency": ", ".join(service.residency)}
            yield Rejected(option=f"{spot.chip} at {node.id}", reason=Reason(code=ReasonCode.RESIDENCY, facts=facts))
            return
        yield from self.reckoner.rejected(service.model, site.place)
        for each in self._reckoned(service, site):
            if site.failed and (mark := site.failed.get(recipe_key(each.way.recipe))) is not None:
                yield _failed_before(each.way, spot, mark)
            elif service.objective.is_asked and isinstance(each.carried, Reason):
                where = " + ".join(room.id for room in spot.rooms[: each.way.devices])
                yield Rejected(option=label(each.way.recipe, where), reason=each.carried)

    def _reckoned(self, service: Service, site: Site) -> tuple[Reckoned, ...]:
        if site.place is None or not may_live(service, site.node):
            return ()
        node = site.node
        return self.reckoner.at(service, site.place, node.id, self.view, is_rehearsed=node.is_rehearsed)


def _roomiest(spot: Spot) -> tuple[int, int]:
    return -spot.free_cores, -spot.free_bytes


def _tightest(spot: Spot) -> tuple[int, int]:
    """Gangs leave whole nodes free for larger ones; engines that share a CPU keep out of each other's way."""
    return (sum(1 for room in spot.rooms if not room.holders), 0) if spot.is_whole else _roomiest(spot)


def _state(spot: Spot, node: Node) -> object:
    """All of a spot that a choice depends on, but its name and what failed there."""
    engines = frozenset(found.engine for found in node.engines)
    devices = tuple(
        (room.device.memory_bytes, len(room.device.cores), tuple(room.device.figures.items())) for room in spot.rooms
    )
    free = tuple((room.memory_bytes, len(room.cores), room.holders) for room in spot.rooms)
    return spot.site, spot.chip, engines, devices, free


def _failed_before(way: Way, spot: Spot, mark: Failed) -> Rejected:
    where = " + ".join(room.id for room in spot.rooms[: way.devices])
    facts: Facts = {"node": spot.node, "recipe": label(way.recipe, ""), "last_words": mark.why}
    return Rejected(option=label(way.recipe, where), reason=Reason(code=ReasonCode.RECIPE_FAILED, facts=facts))
