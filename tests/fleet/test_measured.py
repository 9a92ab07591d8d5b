"""Whose figures a measurement tells, and what that makes of a recipe's evidence."""

from dataclasses import replace

from alliage.fleet.ids import NodeId
from alliage.fleet.measured import evidence_of, measured_recipes, recipe_key
from alliage.fleet.replicas import Evidence
from tests.builders import a_measured, a_recipe


def test_a_measured_recipe_is_measured() -> None:
    """The recipe that a measurement is of, on its node; other cores, engines or precisions stay estimated."""
    known = measured_recipes([a_measured()])
    recipe = a_recipe()
    assert a_measured().key == recipe_key(recipe)
    assert evidence_of(recipe, NodeId("laptop"), known) is Evidence.MEASURED
    for other in (replace(recipe, cores=2), replace(recipe, engine="vllm"), replace(recipe, precision="Q8_0")):
        assert evidence_of(other, NodeId("laptop"), known) is Evidence.ESTIMATED
    assert evidence_of(recipe, NodeId("laptop"), frozenset()) is Evidence.ESTIMATED


def test_cores_are_their_nodes_own_and_cards_are_alike() -> None:
    """What one node's CPU did says nothing of another node's; what a card did is true of every card of its chip."""
    assert evidence_of(a_recipe(), NodeId("other"), measured_recipes([a_measured()])) is Evidence.ESTIMATED
    card = replace(a_recipe(), cores=0, chip="nvidia-h20")
    known = measured_recipes([replace(a_measured(), cores=0, chip="nvidia-h20")])
    assert evidence_of(card, NodeId("other"), known) is Evidence.MEASURED


def test_what_failed_stays_failed() -> None:
    """A recipe whose evidence is stronger news than an estimate is not talked over by older measurements."""
    failed = replace(a_recipe(), evidence=Evidence.FAILED)
    assert evidence_of(failed, NodeId("laptop"), measured_recipes([a_measured()])) is Evidence.FAILED
