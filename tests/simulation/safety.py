"""DESIGN.md's ten safety properties as checks of one step. Each takes what is seen and returns what breaks it, in words.

They share no code with what decides. `NOT_JUDGED` says what of the ten cannot be seen in a step, why, and where it is tested.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Final

from alliage.control.observed import DoorReport
from alliage.decide.aiming.aims import Aims
from alliage.decide.solve.answer import Plan
from alliage.decide.solve.answer import Status as Solved
from alliage.decide.solve.problem import Problem
from alliage.decide.solve.problem import Tenant as Asking
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId
from alliage.fleet.lifecycles import LEAVING, ReplicaPhase
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Binding, Evidence
from alliage.fleet.routing import RoutingTable
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView
from alliage.footprint.memory import footprint_in, memory_bytes
from alliage.replay.cloud.fates import Fate
from tests.builders import CATALOG

NOT_JUDGED: Final[Mapping[str, str]] = {
    "8, the bill": "there is no ledger yet, so nothing is charged: judged is that the sums it will be made of hold each "
    "request once; tests/gateway/test_traffic.py tests the same of the real gateway",
    "7, the bytes": "answers are counts of tokens here, no letters: tests/gateway/test_continuing.py and "
    "tests/e2e/test_continued.py test to the letter, with real engines, that none is lost, said twice or altered",
    "10, between steps": "it is of two runs: test_simulation.py compares the digests of two runs of a seed, in processes "
    "whose hashes differ",
}
_LATE_S: Final = 5.0
"""A step may be so long: what is due in it is done at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A request that has not ended, as its gateway has it."""

    key: int
    door: str
    replica: ReplicaId | None
    is_held: bool
    held_until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A replica that left `draining`, or whose engine was told to stop while it could answer."""

    replica: ReplicaId
    was: ReplicaPhase | None
    """Its phase before the pass; None where the store did not know it."""
    drained_s: float
    """How long it had been draining."""
    in_flight: int
    """Requests that gateways were answering through it when the pass began."""
    is_routed: bool
    """Whether a gateway might have given it a new one then."""
    is_over: bool
    """Its engine, device or node is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that there is to see after one pass of control. Times are the virtual clock's."""

    now_s: float
    view: FleetView
    before: FleetView | None = None
    """The state before the pass, or before the first of them; None where there was none."""
    holding: Mapping[NodeId, Mapping[ReplicaId, tuple[Binding, ...]]] = field(default_factory=dict)
    """What engines really hold, whoever knows of them."""
    tables: Mapping[str, RoutingTable] = field(default_factory=dict)
    """Those that gateways on the line work by."""
    aims: Aims | None = None
    fates: tuple[Fate, ...] = ()
    """Of all requests there ever were, by their key."""
    first_keys: Mapping[str, int] = field(default_factory=dict)
    """From which request on the present process of each gateway counts."""
    open: tuple[OpenRequest, ...] = ()
    asked: Mapping[ReplicaId, frozenset[str]] = field(default_factory=dict)
    """The requests that engines know."""
    reports: tuple[DoorReport, ...] = ()
    stopped: tuple[Stopped, ...] = ()
    still_moving: int = 0
    """How often control changed its mind in a row while nothing happened and no time passed."""


def check_devices(seen: Seen) -> Iterator[str]:
    """Property 1: bindings never sum to more than a device has, and one given whole is in one; so it is of engines that run."""
    devices = {device.id: device for node in seen.view.nodes for device in node.devices}
    bound = {replica.id: replica.bindings for replica in seen.view.replicas}
    yield from _overbound("the store", devices, bound)
    for node, engines in seen.holding.items():
        yield from _overbound(f"engines on {node}", devices, engines)


def _overbound(
    where: str, devices: Mapping[DeviceId, Device], bound: Mapping[ReplicaId, tuple[Binding, ...]]
) -> Iterator[str]:
    held: dict[DeviceId, list[tuple[ReplicaId, Binding]]] = {}
    for replica, bindings in bound.items():
        for binding in bindings:
            held.setdefault(binding.device, []).append((replica, binding))
    for name, holders in held.items():
        cores = Counter(core for _, binding in holders for core in binding.cores)
        if any(count > 1 for count in cores.values()):
            yield f"{where}: a core of {name} is bound twice, by {holders}"
        if len(holders) > 1 and any(not binding.cores for _, binding in holders):
            yield f"{where}: {name} is given whole and is in {len(holders)} bindings: {[one for one, _ in holders]}"
        device = devices.get(name)
        if device is not None and sum(binding.memory_bytes for _, binding in holders) > device.memory_bytes:
            yield f"{where}: more memory of {name} is bound than its {device.memory_bytes} bytes"


def check_gangs(seen: Seen) -> Iterator[str]:
    """Property 2: a gang is whole or absent: as many devices as its recipe says, each once, of its chip, on its one node."""
    for replica in seen.view.replicas:
        names = [binding.device for binding in replica.bindings]
        if len(set(names)) != replica.recipe.devices or len(names) != replica.recipe.devices:
            yield f"{replica.id} is a gang of {replica.recipe.devices} and holds {names}"
        node = seen.view.node(replica.node)
        there = {} if node is None else {device.id: device.chip for device in node.devices}
        for name in names:
            if not name.startswith(f"{replica.node}/") or there.get(name, replica.recipe.chip) != replica.recipe.chip:
                yield f"{replica.id} on {replica.node}, a gang of {replica.recipe.chip}, holds {name}"
    bound = {replica.id: {binding.device for binding in replica.bindings} for replica in seen.view.replicas}
    for engines in seen.holding.values():
        for one, bindings in engines.items():
            if one in bound and {binding.device for binding in bindings} != bound[one]:
                yield f"the engine of {one} runs on {bindings}, and {bound[one]} is bound"


def check_memory(seen: Seen) -> Iterator[str]:
    """Property 3: no service gets a chip whose memory its footprint does not fit: reckoned anew from its model card."""
    services = {service.name: service for service in seen.view.services}
    devices = {device.id: device for node in seen.view.nodes for device in node.devices}
    for replica in seen.view.replicas:
        recipe, service = replica.recipe, services.get(replica.service)
        if service is None:
            yield f"{replica.id} is of no service"
            continue
        found = footprint_in(service.model, CATALOG.engines[recipe.engine], recipe.precision)
        if found is None:
            yield f"{replica.id}: nobody knows how large {recipe.model} is in {recipe.precision}"
            continue
        least = memory_bytes(found, context_tokens=min(1024, recipe.context_tokens), concurrency=1)
        given = sum(binding.memory_bytes for binding in replica.bindings)
        if given < least:
            yield f"{replica.id} needs {least} bytes at least and is given {given}"
        for binding in replica.bindings:
            device = devices.get(binding.device)
            if device is not None and binding.memory_bytes > device.memory_bytes:
                yield f"{replica.id} is given {binding.memory_bytes} bytes of {device.id}, which has {device.memory_bytes}"


def check_residency(seen: Seen) -> Iterator[str]:
    """Property 4: nothing lives where its service may not, nor does a gateway on the line send a request there."""
    services = {service.name: service for service in seen.view.services}
    nodes = {node.id: node for node in seen.view.nodes}
    homes = {replica.id: replica.node for replica in seen.view.replicas}
    for replica in seen.view.replicas:
        if replica.phase not in LEAVING and not _may_live(services.get(replica.service), nodes.get(replica.node)):
            yield f"{replica.id} lives on {replica.node}, where {replica.service} may not"
    for door, table in seen.tables.items():
        for name, route in table.routes.items():
            service = services.get(name)
            if service is not None and service.asked_s * 1000 >= table.version:
                continue  # it was asked for anew after the table was made: while control comes back the old one is kept
            for upstream in route.upstreams:
                home = nodes.get(homes.get(upstream.replica, NodeId("")))
                if home is not None and not _may_live(service, home):
                    yield f"{door} sends requests of {name} to {upstream.replica} on {home.id}"


def _may_live(service: Service | None, node: Node | None) -> bool:
    if service is None or node is None or not service.residency:
        return True
    return not {node.site, node.region, *node.tags}.isdisjoint(service.residency)


def check_guarantees(seen: Seen) -> Iterator[str]:
    """Property 5: who asks for no more than is guaranteed gets it, or the plan says which constraint stops it.

    Of each service that lacks replicas or rate by a count of what the plan gives it, the plan must say so, with a reason; and
    of a tenant that lacks some while its guarantee is not used up and would cover it, the same.
    """
    if seen.aims is None or not isinstance(seen.aims.plan, Plan):
        return
    plan, problem = seen.aims.plan, seen.aims.outlook.problem
    if plan.status is Solved.CUT_SHORT:
        return  # nothing was proven, and what runs stays: that is what the status says
    told = {unmet.work: unmet for unmet in plan.unmet}
    for ask in problem.services:
        given = sum(each.count for each in plan.replicas if each.work == ask.name)
        unmet = told.get(ask.name)
        if given < ask.min_replicas and (unmet is None or not unmet.because):
            yield f"the plan gives {ask.name} {given} of {ask.min_replicas} replicas and does not say why"
        if unmet is not None and not unmet.because and (unmet.missing or unmet.missing_replicas):
            yield f"the plan says that {ask.name} lacks {unmet.missing or unmet.missing_replicas}, and not why"
    for tenant in problem.tenants:
        yield from _unkept(tenant, plan, problem)


def _unkept(tenant: Asking, plan: Plan, problem: Problem) -> Iterator[str]:
    pools = {pool.name: pool for pool in problem.pools}
    mine = {ask.name: ask for ask in problem.services if ask.tenant == tenant.name}
    told = {unmet.work for unmet in plan.unmet if unmet.because}
    for guarantee in tenant.guarantees:
        used = sum(
            each.count * each.devices
            for each in plan.replicas
            if each.work in mine and guarantee.covers(pools[each.pool])
        )
        covered = {pool.name for pool in problem.pools if pool.nodes and guarantee.covers(pool)}
        for name, ask in mine.items() if used < guarantee.devices else ():
            lacks = sum(each.count for each in plan.replicas if each.work == name) < ask.min_replicas
            has_way = any(way.chip in covered and way.evidence is not Evidence.FAILED for way in ask.ways)
            if lacks and has_way and name not in told:
                yield f"{tenant.name} uses {used} of {guarantee.devices} guaranteed devices and {name} lacks replicas"


def check_moving(seen: Seen) -> Iterator[str]:
    """Property 6: the loop reaches a fixed point when nothing changes: it is asked again and again at one instant."""
    if seen.still_moving:
        yield f"control changed the state {seen.still_moving} times in a row though nothing happened"


def check_requests(seen: Seen) -> Iterator[str]:
    """Property 7: a request ends once, answered or with a clear error, whole and in time, and nothing is left of it anywhere."""
    opened = {one.key: one for one in seen.open}
    if len(opened) != len(seen.open):
        yield "a request is open at two gateways"
    for key, fate in enumerate(seen.fates):
        yield from (f"request {key} {what}" for what in _wrong_with(fate, is_open=key in opened))
    for one in seen.open:
        if one.replica is None and not one.is_held:
            yield f"request {one.key} is nowhere"
        if one.is_held and one.held_until_s is not None and seen.now_s > one.held_until_s + _LATE_S:
            yield f"request {one.key} is held {seen.now_s - one.held_until_s:.0f} s too long"
    at = {str(one.key): one.replica for one in seen.open}
    for replica, keys in seen.asked.items():
        yield from (
            f"{replica} works on request {key}, which is at {at.get(key)}" for key in keys if at.get(key) != replica
        )


def _wrong_with(fate: Fate, *, is_open: bool) -> Iterator[str]:
    has_ended = not isnan(fate.ended_s)
    if has_ended == is_open or fate.ends != has_ended:
        yield f"ended {fate.ends} times and is {'open' if is_open else 'not open'}"
    if has_ended and fate.is_answered == bool(fate.why):
        yield f"was {'answered' if fate.is_answered else 'not answered'}, and told {fate.why!r}"
    if fate.is_answered and sum(piece.tokens for piece in fate.pieces) != fate.request.output_tokens:
        yield f"has {fate.pieces} of {fate.request.output_tokens} tokens"


def check_usage(seen: Seen) -> Iterator[str]:
    """Property 8, as far as there is something to bill by: what a gateway counts is each of its requests, once."""
    for report in seen.reports:
        first = seen.first_keys[report.door]
        mine = [fate for fate in seen.fates[first:] if fate.door == report.door and fate.is_named]
        for name, traffic in report.traffic.items():
            own = [fate for fate in mine if fate.service == name]
            answered = [fate for fate in own if fate.is_answered]
            counted = (traffic.asked, traffic.answered, traffic.failed, traffic.input_tokens, traffic.output_tokens)
            true = (
                len(own),
                len(answered),
                sum(fate.status >= 500 for fate in own),
                sum(fate.request.prompt_tokens for fate in answered),
                sum(fate.request.output_tokens for fate in answered),
            )
            if counted != true:
                yield f"{report.door} counts {counted} of {name}, and it was {true}"
        flying = Counter(one.replica for one in seen.open if one.door == report.door and one.replica is not None)
        if dict(flying) != dict(report.in_flight):
            yield f"{report.door} counts {dict(report.in_flight)} in flight, and it is {dict(flying)}"


def check_drained(seen: Seen) -> Iterator[str]:
    """Property 9: a replica is drained before it is stopped, unless its device is gone.

    Drained: no gateway would give it a request or is answering one through it; or its time for that is over.
    """
    for one in seen.stopped:
        if one.is_over or one.drained_s >= DRAIN_S:
            continue
        if one.was not in _MAY_BE_STOPPED:
            yield f"{one.replica} was {one.was} and its engine was stopped"
        elif one.in_flight or one.is_routed:
            yield f"{one.replica} was stopped after {one.drained_s:.1f} s: {one.in_flight} in flight, routed {one.is_routed}"


def check_cordons(seen: Seen) -> Iterator[str]:
    """None of the ten, but an admin's word: nothing new is bound on a node or device that was closed before the pass."""
    nodes = {node.id: node for node in seen.before.nodes} if seen.before is not None else {}
    known = {replica.id for replica in seen.before.replicas} if seen.before is not None else set()
    for replica in seen.view.replicas:
        node = nodes.get(replica.node)
        if (
            node is not None
            and replica.id not in known
            and not all(node.takes(each.device) for each in replica.bindings)
        ):
            yield f"{replica.id} was bound on {replica.node}, which is closed"


DRAIN_S: Final = 30.0
_MAY_BE_STOPPED: Final = frozenset(
    {
        None,
        ReplicaPhase.DRAINING,
        ReplicaPhase.STOPPING,
        ReplicaPhase.BOUND,
        ReplicaPhase.FETCHING,
        ReplicaPhase.BACKOFF,
    }
)
CHECKS: Final[tuple[Callable[[Seen], Iterator[str]], ...]] = (
    check_devices,
    check_gangs,
    check_memory,
    check_residency,
    check_guarantees,
    check_moving,
    check_requests,
    check_usage,
    check_drained,
    check_cordons,
)
"""Those of one step; the tenth is of two runs (see NOT_JUDGED)."""


def check_same(one: str, other: str) -> Iterator[str]:
    """Property 10: replay of the same seed gives the same bytes. Takes the digests of two runs."""
    if one != other:
        yield f"the same seed gave {one} and {other}"
