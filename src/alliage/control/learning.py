"""learning: what gateways saw of replicas at work -> measurements, where they are not as predicted. Memory may be lost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from statistics import fmean
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.observed import DoorReport
from alliage.control.slowing import running_now, slow_ones
from alliage.decide.carrying import running_at
from alliage.decide.places import place_of_node
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.measured import Measured, Origin, RecipeKey, measured_on, recipe_key
from alliage.fleet.replicas import Replica
from alliage.fleet.traffic import ReplicaTraffic
from alliage.fleet.view import FleetView
from alliage.speed.learned import calibration_of
from alliage.speed.predict import Speed, predict

WINDOW_S: Final = 20.0
ANSWERS_LEAST: Final = 8
TOKENS_LEAST: Final = 200
"""A window is looked at when it is so long and so many streams and tokens were seen in it."""
STEADY: Final = 0.9
"""A replica that had something in flight for this part of a window is under steady load."""
BURST_S_MAX: Final = 60.0
"""So long the end of a burst is waited for."""
APART: Final = 1.25
"""What differs from its prediction by more is a measurement worth keeping; less is within the model's own error."""
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
    active_s: float = 0.0
    """How long it can have been at work: the looks between which anything was in flight."""
    filled_s: float = 0.0
    """How long it was at work at least: the looks that both saw something in flight."""
    in_flight: int = 0
    """At the last look."""

    def add(self, new: ReplicaTraffic, seconds: float, before: int) -> None:
        """So much more, in so many seconds, at whose beginning so many requests were in flight."""
        self.active_s += seconds if new.busy_s > 0 or before or new.in_flight else 0.0
        self.filled_s += seconds if before and new.in_flight else 0.0
        self.in_flight = new.in_flight
        self.answered += new.answered
        self.input_tokens += new.input_tokens
        self.output_tokens += new.output_tokens
        self.first_tokens += new.first_tokens
        self.ttft_s += new.ttft_s
        self.decode_tokens += new.decode_tokens
        self.decode_s += new.decode_s
        self.busy_s += new.busy_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What is kept, and what was predicted in its place; None of one that is as predicted and kept beside another."""

    measured: Measured
    predicted_tps: float | None


@dataclass(slots=True)
class Learning:
    """Takes the reports of all gateways at each pass."""

    catalog: Catalog
    _windows: dict[ReplicaId, _Window] = field(default_factory=dict)
    _seen: dict[tuple[str, ReplicaId], ReplicaTraffic] = field(default_factory=dict)
    _seen_s: float = 0.0
    _latest: dict[tuple[RecipeKey, NodeId], Measured] = field(default_factory=dict)
    """What was seen last of each recipe on each node, as predicted or not."""
    _slow: frozenset[ReplicaId] = frozenset()

    def look(self, view: FleetView, doors: Iterable[DoorReport], *, now_s: float, wall_s: float) -> tuple[Learned, ...]:
        """Measurements of replicas whose window is full and that are not as fast, or as slow, as predicted.

        With each of them comes what was seen of the same recipe elsewhere lately, which says whether it is the node or the make.
        One that a gateway found to have become slow is not waited for: what its running streams show is a measurement.
        """
        doors = tuple(doors)
        self._take(doors, now_s)
        ready = {replica.id: replica for replica in view.replicas if replica.phase is ReplicaPhase.READY}
        found: dict[Measured, float | None] = {}
        for key in list(self._windows):
            window = self._windows[key]
            replica = ready.get(key)
            if replica is None:
                del self._windows[key]
                continue
            seconds = now_s - window.began_s
            if seconds < WINDOW_S or window.first_tokens < ANSWERS_LEAST or window.decode_tokens < TOKENS_LEAST:
                continue
            if window.in_flight and window.filled_s < STEADY * seconds and seconds < BURST_S_MAX:
                continue  # in the middle of a burst the stays of those that have ended say little of all
            del self._windows[key]
            made = self._measured(view, replica, window, seconds, wall_s)
            if made is None:
                continue
            self._latest[made.key, made.node] = made
            predicted_tps = self._predicted_instead(made, view, replica, window)
            if predicted_tps is not None:
                found = {**dict.fromkeys(self._alike(made, view)), **found, made: predicted_tps}
        for made, predicted_tps in self._became_slow(view, doors, ready, wall_s):
            found = {**dict.fromkeys(self._alike(made, view)), **found, made: predicted_tps}
        return tuple(Learned(measured=measured, predicted_tps=told) for measured, told in found.items())

    def _alike(self, made: Measured, view: FleetView) -> list[Measured]:
        """It, and those of the same recipe on other nodes that are new."""
        known = set(view.measured)
        alike = (each for (key, _), each in self._latest.items() if key == made.key)
        return [each for each in alike if made.at_s - each.at_s < ODD_FOR_S and each not in known]

    def _became_slow(
        self, view: FleetView, doors: tuple[DoorReport, ...], ready: Mapping[ReplicaId, Replica], wall_s: float
    ) -> list[tuple[Measured, float]]:
        """What running streams show of those that are newly slow, and what was predicted.

        Where nothing is known of the same recipe elsewhere, a few seconds of one replica are left to its ended answers:
        they would speak for the recipe everywhere. So are cores, which others use too.
        """
        before, self._slow = self._slow, slow_ones(doors)
        found: list[tuple[Measured, float]] = []
        for replica in (ready[key] for key in sorted(self._slow - before) if key in ready):
            seen = None if replica.recipe.cores else running_now(view, replica, doors, self.catalog, wall_s)
            if seen is None or 1 / APART <= seen.measured.throughput_tps / seen.predicted_tps <= APART:
                continue
            made = seen.measured
            self._note_others(made, view, doors, ready)
            others = (*self._latest.values(), *view.measured)
            if any(_is_elsewhere(each, made) and wall_s - each.at_s < ODD_FOR_S for each in others):
                self._windows.pop(replica.id, None)
                self._latest[made.key, made.node] = made
                found.append((made, seen.predicted_tps))
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
                seen = running_now(view, other, doors, self.catalog, made.at_s)
                self._latest |= {} if seen is None else {where: seen.measured}

    def _predicted_instead(self, made: Measured, view: FleetView, replica: Replica, window: _Window) -> float | None:
        """Output tokens a second that were predicted; None where it is within APART of it, or nothing was predicted.

        How many requests it had at once while it had any is known only within bounds, wide ones where they came in bursts:
        then a stay that is as predicted for any number between them is.
        """
        node, chip = view.node(made.node), self.catalog.chips[made.chip]
        service = view.service(made.service)
        devices = () if node is None else tuple(each for each in node.devices if each.chip == made.chip)
        if node is None or not devices or not window.filled_s:
            return None
        running = running_at(
            service.model,
            replica.recipe,
            place_of_node(chip, node, devices),
            input_tokens=made.input_tokens,
            output_tokens=made.output_tokens,
        )
        known = measured_on(view.measured, node.id, is_rehearsed=node.is_rehearsed, odd=view.odd)
        calibration = calibration_of(known, running, cores=made.cores, node=node.id)
        stay_s = made.ttft_s + (made.output_tokens - 1) * made.tpot_s
        stays: list[float] = []
        for active_s in (window.active_s, window.filled_s):
            concurrency = max(1, round(window.busy_s / active_s))
            asked = replace(running, concurrency=concurrency, slots=replica.recipe.concurrency)
            speed = predict(asked, calibration=calibration)
            if not isinstance(speed, Speed):
                return None
            stays.append(concurrency * made.output_tokens / speed.throughput_tps)
        nearest_s = min(max(stay_s, min(stays)), max(stays))
        return None if nearest_s / APART <= stay_s <= nearest_s * APART else made.throughput_tps * stay_s / nearest_s

    def _take(self, doors: Iterable[DoorReport], now_s: float) -> None:
        seen: dict[tuple[str, ReplicaId], ReplicaTraffic] = {}
        for door in doors:
            for key, now in door.replicas.items():
                seen[door.door, key] = now
                before = self._seen.get((door.door, key))
                if before is None:
                    continue  # since when these sums are is not known
                window = self._windows.setdefault(key, _Window(began_s=self._seen_s))
                window.add(now.since(before), now_s - self._seen_s, before.in_flight)
        self._seen, self._seen_s = seen, now_s

    def _measured(
        self, view: FleetView, replica: Replica, window: _Window, seconds: float, wall_s: float
    ) -> Measured | None:
        """None where it says nothing."""
        node = view.node(replica.node)
        if node is None or replica.recipe.chip not in self.catalog.chips or not window.answered or not window.active_s:
            return None
        recipe = replica.recipe
        input_tokens = max(1, round(window.input_tokens / window.answered))
        output_tokens = max(2, round(window.output_tokens / window.answered))
        in_flight = max(1.0, window.busy_s / window.active_s)
        concurrency = min(recipe.concurrency, round(in_flight))
        ttft_s, tpot_s = window.ttft_s / window.first_tokens, window.decode_s / window.decode_tokens
        if min(ttft_s, tpot_s) <= 0:
            return None
        throughput = (
            in_flight * output_tokens / (ttft_s + (output_tokens - 1) * tpot_s)
        )  # Little's law, those that wait too
        return Measured(
            at_s=wall_s,
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
            concurrency=concurrency,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            throughput_tps=throughput,
            decode_tps=concurrency / tpot_s,
            ttft_s=ttft_s,
            tpot_s=tpot_s,
            requests=window.answered,
            duration_s=seconds,
            origin=Origin.GATEWAY,
            is_rehearsed=node.is_rehearsed,
        )


def learned_words(learned: Learned) -> str:
    """What the history has of it; "" of what is as predicted."""
    if learned.predicted_tps is None:
        return ""
    made = learned.measured
    at = f"at {made.concurrency} at once on {made.node}"
    return f"does {made.throughput_tps:.3g} tokens/s {at}, where {learned.predicted_tps:.3g} were predicted"


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
