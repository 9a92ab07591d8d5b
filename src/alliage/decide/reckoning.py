"""reckoning: what a service's recipes carry at a place, remembered: it is most of the work of outlook and choice.

A memory of pure answers only: it may be emptied, or left out, at any time.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Catalog, ModelCard
from alliage.decide.carrying import Promise, carrying
from alliage.decide.places import Place
from alliage.decide.reasons import Reason, Rejected
from alliage.decide.recipes import Way, sized, ways
from alliage.fleet.demand import Demand
from alliage.fleet.ids import NodeId
from alliage.fleet.measured import Measured, measured_on
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView

REMEMBERED_MAX: Final = 20_000
"""Answers after which all are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """A way, and what it carries: a promise, the reason why it is too slow, or None where its speed is not known."""

    way: Way
    carried: Promise | Reason | None
    promised: Way
    """The way, its recipe for as many requests as it carries."""


class Reckoner:
    """Answers for one catalogue."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.made = 0
        """Answers to `at` that were not remembered."""
        self._reckoned: dict[object, tuple[Reckoned, ...]] = {}
        self._rejected: dict[object, tuple[Rejected, ...]] = {}
        self._measured: Sequence[Measured] = ()
        self._odd: AbstractSet[NodeId] = frozenset()
        self._grouped: dict[tuple[str, str], list[Measured]] = {}
        self._seen: dict[object, tuple[int, tuple[Measured, ...]]] = {}
        self._numbers: dict[tuple[Measured, ...], int] = {}

    def at(
        self, service: Service, place: Place, node: NodeId, view: FleetView, *, is_rehearsed: bool
    ) -> tuple[Reckoned, ...]:
        """Every way of the service's model at a place of this node, in the order of `ways`."""
        demand = view.demand.get(service.name)
        number, seen = self._counting(service.model.id, place.chip.id, node, view, is_rehearsed=is_rehearsed)
        lengths = None if demand is None else (demand.input_tokens, demand.output_tokens)
        key = _of_model(service.model), service.objective, lengths, _of_place(place), number
        found = self._reckoned.get(key)
        if found is None:
            self.made += 1
            made = ways(service.model, place, self.catalog).ways
            found = self._reckoned[key] = tuple(
                each for way in made for each in _reckoned(service, way, place, demand, seen)
            )
        return found

    def rejected(self, model: ModelCard, place: Place) -> tuple[Rejected, ...]:
        """What `ways` says of those that cannot be at this very place."""
        key = _of_model(model), _of_place(place), place.node
        found = self._rejected.get(key)
        if found is None:
            found = self._rejected[key] = ways(model, place, self.catalog).rejected
        return found

    def number(self, model: str, chip: str, node: NodeId, view: FleetView, *, is_rehearsed: bool) -> int:
        """Stands for the measurements that count for a model on the chip at a node: the same number, the same measurements."""
        return self._counting(model, chip, node, view, is_rehearsed=is_rehearsed)[0]

    def _counting(
        self, model: str, chip: str, node: NodeId, view: FleetView, *, is_rehearsed: bool
    ) -> tuple[int, tuple[Measured, ...]]:
        if view.measured is not self._measured or view.odd != self._odd:
            self._look_at(view)
        key = model, chip, is_rehearsed, node if node in view.odd else None
        found = self._seen.get(key)
        if found is None:
            seen = measured_on(self._grouped.get((model, chip), ()), node, is_rehearsed=is_rehearsed, odd=view.odd)
            found = self._seen[key] = self._numbers.setdefault(seen, len(self._numbers)), seen
        return found

    def _look_at(self, view: FleetView) -> None:
        """Others were measured. Here, between two views, what is too much is forgotten."""
        self._measured, self._odd = view.measured, view.odd
        self._grouped, self._seen = {}, {}
        for each in view.measured:
            self._grouped.setdefault((each.model, each.chip), []).append(each)
        if len(self._reckoned) + len(self._rejected) + len(self._numbers) > REMEMBERED_MAX:
            self._reckoned, self._rejected, self._numbers = {}, {}, {}


def _reckoned(
    service: Service, way: Way, place: Place, demand: Demand | None, seen: tuple[Measured, ...]
) -> Iterator[Reckoned]:
    """The way; and where more requests than its own take more memory too, by itself, for where that is not free now."""
    carried = carrying(service, way, place, demand, seen)
    promised = sized(way, carried.users) if isinstance(carried, Promise) else way
    yield Reckoned(way=way, carried=carried, promised=promised)
    if promised.recipe.memory_bytes > way.recipe.memory_bytes:
        own = replace(way, users_max=way.recipe.concurrency)
        yield Reckoned(way=way, carried=carrying(service, own, place, demand, seen), promised=way)


def _of_model(model: ModelCard) -> object:
    return model.id, model.precision, model.weights.source, model.weights.revision


def _of_place(place: Place) -> object:
    """All that `ways` and `carrying` look at; a node's own figures are those of its own CPU."""
    own = place.node if place.cores else None
    return place.chip.id, place.devices, place.device_bytes, place.cores, place.engines, own
