"""failing: a recipe whose engine ends again and again on a node is given up there, if the service can run in another way. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Catalog
from alliage.control.leaving import unwanted
from alliage.decide.choice import choose
from alliage.decide.option import label
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode
from alliage.decide.reckoning import Reckoner
from alliage.decide.sites import Sites
from alliage.fleet.failed import Failed
from alliage.fleet.ids import ReplicaId
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.measured import recipe_key
from alliage.fleet.replicas import Replica
from alliage.fleet.view import FleetView

FAILURES_MAX: Final = 3
"""Starts in a row that fail before a recipe is given up on a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """The view in which their replicas leave, and what is told of it."""

    view: FleetView
    decisions: tuple[Decision, ...]


def give_up(view: FleetView, catalog: Catalog, *, now_s: float) -> GivenUp:
    """Mark recipes that failed too often. The only way that a service has is not given up: its engine is tried on and on."""
    leaving: set[ReplicaId] = set()
    decisions: list[Decision] = []
    for replica in view.replicas:
        if replica.phase is not ReplicaPhase.BACKOFF or replica.failures < FAILURES_MAX:
            continue
        mark = Failed(
            node=replica.node, recipe=recipe_key(replica.recipe), service=replica.service, at_s=now_s, why=replica.note
        )
        known = any((each.node, each.recipe) == (mark.node, mark.recipe) for each in view.failed)
        marked = view if known else replace(view, failed=(*view.failed, mark))
        if not known and not _has_another_way(marked, replica, catalog):
            continue
        view = marked
        leaving.add(replica.id)
        decisions.append(_decision(replica, now_s))
    if not leaving:
        return GivenUp(view=view, decisions=())
    replicas = tuple(unwanted(each) if each.id in leaving else each for each in view.replicas)
    return GivenUp(view=replace(view, replicas=replicas), decisions=tuple(decisions))


def is_given_up(replica: Replica, view: FleetView) -> bool:
    """Whether it failed too often, and its recipe is marked for that on its node."""
    mark = replica.node, recipe_key(replica.recipe)
    return replica.failures >= FAILURES_MAX and any((each.node, each.recipe) == mark for each in view.failed)


def _has_another_way(view: FleetView, replica: Replica, catalog: Catalog) -> bool:
    """Whether one more replica would find a place, with this one gone."""
    service = next((each for each in view.services if each.name == replica.service), None)
    without = replace(view, replicas=tuple(each for each in view.replicas if each.id != replica.id))
    if service is None:
        return False
    return choose(service, Sites(without, Reckoner(catalog))).recipe is not None


def _decision(replica: Replica, now_s: float) -> Decision:
    facts = {"node": replica.node, "recipe": label(replica.recipe, ""), "last_words": replica.note}
    return Decision(
        at_s=now_s,
        service=replica.service,
        outcome=Outcome.GIVEN_UP,
        recipe=replica.recipe,
        where=replica.bindings[0].device if replica.bindings else replica.node,
        because=(Reason(code=ReasonCode.RECIPE_FAILED, facts=facts),),
        rejected=(),
        would_change=(),
    )
