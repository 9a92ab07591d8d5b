"""learning: what gateways saw of replicas at work -> measurements, where they are not as predicted. Memory may be lost."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from math import exp, log
from statistics import fmean
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.observed import DoorReport
from alliage.decide.carrying import running_at
from alliage.decide.places import place_of_node
from alliage.fleet.ids import NodeId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.measured import Measured, Origin, RecipeKey, measured_on
from alliage.fleet.replicas import Replica
from alliage.fleet.traffic import ReplicaTraffic
from alliage.fleet.view import FleetView
from alliage.speed.learned import calibration_of
from alliage.speed.predict import Speed, predict

WINDOW_S: Final = 20.0
ANSWERS_LEAST: Final = 8
TOKENS_LEAST: Final = 200
"""A window is looked at when it is so long and so many streams and tokens were seen in it."""
JUDGED_MAX: Final = 50
"""Windows that one pass looks at; the others are looked at by the next ones, a little longer then."""
APART: Final = 1.25
"""What differs from its prediction by more is a measurement worth keeping; less is within the model's own error."""
ODD_FOR_S: Final = 1800.0
ODD: Final = 0.7
"""A node that does less than this part of what the others of its make do is odd."""


@dataclass(slots=True)
class _Window:
    """What was seen of one replica since `began_s`."""

    began_s: float
    seen: ReplicaTraffic = field(default_factory=ReplicaTraffic)


@dataclass(slots=True)
class Learning:
    """Takes the reports of all gateways at each pass."""

    catalog: Catalog
    _windows: dict[ReplicaId, _Window] = field(default_factory=dict)
    _seen: dict[tuple[str, ReplicaId], ReplicaTraffic] = field(default_factory=dict)
    _latest: dict[tuple[RecipeKey, NodeId], Measured] = field(default_factory=dict)
    """What was seen last of each recipe on each node, as predicted or not."""

    def look(
        self, view: FleetView, doors: Iterable[DoorReport], *, now_s: float, wall_s: float
    ) -> tuple[Measured, ...]:
        """Measurements of replicas whose window is full and that are not as fast, or as slow, as predicted.

        With each of them comes what was seen of the same recipe elsewhere lately, which says whether it is the node or the make.
        """
        self._take(doors, now_s)
        ready = {replica.id: replica for replica in view.replicas if replica.phase is ReplicaPhase.READY}
        found: list[Measured] = []
        known: AbstractSet[Measured] | None = None
        judged = 0
        for key in list(self._windows):
            if judged == JUDGED_MAX:
                break
            window = self._windows[key]
            replica = ready.get(key)
            if replica is None:
                del self._windows[key]
                continue
            seconds = now_s - window.began_s
            seen = window.seen
            if seconds < WINDOW_S or seen.first_tokens < ANSWERS_LEAST or seen.decode_tokens < TOKENS_LEAST:
                continue
            del self._windows[key]
            judged += 1
            made = self._measured(view, replica, seen, seconds, wall_s)
            if made is None:
                continue
            self._latest[made.key, made.node] = made
            if not self._is_as_predicted(made, view, replica):
                known = frozenset(view.measured) if known is None else known
                found.extend(self._alike(made, known))
        return tuple(dict.fromkeys(found))

    def _alike(self, made: Measured, known: AbstractSet[Measured]) -> list[Measured]:
        """It, and those of the same recipe on other nodes that are new."""
        alike = (each for (key, _), each in self._latest.items() if key == made.key)
        return [each for each in alike if made.at_s - each.at_s < ODD_FOR_S and each not in known]

    def _is_as_predicted(self, made: Measured, view: FleetView, replica: Replica) -> bool:
        """Within APART, or nothing was predicted."""
        node, chip = view.node(made.node), self.catalog.chips[made.chip]
        service = view.service(made.service)
        devices = () if node is None else tuple(each for each in node.devices if each.chip == made.chip)
        if node is None or not devices:
            return True
        running = running_at(
            service.model,
            replica.recipe,
            place_of_node(chip, node, devices),
            input_tokens=made.input_tokens,
            output_tokens=made.output_tokens,
        )
        running = replace(running, concurrency=made.concurrency)
        known = measured_on(view.measured, node.id, is_rehearsed=node.is_rehearsed, odd=view.odd)
        speed = predict(running, calibration=calibration_of(known, running, cores=made.cores, node=node.id))
        return not isinstance(speed, Speed) or 1 / APART <= made.throughput_tps / speed.throughput_tps <= APART

    def _take(self, doors: Iterable[DoorReport], now_s: float) -> None:
        seen: dict[tuple[str, ReplicaId], ReplicaTraffic] = {}
        for door in doors:
            for key, now in door.replicas.items():
                seen[door.door, key] = now
                before = self._seen.get((door.door, key))
                if before is None:
                    continue  # since when these sums are is not known
                window = self._windows.setdefault(key, _Window(began_s=now_s))
                window.seen = window.seen.plus(now.since(before))
        self._seen = seen

    def _measured(
        self, view: FleetView, replica: Replica, seen: ReplicaTraffic, seconds: float, wall_s: float
    ) -> Measured | None:
        """None where it says nothing."""
        node = view.node(replica.node)
        if node is None or replica.recipe.chip not in self.catalog.chips or not seen.answered:
            return None
        recipe = replica.recipe
        input_tokens = max(1, round(seen.input_tokens / seen.answered))
        output_tokens = max(2, round(seen.output_tokens / seen.answered))
        concurrency = max(1, min(recipe.concurrency, round(seen.busy_s / seconds)))
        ttft_s, tpot_s = seen.ttft_s / seen.first_tokens, seen.decode_s / seen.decode_tokens
        if min(ttft_s, tpot_s) <= 0:
            return None
        throughput = concurrency * output_tokens / (ttft_s + (output_tokens - 1) * tpot_s)
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
            requests=seen.answered,
            duration_s=seconds,
            origin=Origin.GATEWAY,
            is_rehearsed=node.is_rehearsed,
        )


def odd_nodes(measured: Sequence[Measured], now_s: float) -> frozenset[NodeId]:
    """Nodes on which gateways saw a recipe do less than ODD of what the same recipe does on others under a like load.

    The newest of each node counts, for ODD_FOR_S (`now_s` in seconds since 1970): then it gets another chance.
    """
    newest: dict[tuple[RecipeKey, bool], dict[NodeId, Measured]] = {}
    for each in measured:
        if each.origin is Origin.GATEWAY and not each.cores and now_s - each.at_s < ODD_FOR_S:
            nodes = newest.setdefault((each.key, each.is_rehearsed), {})
            known = nodes.get(each.node)
            if known is None or each.at_s >= known.at_s:
                nodes[each.node] = each
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
