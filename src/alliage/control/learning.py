"""learning: what gateways saw of replicas at work -> measurements, where they are not as predicted. Memory may be lost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.observed import DoorReport
from alliage.control.odd import ODD_FOR_S
from alliage.control.seen import Seen, measured_of, predicted
from alliage.control.slowing import running_now, slow_ones
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.measured import Measured, Origin, RecipeKey, recipe_key
from alliage.fleet.replicas import Replica
from alliage.fleet.traffic import ReplicaTraffic
from alliage.fleet.view import FleetView

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


@dataclass(slots=True)
class _Window:
    """What was seen of one replica since `began_s`."""

    began_s: float
    seen: ReplicaTraffic = field(default_factory=ReplicaTraffic)
    active_s: float = 0.0
    """How long it can have been at work: the looks between which anything was in flight."""
    filled_s: float = 0.0
    """How long it was at work at least: the looks that both saw something in flight."""

    def add(self, new: ReplicaTraffic, seconds: float, before: int) -> None:
        """So much more, in so many seconds, at whose beginning so many requests were in flight."""
        self.seen = self.seen.plus(new)
        self.active_s += seconds if new.busy_s > 0 or before or new.in_flight else 0.0
        self.filled_s += seconds if before and new.in_flight else 0.0

    def is_full(self, seconds: float) -> bool:
        """Whether enough was seen. In the middle of a burst the stays of those that have ended say little of all."""
        seen = self.seen
        if seconds < WINDOW_S or seen.first_tokens < ANSWERS_LEAST or seen.decode_tokens < TOKENS_LEAST:
            return False
        return not seen.in_flight or self.filled_s >= STEADY * seconds or seconds >= BURST_S_MAX


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
        for made, told in (
            *self._of_windows(view, ready, now_s, wall_s),
            *self._became_slow(view, doors, ready, wall_s),
        ):
            found = {**dict.fromkeys(self._alike(made, view)), **found, made: told}
        return tuple(Learned(measured=measured, predicted_tps=told) for measured, told in found.items())

    def _of_windows(
        self, view: FleetView, ready: Mapping[ReplicaId, Replica], now_s: float, wall_s: float
    ) -> list[tuple[Measured, float]]:
        """What full windows show that is not as predicted, and what was."""
        found: list[tuple[Measured, float]] = []
        for key in list(self._windows):
            window = self._windows[key]
            replica = ready.get(key)
            if replica is None:
                del self._windows[key]
                continue
            seconds = now_s - window.began_s
            if not window.is_full(seconds):
                continue
            del self._windows[key]
            made = self._measured(view, replica, window, seconds, wall_s)
            if made is None:
                continue
            self._latest[made.key, made.node] = made
            if (told := self._predicted_instead(made, view, replica, window)) is not None:
                found.append((made, told))
        return found

    def _alike(self, made: Measured, view: FleetView) -> list[Measured]:
        """It, and those of the same recipe on other nodes that are new."""
        known = set(view.measured)
        alike = (each for (key, _), each in self._latest.items() if key == made.key)
        return [each for each in alike if made.at_s - each.at_s < ODD_FOR_S and each not in known]

    def _predicted_instead(self, made: Measured, view: FleetView, replica: Replica, window: _Window) -> float | None:
        """Output tokens a second that were predicted; None where it is within APART of it, or nothing was predicted.

        How many requests it had at once while it had any is known only within bounds, wide ones where they came in bursts:
        then a stay that is as predicted for any number between them is. Those that wait for a slot are counted, and stay longer.
        """
        if not window.filled_s:
            return None
        stay_s = window.seen.ttft_s / window.seen.first_tokens + (made.output_tokens - 1) * made.tpot_s
        tokens = {"input_tokens": made.input_tokens, "output_tokens": made.output_tokens}
        stays: list[float] = []
        for active_s in (window.active_s, window.filled_s):
            at_once = max(1, round(window.seen.busy_s / active_s))
            speed = predicted(replica, view, self.catalog, **tokens, concurrency=at_once)
            if speed is None:
                return None
            stays.append(at_once * made.output_tokens / speed.throughput_tps)
        nearest_s = min(max(stay_s, min(stays)), max(stays))
        return None if nearest_s / APART <= stay_s <= nearest_s * APART else made.throughput_tps * stay_s / nearest_s

    def _became_slow(
        self, view: FleetView, doors: tuple[DoorReport, ...], ready: Mapping[ReplicaId, Replica], wall_s: float
    ) -> list[tuple[Measured, float]]:
        """What running streams show of those that are newly slow, and what was predicted.

        Where nothing is known of the same recipe elsewhere, a few seconds of one replica are left to its ended answers: they
        would speak for the recipe everywhere. So are cores, which others use too.
        """
        before, self._slow = self._slow, slow_ones(doors)
        found: list[tuple[Measured, float]] = []
        for replica in (ready[key] for key in sorted(self._slow - before) if key in ready):
            now = None if replica.recipe.cores else running_now(view, replica, doors, self.catalog, wall_s)
            if now is None or 1 / APART <= now.measured.throughput_tps / now.predicted_tps <= APART:
                continue
            made = now.measured
            self._note_others(made, view, doors, ready)
            others = (*self._latest.values(), *view.measured)
            if any(_is_elsewhere(each, made) and wall_s - each.at_s < ODD_FOR_S for each in others):
                self._windows.pop(replica.id, None)
                self._latest[made.key, made.node] = made
                found.append((made, now.predicted_tps))
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
                now = running_now(view, other, doors, self.catalog, made.at_s)
                self._latest |= {} if now is None else {where: now.measured}

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
        node, seen = view.node(replica.node), window.seen
        if node is None or replica.recipe.chip not in self.catalog.chips or not seen.answered or not window.active_s:
            return None
        at_once, slots = max(1.0, seen.busy_s / window.active_s), replica.recipe.concurrency
        ttft_s, tpot_s = seen.ttft_s / seen.first_tokens, seen.decode_s / seen.decode_tokens
        output_tokens = max(2, round(seen.output_tokens / seen.answered))
        if at_once > slots:  # the others waited for a slot: that is their number's doing, and says nothing of its speed
            ttft_s -= (1 - slots / at_once) * (ttft_s + (output_tokens - 1) * tpot_s)
        if min(ttft_s, tpot_s) <= 0:
            return None
        figures = Seen(
            at_s=wall_s,
            concurrency=min(slots, round(at_once)),
            input_tokens=max(1, round(seen.input_tokens / seen.answered)),
            output_tokens=output_tokens,
            ttft_s=ttft_s,
            tpot_s=tpot_s,
            requests=seen.answered,
            duration_s=seconds,
        )
        return measured_of(replica, node, figures)


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
