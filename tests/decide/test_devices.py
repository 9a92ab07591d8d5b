"""plan and bind with devices that are given whole: several for one replica, none for two, and the reasons."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.records import ModelCard
from alliage.decide.bind import bind
from alliage.decide.places import place_of_node
from alliage.decide.plan import Budget, Plan, plan
from alliage.decide.reasons import Outcome, ReasonCode
from alliage.decide.recipes import Size, ways
from alliage.fleet.ids import DeviceId, ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView
from alliage.units import GIB
from tests.builders import CATALOG, a_node, a_service


def rack(name: str = "rack", *, cards: int = 8, chip: str = "huawei-910b", gib: int = 64) -> Node:
    """A node with so many cards and vLLM."""
    devices = tuple(
        Device(id=DeviceId(f"{name}/ascend{n}"), chip=chip, cores=(), memory_bytes=gib * GIB, facts={})
        for n in range(cards)
    )
    return replace(a_node(name, engines=("vllm",)), devices=devices)


def wanting(model: str, name: str = "") -> Service:
    """A service of a catalogue model."""
    return a_service(name or model, card=CATALOG.models[model])


def planned(view: FleetView) -> Plan:
    """The plan, which must be one."""
    made = plan(view, CATALOG, now_s=0.0, budget=Budget.unlimited())
    assert isinstance(made, Plan)
    return made


def carried_out(view: FleetView, made: Plan) -> FleetView:
    """The view with all that was planned bound, in order."""
    for number, added in enumerate(made.add):
        placement = bind(added, view)
        assert placement is not None
        replica = Replica(
            id=ReplicaId(f"{added.service}-{number}"), service=added.service, node=placement.node, recipe=added.recipe,
            bindings=placement.bindings, phase=ReplicaPhase.READY, starts=0, failures=0, retry_s=0.0, note="", created_s=0.0,
        )  # fmt: skip
        view = replace(view, replicas=(*view.replicas, replica))
    return view


def test_model_larger_than_a_card_is_spread_over_the_fewest_that_hold_it() -> None:
    """65 GB of 16-bit weights and their cache: two cards of 64 GiB, each with half of the bytes."""
    view = FleetView(version=1, nodes=(rack(),), services=(wanting("qwen3-32b"),))
    after = carried_out(view, planned(view))
    (replica,) = after.replicas
    assert replica.recipe.tensor_parallel == len(replica.bindings) == 2
    assert [binding.device for binding in replica.bindings] == ["rack/ascend0", "rack/ascend1"]
    assert sum(binding.memory_bytes for binding in replica.bindings) >= replica.recipe.memory_bytes
    assert all(binding.memory_bytes <= 64 * GIB for binding in replica.bindings)


def test_a_card_given_whole_is_in_one_binding_and_the_no_names_who_has_it() -> None:
    """Two cards, two small models, and a third: refused, and truthful: stopping what is named makes room."""
    names = ("a", "b", "c")
    services = tuple(wanting("qwen3-8b", name) for name in names)
    view = FleetView(version=1, nodes=(rack(cards=2),), services=services)
    made = planned(view)
    after = carried_out(view, made)
    assert [[binding.device for binding in replica.bindings] for replica in after.replicas] == [
        ["rack/ascend0"],
        ["rack/ascend1"],
    ]
    refused = next(each for each in made.decisions if each.outcome is Outcome.REFUSED)
    assert ReasonCode.DEVICES_TAKEN in {each.reason.code for each in refused.rejected}
    later = next(each for each in planned(after).decisions if each.outcome is Outcome.REFUSED)
    change = later.would_change[0]
    assert change.code is ReasonCode.FREE_DEVICES
    freed = replace(
        after,
        services=tuple(each for each in services if each.name != change.facts["service"]),
        replicas=tuple(each for each in after.replicas if each.service != change.facts["service"]),
    )
    assert [each.service for each in planned(freed).add] == ["c"]


def test_too_few_cards_in_any_node_says_how_many_would_do_and_that_is_true() -> None:
    """32 B on nodes of one card: refused with the number of cards, and with so many it is served."""
    view = FleetView(version=1, nodes=(rack(cards=1),), services=(wanting("qwen3-32b"),))
    (decision,) = planned(view).decisions
    assert ReasonCode.DEVICES_SHORT in {each.reason.code for each in decision.rejected}
    change = next(each for each in decision.would_change if each.code is ReasonCode.ADD_DEVICES)
    more = replace(view, nodes=(rack(cards=int(change.facts["devices"])),))
    assert planned(more).add


def test_pipeline_stages_serve_where_no_tensor_degree_does() -> None:
    """Three cards: 40 heads are not divided by three, so the layers are laid over three stages or 2 x 1 will not do."""
    card = CATALOG.models["qwen3-32b"]
    node = rack(cards=3, gib=32)
    found = ways(card, place_of_node(CATALOG.chips["huawei-910b"], node, node.devices), CATALOG, sizes=(SMALL,))
    (way,) = found.ways
    assert (way.recipe.tensor_parallel, way.recipe.pipeline_parallel) == (1, 3)
    assert way.weight_bytes + way.kv_bytes <= way.usable_bytes


SMALL = Size(concurrency=1, context_tokens=1024)


@pytest.mark.parametrize("model", ["qwen3-8b", "qwen3-32b", "qwen3-235b-a22b"])
@given(cards=st.integers(1, 16), gib=st.integers(8, 192))
def test_every_way_fits_into_the_devices_it_takes(model: str, cards: int, gib: int) -> None:
    """Memory of a way is never more than that of its devices, which are no more than there are."""
    node = rack(cards=cards, gib=gib)
    place = place_of_node(CATALOG.chips["huawei-910b"], node, node.devices)
    card: ModelCard = CATALOG.models[model]
    for way in ways(card, place, CATALOG).ways:
        assert 1 <= way.devices <= cards
        assert way.recipe.memory_bytes <= way.devices * gib * GIB
        assert way.weight_bytes + way.kv_bytes <= way.usable_bytes <= way.devices * gib * GIB
        assert card.architecture.heads % way.recipe.tensor_parallel == 0


@given(wanted=st.lists(st.sampled_from(["qwen3-8b", "qwen3-32b", "qwen3-14b"]), max_size=6), cards=st.integers(1, 8))
def test_devices_are_never_given_twice(wanted: list[str], cards: int) -> None:
    """Safety 1 and 2: after plan and bind no device is in two bindings, and each gang is whole."""
    services = tuple(wanting(model, f"s{n}") for n, model in enumerate(wanted))
    view = FleetView(version=1, nodes=(rack("one", cards=cards), rack("two", cards=cards)), services=services)
    made = plan(view, CATALOG, now_s=0.0, budget=Budget.unlimited())
    assert isinstance(made, Plan)
    after = carried_out(view, made)
    taken = [binding.device for replica in after.replicas for binding in replica.bindings]
    assert len(taken) == len(set(taken))
    for replica in after.replicas:
        assert len(replica.bindings) == replica.recipe.tensor_parallel * replica.recipe.pipeline_parallel
        assert {binding.device.split("/")[0] for binding in replica.bindings} == {replica.node}
