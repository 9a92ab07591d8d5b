"""The desk: what may be asked, and what is said to what may not."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from alliage.control.keys import KeyOrder, digest
from alliage.control.orders import REPLICAS_MAX
from alliage.control.ports import Changes
from alliage.decide.reasons import Outcome
from alliage.errors import BadInput, Conflict, NotFound
from alliage.fleet.failed import Failed
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.keys import Role
from alliage.fleet.lifecycles import ServicePhase
from alliage.fleet.measured import RecipeKey
from tests.builders import a_node
from tests.control.world import World, an_order


def ready_world() -> World:
    """One laptop of two cores whose agent has reported."""
    world = World(a_node())
    world.run(1)
    return world


def test_dry_run_decides_but_changes_nothing() -> None:
    """The decision is the real one, the version stays."""
    world = ready_world()
    version = world.desk.view().version
    deployed = asyncio.run(world.desk.deploy(an_order(dry_run=True)))
    assert [decision.outcome for decision in deployed.decisions] == [Outcome.PLACED]
    assert world.desk.view().version == version
    assert world.desk.view().services == ()


def test_refused_order_leaves_its_reasons_but_no_service() -> None:
    """The third model on two cores is a no that can be read again later."""
    world = ready_world()
    assert world.deploy("one")
    world.run(3)
    assert world.deploy("two")
    world.run(3)
    assert not world.deploy("three")
    assert [service.name for service in world.desk.view().services] == ["one", "two"]
    assert world.desk.decisions("three", 1)[0].outcome is Outcome.REFUSED


def test_asking_again_changes_the_objective_not_the_service() -> None:
    """Idempotent: same name, same model."""
    world = ready_world()
    world.deploy("tiny")
    world.run(3)
    again = asyncio.run(world.desk.deploy(an_order(ttft_s=0.5)))
    assert not again.created
    assert world.desk.view().service("tiny").objective.ttft_s == 0.5
    assert len(world.desk.view().services) == 1


def test_name_of_another_model_is_a_conflict() -> None:
    """A name serves one model until it is deleted."""
    world = ready_world()
    world.deploy("tiny")
    with pytest.raises(Conflict, match="serves another model"):
        world.deploy("other", name="tiny")


def test_service_being_deleted_cannot_be_asked_for() -> None:
    """The new one would be stopped with the old."""
    world = ready_world()
    world.deploy("tiny")
    world.run(3)
    asyncio.run(world.desk.delete("tiny"))
    with pytest.raises(Conflict, match="being deleted"):
        world.deploy("tiny")


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "-x", "x-", "x" * 64, "ä", "a/b", "a\n"])
def test_bad_names_are_refused(name: str) -> None:
    """The name is also a path in the API and a model id: a safe alphabet only."""
    world = ready_world()
    if name == "":
        assert world.deploy("tiny", name=name)
        return
    with pytest.raises(BadInput):
        world.deploy("tiny", name=name)


@pytest.mark.parametrize(
    ("least", "most", "ttft_s"),
    [
        (-1, 1, None),
        (0, 0, None),
        (2, 1, None),
        (1, 1001, None),
        (1, 1, 0.0),
        (1, 1, -1.0),
        (1, 1, float("nan")),
        (1, 1, 1e30),
    ],
)
def test_absurd_numbers_are_refused(least: int, most: int, ttft_s: float | None) -> None:
    """Negative, NaN and huge values get a clear no."""
    world = ready_world()
    order = replace(an_order(), min_replicas=least, max_replicas=most, ttft_s=ttft_s)
    with pytest.raises(BadInput):
        asyncio.run(world.desk.deploy(order))


@pytest.mark.parametrize("rate_rps", [0.0, -1.0, float("nan"), float("inf"), 1e7])
def test_absurd_rates_are_refused(rate_rps: float) -> None:
    """A rate is a number of requests that can be."""
    world = ready_world()
    with pytest.raises(BadInput, match="--rate"):
        asyncio.run(world.desk.deploy(replace(an_order(), rate_rps=rate_rps)))


@pytest.mark.parametrize(
    ("more", "most"),
    [
        ({}, 1),
        ({"min_replicas": 3, "dry_run": True}, 3),
        ({"min_replicas": 0}, REPLICAS_MAX),
        ({"rate_rps": 2.0}, REPLICAS_MAX),
        ({"tpot_s": 1.0}, REPLICAS_MAX),
        ({"rate_rps": 2.0, "max_replicas": 2}, 2),
    ],
)
def test_the_most_replicas_are_as_many_as_needed(more: dict[str, Any], most: int) -> None:
    """Left out, it is the least, or no limit where a rate, an objective or rest says how many are needed."""
    world = ready_world()
    order = replace(an_order(), max_replicas=None)
    deployed = asyncio.run(world.desk.deploy(replace(order, **more)))
    assert deployed.service.max_replicas == most


def test_residency_names_places_that_are_there() -> None:
    """A site, a region or a tag; what can be no name is refused."""
    world = World(replace(a_node(), region="cn", tags=("state",)))
    world.run(1)
    for name in ("local", "cn", "state"):
        deployed = asyncio.run(world.desk.deploy(replace(an_order(dry_run=True), residency=(name, name))))
        assert deployed.service.residency == (name,)
    for name in ("", "cn, eu", "a" * 101, "c\n"):
        with pytest.raises(BadInput, match="can be no name of a site"):
            asyncio.run(world.desk.deploy(replace(an_order(), residency=("cn", name))))


def test_a_service_waits_for_a_node_where_it_may_live() -> None:
    """Before any node joined, and while those that did are elsewhere; it says what for, and starts when one joins."""
    world = World()
    world.run(1)
    for nodes in ((), (replace(a_node("b"), region="cn"),)):
        world.agents.nodes.update({node.id: node for node in nodes})
        world.run(2)
        deployed = asyncio.run(world.desk.deploy(replace(an_order(), residency=("mars",))))
        (decision,) = deployed.decisions
        assert decision.outcome is Outcome.WAITING
        (reason,) = decision.because
        assert reason.facts == {
            "residency": "mars",
            "known": ", ".join(sorted({name for node in nodes for name in (node.site, node.region)})),
        }
        world.run(5)
        assert world.desk.view().service("tiny").phase is ServicePhase.UNSERVED
        assert world.desk.view().replicas == ()
    (told,) = world.desk.decisions("tiny", 50)
    assert told.outcome is Outcome.WAITING
    world.agents.nodes[NodeId("c")] = replace(a_node("c"), site="far", tags=("mars",))
    world.run(10)
    (replica,) = world.desk.view().replicas
    assert replica.node == "c"
    assert world.desk.view().service("tiny").phase is ServicePhase.READY


def a_failure(model: str = "tiny") -> Failed:
    """An engine of a model could not run on the laptop, whichever way."""
    recipe = RecipeKey(chip="cpu-x86", model=model, engine="llama.cpp", precision="Q4_1", devices=1, cores=1)
    return Failed(node=NodeId("laptop"), recipe=recipe, service=ServiceName(model), at_s=1.0, why="no such operator")


def test_asking_again_tries_again_what_failed() -> None:
    """Marks of the model go, whichever of its services asks; those of others stay, and a dry run leaves all."""
    world = ready_world()
    version = world.store.snapshot().version
    world.store.commit(version, Changes(failed=(a_failure(), a_failure("other"))))

    dry = asyncio.run(world.desk.deploy(an_order(dry_run=True)))
    assert dry.decisions[0].outcome is Outcome.PLACED
    assert len(world.desk.view().failed) == 2

    assert world.deploy("tiny", name="again")
    assert world.desk.view().failed == (a_failure("other"),)
    assert world.desk.view().service("again").asked_s == world.clock.now_s()


def test_asking_again_is_when_it_was_asked_last() -> None:
    """The age of a service stays."""
    world = ready_world()
    world.deploy("tiny")
    first = world.desk.view().service("tiny")
    world.clock.t_s += 60.0
    world.deploy("tiny")
    again = world.desk.view().service("tiny")
    assert (again.created_s, again.asked_s) == (first.created_s, first.asked_s + 60.0)


def test_unknown_things_name_the_known_ones() -> None:
    """Services, replicas and keys that are not there."""
    world = ready_world()
    world.deploy("tiny")
    world.run(3)
    with pytest.raises(NotFound, match="tiny"):
        asyncio.run(world.desk.delete("tin"))
    with pytest.raises(NotFound, match="tiny-"):
        world.desk.logs("tin", lines=1, follow=False)
    with pytest.raises(NotFound):
        world.desk.decisions("never", 1)


def test_keys_are_kept_as_digests_and_found_by_secret() -> None:
    """The secret is told once; what is kept is its SHA-256."""
    world = ready_world()
    key, secret = world.desk.registry.create_key(KeyOrder(name="ci", role=Role.USER, tenant="default"))
    assert key.sha256 == digest(secret)
    assert secret not in repr(world.desk.view())
    assert world.desk.registry.key_of(secret) == key
    assert world.desk.registry.key_of(secret + "x") is None
    with pytest.raises(Conflict):
        world.desk.registry.create_key(KeyOrder(name="ci", role=Role.USER, tenant="default"))


def test_last_admin_key_stays() -> None:
    """Nobody can lock everybody out by revoking."""
    world = ready_world()
    world.desk.registry.admit_first_keys({"admin": (Role.ADMIN, "a"), "user": (Role.USER, "u")})
    with pytest.raises(Conflict, match="last admin key"):
        world.desk.registry.revoke_key("admin")
    world.desk.registry.create_key(KeyOrder(name="second", role=Role.ADMIN, tenant="default"))
    world.desk.registry.revoke_key("admin")
    assert {key.name for key in world.desk.view().keys} == {"user", "second"}


def test_revoked_first_key_never_comes_back_by_itself() -> None:
    """The file of a revoked key still lies in the home folder; the next start does not admit it again."""
    world = ready_world()
    first = {"admin": (Role.ADMIN, "a"), "user": (Role.USER, "u")}
    world.desk.registry.admit_first_keys(first)
    world.desk.registry.revoke_key("user")
    world.desk.registry.admit_first_keys(first)
    assert world.desk.registry.key_of("u") is None
