"""What is told of a replica that is gone: why nobody wanted it, never another's reason."""

import asyncio
from dataclasses import replace

from alliage.control.gone import why_gone
from alliage.decide.aiming.aims import Aims, Shortage
from alliage.decide.reasons import Outcome, Reason, ReasonCode, Unwanted
from alliage.decide.solve.answer import Unmet
from alliage.fleet.ids import ServiceName
from tests.builders import a_node
from tests.control.test_failing import alive, break_engines_on
from tests.control.world import World, a_serving_world


def stops(world: World, service: str = "tiny") -> list[Reason]:
    """Why each replica of a service that is gone is, the newest first."""
    told = world.desk.decisions(service, 50)
    return [reason for each in told if each.outcome is Outcome.STOPPED for reason in each.because]


def causes(world: World) -> list[object]:
    """The causes of those that nobody wanted."""
    return [each.facts.get("cause") for each in stops(world)]


def test_of_a_deleted_service() -> None:
    """It says so."""
    world = a_serving_world(a_node("a"))
    asyncio.run(world.desk.delete("tiny"))
    world.run(40)
    assert causes(world) == [Unwanted.DELETED]


def test_of_one_that_failed() -> None:
    """Its recipe is given up there: the service was not deleted, and its engine's last words are told."""
    world = a_serving_world(a_node("a"), a_node("b"))
    (first,) = alive(world)
    break_engines_on(world, first.node, 20)
    world.run(10)
    (reason,) = stops(world)
    assert reason.code is ReasonCode.NOT_WANTED
    assert (reason.facts["replica"], reason.facts["cause"]) == (first.id, Unwanted.FAILED)
    assert reason.facts["last_words"] == "the driver is broken"


def test_of_one_too_many() -> None:
    """The service was asked for again with fewer replicas."""
    world = a_serving_world(a_node("a"), a_node("b"))
    assert world.deploy("tiny", replicas=2)
    world.run(20)
    assert len(alive(world)) == 2
    assert world.deploy("tiny", replicas=1)
    world.run(60)
    assert causes(world) == [Unwanted.FEWER]


def test_of_one_that_the_plan_does_not_have_there() -> None:
    """Another way is aimed at: it is named. Nothing is aimed at: nobody asks for it, or others need its place more."""
    world = a_serving_world(a_node("a"))
    (replica,) = alive(world)
    view, aims, tiny = world.desk.view(), world.loop.planning.aims, ServiceName("tiny")
    assert aims is not None
    (aim,) = aims.aims[tiny]
    elsewhere = replace(aim, way="vllm BF16 on 2 h20", kind=replace(aim.kind, nodes=()))

    def told(after: Aims | None) -> dict[str, object]:
        reason = why_gone(replica, view, {}, after)
        return {name: reason.facts[name] for name in ("cause", "instead") if name in reason.facts}

    assert told(aims) == told(None) == {"cause": Unwanted.FEWER}
    assert told(replace(aims, aims={tiny: (elsewhere,)})) == {"cause": Unwanted.REPLACED, "instead": elsewhere.way}
    assert told(replace(aims, aims={tiny: ()})) == {"cause": Unwanted.IDLE}
    short = Shortage(
        unmet=Unmet(work=tiny, tenant="default", missing=1.0, missing_replicas=0, because=()), would_change=()
    )
    assert told(replace(aims, aims={tiny: ()}, short={tiny: short})) == {"cause": Unwanted.DISPLACED}
