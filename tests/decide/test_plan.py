"""plan and bind: who gets what, and the reasons."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.records import Catalog, WeightsFormat
from alliage.decide.bind import bind
from alliage.decide.option import label
from alliage.decide.plan import Budget, Infeasible, Plan, Status, plan
from alliage.decide.reasons import Outcome, ReasonCode
from alliage.fleet.lifecycles import NodePhase, ReplicaPhase, ServicePhase
from alliage.fleet.services import Objective
from alliage.fleet.view import FleetView
from alliage.units import GIB, MIB
from tests.builders import CATALOG, a_card, a_node, a_replica, a_service


def planned(view: FleetView, replicas: int = 1000, catalog: Catalog = CATALOG) -> Plan:
    """The plan, which must be one."""
    answer = plan(view, catalog, now_s=1.0, budget=Budget(replicas=replicas))
    assert isinstance(answer, Plan)
    return answer


def codes(answer: Plan | Infeasible) -> set[ReasonCode]:
    """Every reason of every rejection."""
    return {entry.reason.code for decision in answer.decisions for entry in decision.rejected}


def test_default_model_takes_half_the_cores() -> None:
    """On two cores one replica gets one core, on eight it gets four: the rest is left to a second model."""
    for cores in (2, 8):
        view = FleetView(version=1, nodes=(a_node(cores=cores),), services=(a_service(),))
        (added,) = planned(view).add
        assert added.recipe.cores == cores // 2
        assert added.count == 1


def test_third_model_on_two_cores_gets_a_no_that_names_the_holders_and_the_way_out() -> None:
    """Two models hold a core each; the third is refused for cores, and stopping either would make room."""
    held = (a_replica("a-1", service="a", cores=(0,)), a_replica("b-1", service="b", cores=(1,)))
    services = (a_service("a"), a_service("b"), a_service("c"))
    answer = planned(FleetView(version=1, nodes=(a_node(),), services=services, replicas=held))
    (decision,) = answer.decisions
    assert decision.outcome is Outcome.REFUSED
    assert answer.unserved == ("c",)
    assert {entry.reason.facts["holders"] for entry in decision.rejected} == {"a, b"}
    assert {reason.facts["service"] for reason in decision.would_change} == {"a", "b"}


def test_named_change_makes_the_refused_service_fit() -> None:
    """Truthful: stopping a service that `would_change` names turns the no into a yes."""
    held = (a_replica("a-1", service="a", cores=(0,)), a_replica("b-1", service="b", cores=(1,)))
    services = (a_service("a"), a_service("b"), a_service("c"))
    view = FleetView(version=1, nodes=(a_node(),), services=services, replicas=held)
    named = planned(view).decisions[0].would_change[0].facts["service"]
    after = replace(
        view,
        services=tuple(service for service in services if service.name != named),
        replicas=tuple(replica for replica in held if replica.service != named),
    )
    assert [added.service for added in planned(after).add] == ["c"]


def test_model_larger_than_memory_says_what_is_needed_and_what_is_there() -> None:
    """A 100 GiB model on a 16 GiB node: refused for memory with both figures."""
    service = a_service(card=a_card(weight_bytes=100 * GIB))
    answer = planned(FleetView(version=1, nodes=(a_node(memory_bytes=16 * GIB),), services=(service,)))
    reasons = [entry.reason for entry in answer.decisions[0].rejected]
    assert {reason.code for reason in reasons} == {ReasonCode.MEMORY_SHORT}
    assert all(int(reason.facts["needed_bytes"]) > 100 * GIB for reason in reasons)
    assert {reason.facts["total_bytes"] for reason in reasons} == {16 * GIB}
    assert {reason.code for reason in answer.decisions[0].would_change} == {ReasonCode.ADD_MEMORY}


def test_memory_that_is_free_now_counts_not_only_what_is_bound() -> None:
    """Nothing is bound, but the machine itself has no memory left: refused."""
    node = a_node(memory_bytes=16 * GIB)
    view = FleetView(version=1, nodes=(node,), services=(a_service(),), free_bytes={node.devices[0].id: 64 * MIB})
    assert codes(planned(view)) == {ReasonCode.MEMORY_SHORT}


def test_smaller_context_is_taken_where_the_default_does_not_fit() -> None:
    """With room for weights but not for four long contexts, one short one is given, and the first is explained."""
    node = a_node(memory_bytes=16 * GIB)
    default = planned(FleetView(version=1, nodes=(node,), services=(a_service(),))).add[0].recipe
    tight = replace(node, devices=(replace(node.devices[0], memory_bytes=default.memory_bytes - 1),))
    answer = planned(FleetView(version=1, nodes=(tight,), services=(a_service(),)))
    assert answer.add[0].recipe.concurrency == 1
    assert codes(answer) == {ReasonCode.MEMORY_SHORT}


def test_placed_decision_names_what_was_not_taken_and_what_would_change_it() -> None:
    """Truthful: with a byte less free than `below_bytes` the plan takes what `instead` says."""
    node = a_node(memory_bytes=16 * GIB)
    view = FleetView(version=1, nodes=(node,), services=(a_service(),))
    (decision,) = planned(view).decisions
    assert {entry.reason.code for entry in decision.rejected} == {ReasonCode.SMALLER_SIZE}
    (change,) = decision.would_change
    below = replace(view, free_bytes={node.devices[0].id: int(change.facts["below_bytes"]) - 1})
    (after,) = planned(below).decisions
    assert after.recipe is not None
    assert label(after.recipe, after.where) == change.facts["instead"]


def test_an_engine_that_could_serve_hides_those_that_could_not() -> None:
    """For safetensors on a CPU only vLLM is told of, which is to be installed; not each engine that cannot read them."""
    safetensors = a_service(card=a_card(weights_format=WeightsFormat.SAFETENSORS))
    answer = planned(FleetView(version=1, nodes=(a_node(),), services=(safetensors,)))
    (decision,) = answer.decisions
    assert [(entry.reason.code, entry.reason.facts["engine"]) for entry in decision.rejected] == [
        (ReasonCode.ENGINE_MISSING, "vllm")
    ]
    assert [change.facts["engine"] for change in decision.would_change] == ["vllm"]


def test_two_nodes_alike_the_one_with_less_room_is_named() -> None:
    """The roomier node is taken, the other is said to have less to spare."""
    view = FleetView(version=1, nodes=(a_node("big", cores=8), a_node("small")), services=(a_service(),))
    (decision,) = planned(view).decisions
    assert decision.where == "big/cpu0"
    assert ReasonCode.LESS_ROOM in {entry.reason.code for entry in decision.rejected}


def test_engine_reasons() -> None:
    """Safetensors where only llama.cpp is known, and a node without the engine, each get their own reason."""
    safetensors = a_service(card=a_card(weights_format=WeightsFormat.SAFETENSORS))
    view = FleetView(version=1, nodes=(a_node(),), services=(safetensors,))
    only = replace(CATALOG, engines={"llama.cpp": CATALOG.engines["llama.cpp"]})
    assert codes(planned(view, catalog=only)) == {ReasonCode.FORMAT_UNSERVED}
    bare = FleetView(version=1, nodes=(a_node(engines=()),), services=(a_service(),))
    answer = planned(bare)
    assert codes(answer) == {ReasonCode.ENGINE_MISSING}
    assert {reason.code for reason in answer.decisions[0].would_change} == {ReasonCode.INSTALL_ENGINE}


def test_no_reachable_node_is_infeasible_and_names_the_culprit() -> None:
    """An empty fleet and a lost node are told apart."""
    empty = plan(FleetView(version=1, services=(a_service(),)), CATALOG, now_s=0.0, budget=Budget.unlimited())
    lost_node = a_node(phase=NodePhase.UNREACHABLE)
    view = FleetView(version=1, nodes=(lost_node,), services=(a_service(),))
    lost = plan(view, CATALOG, now_s=0.0, budget=Budget.unlimited())
    assert isinstance(empty, Infeasible)
    assert isinstance(lost, Infeasible)
    assert codes(empty) == {ReasonCode.NO_NODE}
    assert codes(lost) == {ReasonCode.NODE_UNREACHABLE}


def test_nothing_wanted_on_an_empty_fleet_is_an_empty_plan() -> None:
    """Zero demand is no failure."""
    assert planned(FleetView(version=1)).add == ()


def test_unknown_chip_is_a_reason() -> None:
    """A device of a chip that the catalogue does not know is left alone, and said."""
    view = FleetView(version=1, nodes=(a_node(chip="maker-unheard"),), services=(a_service(),))
    assert codes(planned(view)) == {ReasonCode.CHIP_UNKNOWN}


def test_objective_without_a_known_speed_is_said_to_be_unchecked() -> None:
    """Nobody measured this recipe yet, so an objective is neither kept nor broken."""
    service = a_service(objective=Objective(ttft_s=0.5, tpot_s=None))
    answer = planned(FleetView(version=1, nodes=(a_node(),), services=(service,)))
    assert ReasonCode.SPEED_UNKNOWN in {reason.code for reason in answer.decisions[0].because}


def test_deleting_service_is_all_surplus() -> None:
    """Its replicas are given back, those already leaving are not counted twice."""
    replicas = (
        a_replica("a-1", service="a", phase=ReplicaPhase.READY),
        a_replica("a-2", service="a", cores=(1,), phase=ReplicaPhase.DRAINING),
    )
    service = a_service("a", phase=ServicePhase.DELETING)
    answer = planned(FleetView(version=1, nodes=(a_node(),), services=(service,), replicas=replicas))
    assert answer.surplus == ("a-1",)


def test_budget_cut_short_says_so() -> None:
    """With nothing allowed nothing is planned, and the status and the service that waits say it."""
    view = FleetView(version=1, nodes=(a_node(),), services=(a_service(),))
    answer = planned(view, replicas=0)
    assert answer.status is Status.CUT_SHORT
    assert answer.postponed == {view.services[0].name}
    assert answer.add == ()


def test_bind_never_takes_a_node_without_the_engine() -> None:
    """The roomiest node has no engine: plan does not choose it, and bind does not either."""
    nodes = (a_node("able", cores=2), a_node("bare", cores=8, engines=()))
    view = FleetView(version=1, nodes=nodes, services=(a_service(),))
    (added,) = planned(view).add
    placement = bind(added, view)
    assert placement is not None
    assert placement.node == "able"


def test_bind_spreads_a_service_over_nodes() -> None:
    """The second replica of a service goes to the node that has none, though the first has more room."""
    nodes = (a_node("big", memory_bytes=64 * GIB), a_node("small", memory_bytes=16 * GIB))
    service = a_service(replicas=2)
    view = FleetView(version=1, nodes=nodes, services=(service,), replicas=(a_replica(node="big"),))
    (added,) = planned(view).add
    placement = bind(added, view)
    assert placement is not None
    assert placement.node == "small"


@given(
    cores=st.integers(0, 9),
    memory_gib=st.integers(0, 40),
    models=st.lists(st.tuples(st.integers(1, 20 * GIB), st.integers(1, 3)), max_size=6),
)
def test_property_1_plan_and_bind_never_give_more_of_a_device_than_it_has(
    cores: int, memory_gib: int, models: list[tuple[int, int]]
) -> None:
    """Safety property 1 and 3: whatever is asked, cores are bound once and bytes stay within the device."""
    node = a_node(cores=cores, memory_bytes=memory_gib * GIB)
    services = tuple(
        a_service(f"m{index}", card=a_card(f"m{index}", weight_bytes=size), replicas=count)
        for index, (size, count) in enumerate(models)
    )
    view = FleetView(version=1, nodes=(node,), services=services)
    for added in planned(view).add:
        placement = bind(added, view)
        assert placement is not None
        fresh = a_replica(f"{added.service}-{len(view.replicas)}", service=added.service, recipe=added.recipe)
        view = replace(view, replicas=(*view.replicas, replace(fresh, bindings=placement.bindings)))
    bindings = [binding for replica in view.replicas for binding in replica.bindings]
    taken = [core for binding in bindings for core in binding.cores]
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(range(cores))
    assert sum(binding.memory_bytes for binding in bindings) <= memory_gib * GIB
    for replica in view.replicas:
        size = next(service.model.weights.size_bytes for service in services if service.name == replica.service)
        assert replica.recipe.memory_bytes >= size


def test_what_the_budget_does_not_allow_is_placed_by_the_next_plan_and_nothing_leaves_meanwhile() -> None:
    """Two replicas of three: the service that waits is named, so that what it has elsewhere is not let go yet."""
    nodes = tuple(a_node(name, cores=2) for name in ("a", "b", "c"))
    view = FleetView(version=1, nodes=nodes, services=(a_service(replicas=3),))
    answer = planned(view, replicas=2)
    assert (len(answer.add), answer.status) == (2, Status.CUT_SHORT)
    assert answer.postponed == {view.services[0].name}
    whole = planned(view, replicas=3)
    assert (len(whole.add), whole.status, whole.postponed) == (3, Status.OPTIMAL, frozenset())
    assert whole.add[:2] == answer.add
