"""A service with an objective: it gets a recipe that is predicted to keep it, for as many requests as keep it, or a no that says why."""

from dataclasses import replace

import pytest

from alliage.decide.carrying import running_at, usual_lengths
from alliage.decide.places import place_of_node
from alliage.decide.plan import Plan
from alliage.decide.reasons import Decision, Outcome, ReasonCode
from alliage.fleet.nodes import Node
from alliage.fleet.services import Objective, Service
from alliage.fleet.view import FleetView
from alliage.speed.predict import Speed, predict
from tests.builders import CATALOG
from tests.decide.test_devices import planned, rack, wanting
from tests.store.builders import measured


def fleet() -> tuple[Node, ...]:
    """Two makes, eight cards each."""
    return (rack("h20", chip="nvidia-h20", gib=95), rack("ppu", chip="thead-ppu-810e", gib=95))


def asking(*, ttft_s: float | None = 1.0, tpot_s: float | None = 0.04, model: str = "qwen3-32b") -> Service:
    """A service that promises its users so much."""
    return replace(wanting(model), objective=Objective(ttft_s=ttft_s, tpot_s=tpot_s))


def decided(service: Service, *nodes: Node) -> tuple[Plan, Decision]:
    """The plan of it alone, and its decision."""
    made = planned(FleetView(version=1, nodes=nodes or fleet(), services=(service,)))
    (decision,) = made.decisions
    return made, decision


@pytest.mark.parametrize("tpot_s", [0.02, 0.04, 0.1])
def test_what_is_placed_is_predicted_to_keep_the_objective_at_its_full_size(tpot_s: float) -> None:
    """With all its slots taken, by the same speed model; and the decision says with which times."""
    service = asking(tpot_s=tpot_s)
    made, decision = decided(service)
    recipe = made.add[0].recipe
    node = next(node for node in fleet() if node.devices[0].chip == recipe.chip)
    place = place_of_node(CATALOG.chips[recipe.chip], node, node.devices)
    input_tokens, output_tokens = usual_lengths(recipe)
    speed = predict(running_at(service.model, recipe, place, input_tokens=input_tokens, output_tokens=output_tokens))
    assert isinstance(speed, Speed)
    assert speed.tpot_s <= tpot_s
    assert speed.ttft_s <= 1.0
    kept = next(reason for reason in decision.because if reason.code is ReasonCode.KEEPS_OBJECTIVE)
    assert kept.facts == {"users": recipe.concurrency, "ttft_s": speed.ttft_s, "tpot_s": speed.tpot_s}


def test_nothing_that_keeps_it_for_more_requests_a_device_was_passed_over() -> None:
    """Every other way that fits says for how many it would, and is no better."""
    made, decision = decided(asking())
    recipe = made.add[0].recipe
    others = [each.reason for each in decision.rejected if each.reason.code is ReasonCode.CARRIES_LESS]
    assert others
    for reason in others:
        assert reason.facts["than_users"] == recipe.concurrency
        assert float(reason.facts["users"]) / float(reason.facts["devices"]) <= recipe.concurrency / recipe.devices


def test_a_tighter_objective_takes_more_devices_or_fewer_requests_each() -> None:
    """What it costs to be faster."""
    loose, tight = (decided(asking(tpot_s=tpot_s))[0].add[0].recipe for tpot_s in (0.1, 0.015))
    assert tight.concurrency / tight.devices < loose.concurrency / loose.devices


def test_an_objective_that_nothing_keeps_is_refused_with_what_was_asked() -> None:
    """A millisecond a token: a no that names it for every way, and nothing is placed."""
    made, decision = decided(asking(tpot_s=0.001))
    assert made.add == ()
    assert decision.outcome is Outcome.REFUSED
    missed = [each.reason for each in decision.rejected if each.reason.code is ReasonCode.OBJECTIVE_MISSED]
    assert missed
    assert all(reason.facts == {"ttft_s": 1.0, "tpot_s": 0.001} for reason in missed)


def test_a_chip_of_unknown_speed_comes_last_and_is_said_to_be_unchecked() -> None:
    """Where it is the only one it is taken, unchecked; beside a known one it is not."""
    unknown = rack("dark", chip="metax-c500", gib=64)
    assert CATALOG.chips["metax-c500"].bandwidth_gbs.value is None
    made, alone = decided(asking(), unknown)
    assert made.add[0].recipe.chip == "metax-c500"
    assert ReasonCode.SPEED_UNKNOWN in {reason.code for reason in alone.because}
    beside, _ = decided(asking(), unknown, *fleet())
    assert beside.add[0].recipe.chip != "metax-c500"


def test_without_an_objective_nothing_changes() -> None:
    """Neither promise nor refusal."""
    made, decision = decided(asking(ttft_s=None, tpot_s=None))
    assert {reason.code for reason in decision.because} == {ReasonCode.FITS}
    assert made.add[0].recipe.concurrency == 16


def test_what_was_measured_counts_for_more_than_the_estimate() -> None:
    """A recipe that was measured at a tenth of its predicted speed is not promised what it cannot keep."""
    service = asking(tpot_s=0.04)
    made, _ = decided(service)
    recipe = made.add[0].recipe
    node = next(node for node in fleet() if node.devices[0].chip == recipe.chip)
    place = place_of_node(CATALOG.chips[recipe.chip], node, node.devices)
    running = running_at(service.model, recipe, place, input_tokens=1024, output_tokens=256)
    speed = predict(running)
    assert isinstance(speed, Speed)
    slow = replace(
        measured(recipe.model, precision=recipe.precision, cores=0),
        chip=recipe.chip,
        engine=recipe.engine,
        devices=recipe.devices,
        slots=recipe.concurrency,
        concurrency=recipe.concurrency,
        input_tokens=1024,
        output_tokens=256,
        throughput_tps=speed.throughput_tps / 10,
    )
    view = FleetView(version=1, nodes=(node,), services=(service,), measured=(slow,))
    after = planned(view).add[0].recipe
    assert (after.engine, after.devices) != (recipe.engine, recipe.devices)
