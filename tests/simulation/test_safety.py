"""Each check of the simulation can fail: it is silent of what is well, and tells of what is broken on purpose."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from alliage.catalog.records import WeightsFormat
from alliage.control.observed import DoorReport
from alliage.decide.aiming.aims import Aims
from alliage.decide.aiming.outlook import Outlook
from alliage.decide.solve.answer import Assigned, Plan, Status, Unmet
from alliage.decide.solve.problem import Guarantee, Pool, Problem, ServiceAsk, Site, Tenant, Way
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Binding, Recipe, Replica
from alliage.fleet.routing import Route, RoutingTable, Upstream
from alliage.fleet.services import UNASKED
from alliage.fleet.traffic import Traffic
from alliage.fleet.view import FleetView
from alliage.replay.cloud.fates import Fate, Piece
from alliage.replay.requests.trace import Request
from alliage.units import GIB, MIB
from tests.builders import a_card, a_recipe, a_service
from tests.simulation.safety import (
    CHECKS,
    OpenRequest,
    Seen,
    Stopped,
    check_cordons,
    check_devices,
    check_drained,
    check_gangs,
    check_guarantees,
    check_memory,
    check_moving,
    check_requests,
    check_residency,
    check_same,
    check_usage,
)

SERVICE, ONE, NODE = ServiceName("m"), ReplicaId("m-000001"), NodeId("h20")
CARDS = (DeviceId("h20/nvidia0"), DeviceId("h20/nvidia1"))
CARD_BYTES = 96 * GIB


def a_hall(*, is_cordoned: bool = False, region: str = "cn") -> Node:
    """A node with two cards."""
    devices = (Device(id=card, chip="nvidia-h20", cores=(), memory_bytes=CARD_BYTES, facts={}) for card in CARDS)
    return Node(
        id=NODE,
        site="hall",
        region=region,
        phase=NodePhase.READY,
        devices=tuple(devices),
        engines=(),
        is_cordoned=is_cordoned,
    )


def a_gang_recipe(*, devices: int = 1) -> Recipe:
    """VLLM on so many cards."""
    whole = replace(a_recipe("m", cores=0, memory_bytes=8 * GIB), chip="nvidia-h20", engine="vllm", precision="bf16")
    return replace(whole, tensor_parallel=devices)


def a_gang(*cards: DeviceId, name: ReplicaId = ONE, devices: int | None = None, memory_bytes: int = 8 * GIB) -> Replica:
    """A ready replica that holds these cards."""
    recipe = a_gang_recipe(devices=devices or len(cards))
    return Replica(
        id=name,
        service=SERVICE,
        node=NODE,
        recipe=recipe,
        bindings=tuple(Binding(device=card, cores=(), memory_bytes=memory_bytes) for card in cards),
        phase=ReplicaPhase.READY,
        starts=0,
        failures=0,
        retry_s=0.0,
        note="",
        created_s=0.0,
    )


def a_view(*replicas: Replica, node: Node | None = None, residency: tuple[str, ...] = ()) -> FleetView:
    """One service on the one node."""
    card = replace(a_card("m", weight_bytes=4 * GIB, weights_format=WeightsFormat.SAFETENSORS), precision="bf16")
    service = replace(a_service("m", card=card), residency=residency)
    return FleetView(version=1, nodes=(node or a_hall(),), services=(service,), replicas=replicas)


def a_request(**ended: object) -> Fate:
    """One of 10 tokens that ended as is told."""
    request = Request(at_s=0.0, prompt_tokens=5, output_tokens=10)
    fate = Fate(SERVICE, request, UNASKED, door="door", is_named=True)
    for name, value in ended.items():
        setattr(fate, name, value)
    return fate


def answered(tokens: int = 10, *, ends: int = 1) -> Fate:
    """One that is over and well, where it has its tokens."""
    return a_request(ended_s=1.0, is_answered=True, ends=ends, pieces=[Piece(ONE, 4), Piece(ONE, tokens - 4)])


def some_aims(*, count: int, unmet: tuple[Unmet, ...] = ()) -> Aims:
    """A plan that gives a tenant with two guaranteed devices so many of two replicas."""
    way = Way(name="way", chip="kind", devices=1, rate=None)
    problem = Problem(
        sites=(Site(name="hall"),),
        pools=(Pool(name="kind", site="hall", chip="kind", node_devices=2, nodes=1),),
        tenants=(Tenant(name="gold", guarantees=(Guarantee(chips=frozenset({"kind"}), devices=2),)),),
        services=(ServiceAsk(name="m", tenant="gold", demand_rps=0.0, ways=(way,), min_replicas=2),),
    )
    plan = Plan(
        status=Status.OPTIMAL, gap=0.0, stages=(), jobs=(), moves=(), prices=(), unmet=unmet, shares=(), unkept=(), work_used=0,
        replicas=(Assigned(work="m", way="way", pool="kind", count=count, devices=1),),
    )  # fmt: skip
    outlook = Outlook(problem=problem, running=(), kinds=(), ways={})
    return Aims(outlook=outlook, plan=plan, aims={}, short={})


def a_lack(*why: Why) -> Unmet:
    """One replica of two."""
    return Unmet(work="m", tenant="gold", missing=0.0, missing_replicas=1, because=why)


def a_table(replica: ReplicaId) -> RoutingTable:
    """It sends all to one replica."""
    upstream = Upstream(replica=replica, host="h", port=1, key="", concurrency=1)
    route = Route(service=SERVICE, created_s=0, tasks=(), upstreams=(upstream,), waiting="", refusal="")
    return RoutingTable(version=2, routes={SERVICE: route}, keys={})


def a_report(**counted: int) -> DoorReport:
    """What the gateway counts."""
    return DoorReport(door="door", table_version=1, in_flight={}, heard_s=0.0, traffic={SERVICE: Traffic(**counted)})


def stopped(**how: object) -> Stopped:
    """A replica that was drained as it should be, but for what is told."""
    well = Stopped(replica=ONE, was=ReplicaPhase.DRAINING, drained_s=1.0, in_flight=0, is_routed=False, is_over=False)
    return replace(well, **how)  # type: ignore[arg-type]


def seen(*replicas: Replica, **facts: object) -> Seen:
    """One moment."""
    return replace(Seen(now_s=100.0, view=a_view(*replicas)), **facts)  # type: ignore[arg-type]


WHOLE, OTHER = a_gang(CARDS[0]), a_gang(CARDS[0], name=ReplicaId("m-000002"))
COUNTED = {"asked": 1, "answered": 1, "tokens_counted": 1, "input_tokens": 5, "output_tokens": 10}
CPU = Binding(device=CARDS[0], cores=(0, 1), memory_bytes=MIB)
WHY = Why(code=WhyCode.DEVICES_FULL, facts={})
Check = Callable[[Seen], Iterator[str]]

CASES: tuple[tuple[str, Check, Seen, Seen], ...] = (
    ("1: a whole device twice", check_devices, seen(WHOLE), seen(WHOLE, OTHER)),
    (
        "1: more memory than there is",
        check_devices,
        seen(a_gang(CARDS[0], memory_bytes=CARD_BYTES)),
        seen(a_gang(CARDS[0], memory_bytes=CARD_BYTES + 1)),
    ),
    (
        "1: a core twice",
        check_devices,
        seen(replace(WHOLE, bindings=(CPU,)), replace(OTHER, bindings=(replace(CPU, cores=(2,)),))),
        seen(replace(WHOLE, bindings=(CPU,)), replace(OTHER, bindings=(replace(CPU, cores=(1,)),))),
    ),
    (
        "1: an engine that nobody knows runs beside another",
        check_devices,
        seen(WHOLE, holding={NODE: {ONE: WHOLE.bindings}}),
        seen(WHOLE, holding={NODE: {ONE: WHOLE.bindings, ReplicaId("old"): WHOLE.bindings}}),
    ),
    ("2: a gang with one card too few", check_gangs, seen(a_gang(*CARDS)), seen(a_gang(CARDS[0], devices=2))),
    ("2: a card of another node", check_gangs, seen(WHOLE), seen(a_gang(DeviceId("b200/nvidia0")))),
    ("3: too little memory", check_memory, seen(WHOLE), seen(a_gang(CARDS[0], memory_bytes=4 * GIB))),
    (
        "4: a replica in another region",
        check_residency,
        seen(view=a_view(WHOLE, residency=("cn",))),
        seen(view=a_view(WHOLE, residency=("eu",))),
    ),
    (
        "4: a route to another region",
        check_residency,
        seen(view=a_view(WHOLE, residency=("cn",)), tables={"door": a_table(ONE)}),
        seen(
            view=a_view(replace(WHOLE, phase=ReplicaPhase.DRAINING), residency=("eu",)), tables={"door": a_table(ONE)}
        ),
    ),
    (
        "5: a replica is missing and nobody says why",
        check_guarantees,
        seen(aims=some_aims(count=2)),
        seen(aims=some_aims(count=1)),
    ),
    (
        "5: that it is missing is told, but not why",
        check_guarantees,
        seen(aims=some_aims(count=1, unmet=(a_lack(WHY),))),
        seen(aims=some_aims(count=1, unmet=(a_lack(),))),
    ),
    ("6: control changes its mind for ever", check_moving, seen(), seen(still_moving=12)),
    ("7: a request that ended twice", check_requests, seen(fates=(answered(),)), seen(fates=(answered(ends=2),))),
    ("7: a token too many", check_requests, seen(fates=(answered(),)), seen(fates=(answered(11),))),
    (
        "7: no answer and no word",
        check_requests,
        seen(fates=(a_request(ended_s=1.0, ends=1, why="no chip can serve it", status=503),)),
        seen(fates=(a_request(ended_s=1.0, ends=1, status=503),)),
    ),
    (
        "7: a request that is nowhere",
        check_requests,
        seen(fates=(a_request(),), open=(OpenRequest(key=0, door="door", replica=ONE, is_held=False),)),
        seen(fates=(a_request(),), open=(OpenRequest(key=0, door="door", replica=None, is_held=False),)),
    ),
    ("7: a request that was forgotten", check_requests, seen(), seen(fates=(a_request(),))),
    (
        "7: an engine works for nobody",
        check_requests,
        seen(asked={ONE: frozenset()}),
        seen(asked={ONE: frozenset({"7"})}),
    ),
    (
        "8: a request is counted twice",
        check_usage,
        seen(fates=(answered(),), first_keys={"door": 0}, reports=(a_report(**COUNTED),)),
        seen(fates=(answered(),), first_keys={"door": 0}, reports=(a_report(**{**COUNTED, "answered": 2}),)),
    ),
    (
        "8: tokens are forgotten",
        check_usage,
        seen(fates=(answered(),), first_keys={"door": 0}, reports=(a_report(**COUNTED),)),
        seen(fates=(answered(),), first_keys={"door": 0}, reports=(a_report(**{**COUNTED, "output_tokens": 9}),)),
    ),
    ("9: stopped as it answers", check_drained, seen(stopped=(stopped(),)), seen(stopped=(stopped(in_flight=1),))),
    (
        "9: stopped while it may be asked",
        check_drained,
        seen(stopped=(stopped(),)),
        seen(stopped=(stopped(is_routed=True),)),
    ),
    (
        "9: stopped though nobody let it go",
        check_drained,
        seen(stopped=(stopped(was=ReplicaPhase.READY, is_over=True),)),
        seen(stopped=(stopped(was=ReplicaPhase.READY),)),
    ),
    (
        "bound where it is closed",
        check_cordons,
        seen(WHOLE, before=a_view()),
        seen(WHOLE, before=a_view(node=a_hall(is_cordoned=True))),
    ),
)


@pytest.mark.parametrize(("check", "well", "broken"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_check_tells_what_is_broken_and_nothing_else(check: Check, well: Seen, broken: Seen) -> None:
    """Properties 1 to 9, one by one: silent of a state that is well, not of the same state with one thing wrong."""
    assert list(check(well)) == []
    assert list(check(broken))


def test_two_runs_that_differ_are_told() -> None:
    """Property 10."""
    assert list(check_same("a", "a")) == []
    assert list(check_same("a", "b"))


def test_every_check_is_proven() -> None:
    """None is added without a case that it tells of."""
    assert {case[1] for case in CASES} == set(CHECKS)
