"""One seed of the simulation: the real loop, desk, store, plan and routing on a virtual clock, with traffic and faults.

A step is: something happens, time passes with its requests, control does a pass, and all that must hold is checked.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

from alliage.control.draining import movers
from alliage.control.loop import LoopSettings
from alliage.control.ports import Changes
from alliage.decide.reasons import Outcome
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import LEAVING, NodePhase, ReplicaPhase, ServicePhase
from alliage.fleet.view import FleetView
from alliage.replay.cloud.world import Cloud, Coming
from alliage.replay.requests.trace import Request
from tests.builders import CATALOG
from tests.simulation import faults
from tests.simulation.fleet import Cards, paced, the_nodes
from tests.simulation.safety import CHECKS, OpenRequest, Seen, Stopped

PEACE_PASSES = 110
"""Of three seconds each: an answer may be held for 300 s, a recipe be waited for for 60 s."""
MOVES_MAX = 12
"""Passes at one instant after which nothing may change any more."""
SETTINGS = LoopSettings(hold_s=30.0, idle_s=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A property that did not hold, and after what."""

    seed: int
    step: int
    check: str
    what: str
    lately: tuple[str, ...]

    def __str__(self) -> str:
        return f"seed {self.seed}, step {self.step}: {self.check}: {self.what}; before: {', '.join(self.lately)}"


class Simulation:
    """`close` when done."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.cloud: Cloud = Cloud(
            CATALOG, the_nodes(), prices={}, settings=SETTINGS, doors=2, models=Cards(), paced=paced
        )
        self.is_control_away = False
        self.happened: Counter[str] = Counter()
        self.lately: list[str] = []
        self.steps = 0
        self.calm = 0
        self._rate_rps = 2.0
        self._in_fashion = self.random.sample(faults.SERVICES, 2)
        """Only they are asked now, so that others may rest."""
        self._view = self.cloud.store.snapshot()
        self._draining_since_s: dict[ReplicaId, float] = {}
        self._known_doors: set[str] = set()
        """Those that the present control has heard: what others do it cannot know."""
        self._known_by = self.cloud.loop
        self._lost: set[ReplicaId] = set()
        self._digest = hashlib.sha256()

    def close(self) -> None:
        """Give the store back."""
        self.cloud.close()

    @property
    def digest(self) -> str:
        """Of all that was seen until now."""
        whole = self._digest.copy()
        whole.update(repr(self.cloud.doors.fates).encode())
        return whole.hexdigest()

    def run(self, steps: int) -> Broken | None:
        """So many steps of whatever may happen, or the first that breaks something."""
        return next((broken for _ in range(steps) if (broken := self.step()) is not None), None)

    def step(self) -> Broken | None:
        """One of them."""
        self.steps += 1
        if self.calm:
            self.calm -= 1
            self._pass_time(1.0)
        else:
            name = faults.choose(self)
            self.happened[name] += 1
            self.lately = [*self.lately, f"{self.steps} {name}"][-12:]
            faults.HAPPENINGS[name](self)
            self._view = self.cloud.store.snapshot()
            self._pass_time(self.random.choice((0.1, 0.5, 1.0, 2.0)))
        return self._controlled(is_settled=self.random.random() < 0.25)

    def rest(self, passes: int) -> Broken | None:
        """Nothing happens, for so many times three seconds."""
        for _ in range(passes):
            self.steps += 1
            self.cloud.advance(self.cloud.clock.t_s + 3.0)
            if (broken := self._controlled(is_settled=False)) is not None:
                return broken
        return None

    def peace(self) -> Broken | None:
        """All faults are over: everything that is asked for runs, nothing else does, and nothing moves any more.

        What admins closed stays so at first: it is to be empty, unless what it has finds no room elsewhere.
        """
        self.lately = [*self.lately, "peace"][-12:]
        faults.end_all(self)
        if (broken := self.rest(PEACE_PASSES)) is not None:
            return broken
        stuck = list(_not_emptied(self, self.cloud.desk.view()))
        faults.open_all(self)
        self._view = self.cloud.store.snapshot()
        if (broken := self.rest(PEACE_PASSES)) is not None:
            return broken
        view = self.cloud.desk.view()
        wrong = [*stuck, *_unpeaceful(self, view)]
        version, decisions = view.version, self._decisions()
        if (broken := self.rest(10)) is not None:
            return broken
        if self.cloud.desk.view().version != version or self._decisions() != decisions:
            wrong.append("something moves though nothing happens")
        return self._broken("peace", wrong[0]) if wrong else None

    def _pass_time(self, seconds: float) -> None:
        """With the requests that come meanwhile."""
        clock, there = self.cloud.clock, [each.name for each in self._view.services]
        services = [name for name in self._in_fashion if name in there]
        until_s = clock.t_s + seconds
        if self.random.random() < 0.05:
            self._rate_rps = self.random.choice((0.0, 1.0, 4.0, 10.0))
            self._in_fashion = self.random.sample(faults.SERVICES, 2)
        at_s = clock.t_s + self._gap_s()
        while at_s < until_s:
            is_known = bool(services) and self.random.random() < 0.97
            name = self.random.choice(services) if is_known else ServiceName("unknown")
            request = Request(at_s=at_s, prompt_tokens=self._length(300), output_tokens=self._length(400))
            self.cloud.arrive(Coming(service=name, request=request), self.random.choice(self.cloud.doors.all))
            at_s += self._gap_s()
        self.cloud.advance(until_s)

    def _gap_s(self) -> float:
        return self.random.expovariate(self._rate_rps) if self._rate_rps else 1e9

    def _length(self, median: int) -> int:
        return max(1, min(3000, round(median * exp(self.random.gauss(0.0, 1.0)))))

    def _controlled(self, *, is_settled: bool) -> Broken | None:
        """A pass and its checks; with `is_settled`, more of them at the same instant until nothing changes."""
        before = self._view
        if self.is_control_away:
            return self._checked(self._seen((), 0, before))
        moves, stopped = 0, []
        for number in range(MOVES_MAX if is_settled else 1):
            has_moved, newly = self._pass_once()
            stopped.extend(newly)
            moves = number + 1 if has_moved else 0
            if not has_moved:
                break
        is_restless = is_settled and moves == MOVES_MAX
        return self._checked(self._seen(tuple(stopped), moves if is_restless else 0, before))

    def _pass_once(self) -> tuple[bool, list[Stopped]]:
        cloud, before = self.cloud, self._view
        was = {replica.id: replica.phase for replica in before.replicas}
        flying = Counter[str]()
        if self._known_by is not cloud.loop:
            self._known_by, self._known_doors = cloud.loop, set()
        self._known_doors |= {door.name for door in cloud.doors.all if door.name not in cloud.doors.away}
        for door in cloud.doors.all:
            if door.name in self._known_doors:
                flying.update(door.report().in_flight)
        routed = {
            upstream.replica
            for door in cloud.doors.all
            if door.name in self._known_doors and door.table is not None
            for route in door.table.routes.values()
            for upstream in route.upstreams
        }
        running = {replica for engines in cloud.agents.holding.values() for replica in engines}
        cut = len(cloud.agents.cut)
        done = cloud.loop.pass_once()
        after = self._view = cloud.store.snapshot()
        self._remember(before, after)
        is_now = {replica.id: replica.phase for replica in after.replicas}
        left = [
            replica
            for replica, phase in was.items()
            if phase is ReplicaPhase.DRAINING and is_now.get(replica) is not ReplicaPhase.DRAINING
        ]
        now_s = cloud.clock.t_s
        stopped = [
            Stopped(
                replica=replica,
                was=was.get(replica),
                drained_s=now_s - self._draining_since_s.get(replica, now_s),
                in_flight=flying[replica],
                is_routed=replica in routed,
                is_over=replica not in running or replica in self._lost,
            )
            for replica in dict.fromkeys((*left, *cloud.agents.cut[cut:]))
        ]
        self._digest.update(repr((now_s, after.version, sorted(is_now.items()), cut, len(cloud.doors.fates))).encode())
        return done is None or done.changes != Changes(), stopped

    def _remember(self, before: FleetView, after: FleetView) -> None:
        """Since when replicas drain, and which went with their node."""
        for replica in after.replicas:
            if replica.phase is ReplicaPhase.DRAINING:
                self._draining_since_s.setdefault(replica.id, self.cloud.clock.t_s)
        lost = {node.id for node in after.nodes if node.phase is NodePhase.LOST}
        self._lost.update(replica.id for replica in before.replicas if replica.node in lost)

    def _seen(self, stopped: tuple[Stopped, ...], moving: int, before: FleetView) -> Seen:
        cloud, doors = self.cloud, self.cloud.doors
        held = {one.key for door in doors.all for one in door.held}
        return Seen(
            now_s=cloud.clock.t_s,
            view=self._view,
            before=before,
            holding=cloud.agents.holding,
            tables={
                door.name: door.table for door in doors.all if door.table is not None and door.name not in doors.away
            },
            aims=cloud.loop.planning.aims,
            fates=tuple(doors.fates),
            first_keys={door.name: door.first_key for door in doors.all},
            open=tuple(
                OpenRequest(
                    key=one.key,
                    door=door.name,
                    replica=one.replica,
                    is_held=one.key in held,
                    held_until_s=one.held_until_s,
                )
                for door in doors.all
                for one in door.open.values()
            ),
            asked={
                replica: cloud.engines.asked(replica)
                for engines in cloud.agents.holding.values()
                for replica in engines
            },
            reports=tuple(door.report() for door in doors.all),
            stopped=stopped,
            still_moving=moving,
        )

    def _checked(self, seen: Seen) -> Broken | None:
        for check in CHECKS:
            for what in check(seen):
                return self._broken(check.__name__, what)
        return None

    def _broken(self, check: str, what: str) -> Broken:
        return Broken(seed=self.seed, step=self.steps, check=check, what=what, lately=tuple(self.lately))

    def _decisions(self) -> int:
        store = self.cloud.store
        return sum(len(store.decisions(service.name, 500)) for service in store.snapshot().services)

    def ask(self, coroutine: object) -> None:
        """Have the desk do it."""
        asyncio.run(coroutine)  # type: ignore[arg-type]

    def a_node(self) -> NodeId:
        """One of the fleet's."""
        return self.random.choice(sorted(self.cloud.agents.nodes))

    def a_replica(self) -> ReplicaId:
        """One that is bound now, rather one that is at work; one that nobody knows where there is none."""
        busy = sorted({one.replica for door in self.cloud.doors.all for one in door.open.values() if one.replica})
        if busy and self.random.random() < 0.7:
            return self.random.choice(busy)
        replicas = self._view.replicas
        return self.random.choice(replicas).id if replicas else ReplicaId("none")


def _not_emptied(simulation: Simulation, view: FleetView) -> Iterator[str]:
    """Replicas that an admin wants elsewhere, of services that lack nothing."""
    aims, store = simulation.cloud.loop.planning.aims, simulation.cloud.store
    for replica in movers(view):
        outcomes = (decision.outcome for decision in store.decisions(replica.service, 500))
        newest = next((each for each in outcomes if each in {Outcome.PLACED, Outcome.REFUSED}), None)
        if newest is not Outcome.REFUSED and (aims is None or replica.service not in aims.short):
            yield f"{replica.id} is still on {replica.node}, which is drained"


def _unpeaceful(simulation: Simulation, view: FleetView) -> Iterator[str]:
    cloud = simulation.cloud
    running = {replica for engines in cloud.agents.holding.values() for replica in engines}
    if running != {replica.id for replica in view.replicas}:
        yield f"{sorted(running)} run, and {[replica.id for replica in view.replicas]} are bound"
    for replica in view.replicas:
        if replica.phase is not ReplicaPhase.READY or replica.phase in LEAVING:
            yield f"{replica.id} is {replica.phase}"
    for service in view.services:
        if service.phase not in {ServicePhase.READY, ServicePhase.UNSERVED, ServicePhase.IDLE}:
            yield f"{service.name} is {service.phase}"
    for door in cloud.doors.all:
        table = door.table
        routed = set() if table is None else {each.replica for r in table.routes.values() for each in r.upstreams}
        if routed != running:
            yield f"{door.name} routes to {sorted(routed)}, and {sorted(running)} run"
        if door.open:
            yield f"{door.name} has open requests {sorted(door.open)}"
