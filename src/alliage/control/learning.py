"""learning: what gateways saw of replicas at work -> measurements, where they are not as predicted. Memory may be lost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from statistics import fmean
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.observed import DoorReport
from alliage.decide.carrying import lengths_of, running_at
from alliage.decide.places import place_of_node
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.measured import Measured, Origin, RecipeKey, measured_on, recipe_key
from alliage.fleet.nodes import Node
from alliage.fleet.replicas import Replica
from alliage.fleet.traffic import ReplicaTraffic
from alliage.fleet.view import FleetView
from alliage.speed.learned import calibration_of
from alliage.speed.predict import Speed, predict

WINDOW_S: Final = 20.0
ANSWERS_LEAST: Final = 8
TOKENS_LEAST: Final = 200
"""A window is looked at when it is so long and so many streams and tokens were seen in it."""
APART: Final = 1.25
"""What differs from its prediction by more is a measurement worth keeping; less is within the model's own error."""
NOW_S: Final = 3.0
"""What running streams show is of about so long."""
ODD_FOR_S: Final = 1800.0
ODD: Final = 0.7
"""A node that does less than this part of what the others of its make do is odd."""


@dataclass(slots=True)
class _Window:
    """What was seen of one replica since `began_s`."""

    began_s: float
    answered: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    first_tokens: int = 0
    ttft_s: float = 0.0
    decode_tokens: int = 0
    decode_s: float = 0.0
    busy_s: float = 0.0

    def add(self, new: ReplicaTraffic) -> None:
        """So much more."""
        self.answered += new.answered
        self.input_tokens += new.input_tokens
        self.output_tokens += new.output_tokens
        self.first_tokens += new.first_tokens
        self.ttft_s += new.ttft_s
        self.decode_tokens += new.decode_tokens
        self.decode_s += new.decode_s
        self.busy_s += new.busy_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The figures of a measurement, as Measured says."""

    at_s: float
    concurrency: int
    input_tokens: int
    output_tokens: int
    ttft_s: float
    tpot_s: float
    requests: int
    duration_s: float


@dataclass(slots=True)
class Learning:
    """Takes the reports of all gateways at each pass."""

    catalog: Catalog
    _windows: dict[ReplicaId, _Window] = field(default_factory=dict)
    _seen: dict[tuple[str, ReplicaId], ReplicaTraffic] = field(default_factory=dict)
    _latest: dict[tuple[RecipeKey, NodeId], Measured] = field(default_factory=dict)
    """What was seen last of each recipe on each node, as predicted or not."""
    _slow: frozenset[ReplicaId] = frozenset()

    def look(
        self, view: FleetView, doors: Iterable[DoorReport], *, now_s: float, wall_s: float
    ) -> tuple[Measured, ...]:
        """Measurements of replicas whose window is full and that are not as fast, or as slow, as predicted.

        With each of them comes what was seen of the same recipe elsewhere lately, which says whether it is the node or the make.
        One that a gateway found to have become slow is not waited for: what its running streams show is a measurement.
        """
        doors = tuple(doors)
        self._take(doors, now_s)
        ready = {replica.id: replica for replica in view.replicas if replica.phase is ReplicaPhase.READY}
        found: list[Measured] = []
        for key in list(self._windows):
            window = self._windows[key]
            replica = ready.get(key)
            if replica is None:
                del self._windows[key]
                continue
            seconds = now_s - window.began_s
            if seconds < WINDOW_S or window.first_tokens < ANSWERS_LEAST or window.decode_tokens < TOKENS_LEAST:
                continue
            del self._windows[key]
            made = self._measured(view, replica, window, seconds, wall_s)
            if made is None:
                continue
            self._latest[made.key, made.node] = made
            if not self._is_as_predicted(made, view, replica):
                found.extend(self._alike(made, view))
        found.extend(self._became_slow(view, doors, ready, wall_s))
        return tuple(dict.fromkeys(found))

    def _alike(self, made: Measured, view: FleetView) -> list[Measured]:
        """It, and those of the same recipe on other nodes that are new."""
        known = set(view.measured)
        alike = (each for (key, _), each in self._latest.items() if key == made.key)
        return [each for each in alike if made.at_s - each.at_s < ODD_FOR_S and each not in known]

    def _became_slow(
        self, view: FleetView, doors: tuple[DoorReport, ...], ready: Mapping[ReplicaId, Replica], wall_s: float
    ) -> list[Measured]:
        """What running streams show of those that are newly slow, with what is known of the same recipe elsewhere.

        Where nothing is, a few seconds of one replica are left to its ended answers: they would speak for the recipe
        everywhere. So are cores, which others use too.
        """
        before, self._slow = self._slow, _slow_ones(doors)
        found: list[Measured] = []
        for replica in (ready[key] for key in sorted(self._slow - before) if key in ready):
            made = None if replica.recipe.cores else self._measured_now(view, replica, doors, wall_s)
            if made is None or self._is_as_predicted(made, view, replica):
                continue
            self._note_others(made, view, doors, ready)
            others = (*self._latest.values(), *view.measured)
            if any(_is_elsewhere(each, made) and wall_s - each.at_s < ODD_FOR_S for each in others):
                self._windows.pop(replica.id, None)
                self._latest[made.key, made.node] = made
                found.extend(self._alike(made, view))
        return found

    def _note_others(
        self, made: Measured, view: FleetView, doors: tuple[DoorReport, ...], ready: Mapping[ReplicaId, Replica]
    ) -> None:
        """What running streams show of the same recipe on nodes of which nothing is known lately."""
        for other in ready.values():
            where = recipe_key(other.recipe), other.node
            if where[0] != made.key or other.node == made.node or other.id in self._slow:
                continue
            known = self._latest.get(where)
            if known is None or made.at_s - known.at_s >= ODD_FOR_S:
                seen = self._measured_now(view, other, doors, made.at_s)
                self._latest |= {} if seen is None else {where: seen}

    def _measured_now(
        self, view: FleetView, replica: Replica, doors: tuple[DoorReport, ...], wall_s: float
    ) -> Measured | None:
        """By the streams that run: first tokens are taken to come as predicted, as much later as the others come."""
        seen = [each for door in doors if (each := door.replicas.get(replica.id)) is not None and each.step_s > 0]
        at_once = sum(each.in_flight for each in seen)
        node = view.node(replica.node)
        if not at_once or node is None or replica.recipe.chip not in self.catalog.chips:
            return None
        demand = view.demand.get(replica.service)
        input_tokens, output_tokens = lengths_of(replica.recipe, demand)
        tpot_s = sum(each.step_s * each.in_flight for each in seen) / at_once
        concurrency = min(replica.recipe.concurrency, at_once)
        speed = self._predicted(view, replica, node, (input_tokens, output_tokens, concurrency))
        if speed is None or not speed.tpot_s:
            return None
        return self._of(
            replica,
            node,
            _Seen(
                at_s=wall_s,
                concurrency=concurrency,
                input_tokens=input_tokens,
                output_tokens=max(2, output_tokens),
                ttft_s=speed.ttft_s * max(1.0, tpot_s / speed.tpot_s),
                tpot_s=tpot_s,
                requests=at_once,
                duration_s=NOW_S,
            ),
        )

    def _is_as_predicted(self, made: Measured, view: FleetView, replica: Replica) -> bool:
        """Within APART, or nothing was predicted."""
        node = view.node(made.node)
        load = made.input_tokens, made.output_tokens, made.concurrency
        speed = None if node is None else self._predicted(view, replica, node, load)
        return speed is None or 1 / APART <= made.throughput_tps / speed.throughput_tps <= APART

    def _predicted(self, view: FleetView, replica: Replica, node: Node, load: tuple[int, int, int]) -> Speed | None:
        """Of prompts and answers of so many tokens, so many at once."""
        recipe, (input_tokens, output_tokens, concurrency) = replica.recipe, load
        devices = tuple(each for each in node.devices if each.chip == recipe.chip)
        if not devices:
            return None
        place = place_of_node(self.catalog.chips[recipe.chip], node, devices)
        model = view.service(replica.service).model
        running = running_at(model, recipe, place, input_tokens=input_tokens, output_tokens=output_tokens)
        running = replace(running, concurrency=concurrency)
        known = measured_on(view.measured, node.id, is_rehearsed=node.is_rehearsed, odd=view.odd)
        speed = predict(running, calibration=calibration_of(known, running, cores=recipe.cores, node=node.id))
        return speed if isinstance(speed, Speed) else None

    def _take(self, doors: Iterable[DoorReport], now_s: float) -> None:
        seen: dict[tuple[str, ReplicaId], ReplicaTraffic] = {}
        for door in doors:
            for key, now in door.replicas.items():
                seen[door.door, key] = now
                before = self._seen.get((door.door, key))
                if before is None:
                    continue  # since when these sums are is not known
                self._windows.setdefault(key, _Window(began_s=now_s)).add(now.since(before))
        self._seen = seen

    def _measured(
        self, view: FleetView, replica: Replica, window: _Window, seconds: float, wall_s: float
    ) -> Measured | None:
        """None where it says nothing."""
        node = view.node(replica.node)
        if node is None or replica.recipe.chip not in self.catalog.chips or not window.answered:
            return None
        at_once, slots = window.busy_s / seconds, replica.recipe.concurrency
        ttft_s, tpot_s = window.ttft_s / window.first_tokens, window.decode_s / window.decode_tokens
        output_tokens = max(2, round(window.output_tokens / window.answered))
        if at_once > slots:  # the others waited for a slot: that is their number's doing, and says nothing of its speed
            ttft_s -= (1 - slots / at_once) * (ttft_s + (output_tokens - 1) * tpot_s)
        if min(ttft_s, tpot_s) <= 0:
            return None
        return self._of(
            replica,
            node,
            _Seen(
                at_s=wall_s,
                concurrency=max(1, min(slots, round(at_once))),
                input_tokens=max(1, round(window.input_tokens / window.answered)),
                output_tokens=output_tokens,
                ttft_s=ttft_s,
                tpot_s=tpot_s,
                requests=window.answered,
                duration_s=seconds,
            ),
        )

    @staticmethod
    def _of(replica: Replica, node: Node, seen: _Seen) -> Measured:
        """What was seen, as a measurement of the replica's recipe there."""
        recipe, answer_s = replica.recipe, seen.ttft_s + (seen.output_tokens - 1) * seen.tpot_s
        return Measured(
            at_s=seen.at_s,
            service=replica.service,
            node=replica.node,
            chip=recipe.chip,
            engine=recipe.engine,
            engine_version=next((each.version for each in node.engines if each.engine == recipe.engine), ""),
            model=recipe.model,
            precision=recipe.precision,
            devices=recipe.devices,
            cores=recipe.cores,
            slots=recipe.concurrency,
            concurrency=seen.concurrency,
            input_tokens=seen.input_tokens,
            output_tokens=seen.output_tokens,
            throughput_tps=seen.concurrency * seen.output_tokens / answer_s,
            decode_tps=seen.concurrency / seen.tpot_s,
            ttft_s=seen.ttft_s,
            tpot_s=seen.tpot_s,
            requests=seen.requests,
            duration_s=seen.duration_s,
            origin=Origin.GATEWAY,
            is_rehearsed=node.is_rehearsed,
        )


def _slow_ones(doors: Iterable[DoorReport]) -> frozenset[ReplicaId]:
    """Replicas that a gateway sees to have become slow. One that says nothing at all hangs: that has its own deadlines."""
    return frozenset(key for door in doors for key, seen in door.replicas.items() if seen.is_slow and seen.step_s > 0)


def _is_elsewhere(each: Measured, made: Measured) -> bool:
    """Whether it says what the same recipe does on another node, by a gateway too."""
    return each.key == made.key and each.node != made.node and each.origin is Origin.GATEWAY


def odd_nodes(measured: Sequence[Measured], now_s: float) -> frozenset[NodeId]:
    """Nodes on which gateways saw a recipe do less than ODD of what the same recipe does on others under a like load.

    The newest of each node counts, for ODD_FOR_S (`now_s` in seconds since 1970): then it gets another chance.
    """
    newest: dict[tuple[RecipeKey, bool], dict[NodeId, Measured]] = {}
    for each in sorted(measured, key=lambda one: one.at_s):
        if each.origin is Origin.GATEWAY and not each.cores and now_s - each.at_s < ODD_FOR_S:
            newest.setdefault((each.key, each.is_rehearsed), {})[each.node] = each
    return frozenset(node for rows in newest.values() for node in _slow(rows))


def _slow(rows: Mapping[NodeId, Measured]) -> list[NodeId]:
    """By the time of a token a request, which grows slowly with concurrency: it is held against the others' mean."""
    if len(rows) < 2:
        return []
    found = []
    for node, row in rows.items():
        others = exp(fmean(log(other.tpot_s) for name, other in rows.items() if name != node))
        if row.tpot_s * ODD > others:
            found.append(node)
    return found
