"""Reasons in words: every code has its sentence, and an explanation reads as one."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion

from alliage.decide.reasons import Decision, Facts, Outcome, Reason, ReasonCode, Rejected
from alliage.faces.decisions import describe
from alliage.faces.explain import explain
from alliage.faces.reasons import sentence
from alliage.fleet.failed import Failed
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.lifecycles import ReplicaPhase, ServicePhase
from alliage.fleet.measured import recipe_key
from alliage.fleet.view import FleetView
from alliage.units import GIB, MIB
from tests.builders import CATALOG, a_node, a_recipe, a_replica, a_service
from tests.control.world import World

FACTS: dict[str, str | int | float] = {
    "node": "laptop",
    "device": "laptop/cpu0",
    "cores": 1,
    "memory_bytes": 245 * MIB,
    "free_bytes": 16 * GIB,
    "total_bytes": 16 * GIB,
    "needed_bytes": 20 * GIB,
    "weight_bytes": 18 * GIB,
    "kv_bytes": 2 * GIB,
    "missing_bytes": 4 * GIB,
    "engine": "llama.cpp",
    "format": "safetensors",
    "formats": "gguf",
    "chip": "cpu-x86",
    "stack": "cpu",
    "task": "embed",
    "needed": 1,
    "free": 0,
    "total": 2,
    "holders": "one, two",
    "recipe": "llama.cpp on cpu-x86, 4 x 4096 tokens",
    "wanted": 2,
    "running": 2,
    "replica": "tiny-000001",
    "starts": 3,
    "failures": 3,
    "retry_after_s": 4.0,
    "last_words": "bad magic",
    "error": "the disk is full",
    "ttft_s": 1.0,
    "tpot_s": 0.04,
    "users": 6,
    "devices": 4,
    "than_users": 12,
    "than_devices": 2,
    "service": "one",
    "silent_s": 4.0,
    "gateways": 2,
    "draining": 1,
    "why": "devices_full",
}
WANTED = {ServiceName("tiny"): 1}
LOST = Reason(code=ReasonCode.NODE_LOST, facts={"node": "laptop", "silent_s": 2.2, "gateways": 1})


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    """Times are shown in local time: here in UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def test_every_code_has_a_sentence(snapshot: SnapshotAssertion) -> None:
    """With its facts, a code reads as a clause with all of its values."""
    assert {str(code): sentence(Reason(code=code, facts=FACTS)) for code in ReasonCode} == snapshot


@pytest.mark.parametrize("code", list(ReasonCode))
def test_missing_facts_do_not_break_a_sentence(code: ReasonCode) -> None:
    """A decision that an older version stored with fewer facts can still be read, and says what is unknown."""
    text = sentence(Reason(code=code, facts={}))
    assert text
    assert not text.endswith(".")


def test_codes_have_different_sentences() -> None:
    """No code borrows another's words."""
    assert len({sentence(Reason(code=code, facts=FACTS)) for code in ReasonCode}) == len(ReasonCode)


def a_decision(outcome: Outcome, *because: Reason, at_s: float = 100.0) -> Decision:
    """A decision about `tiny`."""
    placed = outcome is not Outcome.REFUSED
    short: Facts = {key: FACTS[key] for key in ("node", "device", "needed", "free", "total", "holders")}
    rejected = Rejected(
        option="llama.cpp on cpu-x86 at laptop/cpu0, 4 x 4096 tokens",
        reason=Reason(code=ReasonCode.CORES_SHORT, facts=short),
    )
    return Decision(
        at_s=at_s,
        service=ServiceName("tiny"),
        outcome=outcome,
        recipe=a_recipe() if placed else None,
        where="laptop/cpu0 cores 1" if placed else "",
        because=because,
        rejected=() if placed else (rejected,),
        would_change=() if placed else (Reason(code=ReasonCode.STOP_SERVICE, facts=FACTS),),
    )


FITS = Reason(code=ReasonCode.FITS, facts=FACTS)
ENDED = Reason(code=ReasonCode.ENGINE_ENDED, facts=FACTS)


def a_view(service: ServicePhase = ServicePhase.READY, replica: ReplicaPhase = ReplicaPhase.READY) -> FleetView:
    """A laptop with one service of one replica."""
    return FleetView(
        version=1, nodes=(a_node(),), services=(a_service(phase=service),), replicas=(a_replica(phase=replica),)
    )


def test_explain_of_a_placed_service(snapshot: SnapshotAssertion) -> None:
    """Which chip, engine and recipe, and why: what a newcomer reads first."""
    assert (
        explain("tiny", (a_decision(Outcome.PLACED, FITS),), view=a_view(), catalog=CATALOG, wanted=WANTED) == snapshot
    )


def test_explain_of_a_refused_service(snapshot: SnapshotAssertion) -> None:
    """What was rejected and what would change it; the service itself never came to be."""
    view = replace(a_view(), services=(), replicas=())
    assert explain("tiny", (a_decision(Outcome.REFUSED),), view=view, catalog=CATALOG, wanted=WANTED) == snapshot


def test_explain_tells_what_happened_since(snapshot: SnapshotAssertion) -> None:
    """An engine that ended does not hide why the replica stands where it stands."""
    decisions = (a_decision(Outcome.RESTARTED, ENDED, at_s=200.0), a_decision(Outcome.PLACED, FITS))
    view = a_view(ServicePhase.STARTING, ReplicaPhase.BACKOFF)
    assert explain("tiny", decisions, view=view, catalog=CATALOG, wanted=WANTED) == snapshot


def test_explain_tells_what_led_to_the_newest_placement() -> None:
    """A node that died is why its successor was placed; what was stopped before an older placement is history."""
    decisions = (
        a_decision(Outcome.PLACED, FITS, at_s=210.0),
        a_decision(Outcome.STOPPED, LOST, at_s=209.0),
        a_decision(Outcome.PLACED, FITS, at_s=200.0),
        a_decision(Outcome.STOPPED, LOST, at_s=100.0),
    )
    told = explain("tiny", decisions, view=a_view(), catalog=CATALOG, wanted=WANTED)
    assert told.count("is lost") == 1
    assert "Just before that:\n  - 1970-01-01 00:03:29" in told
    assert "Since then" not in told


def test_explain_tells_what_failed_and_how_to_try_again() -> None:
    """Marks of the service's model, each with its node and last words, and the whole command; none where none is."""
    recipe = recipe_key(a_recipe())
    marks = tuple(
        Failed(node=NodeId(node), recipe=recipe, service=ServiceName("tiny"), at_s=1.0, why="no such operator")
        for node in ("far", "laptop")
    )
    service = replace(a_service(), name=ServiceName("chat"))
    view = FleetView(version=1, nodes=(a_node(),), services=(service, a_service("other")), failed=marks)
    told = explain("chat", (), view=view, catalog=CATALOG, wanted=WANTED).split("\n\n")[1]
    assert told.splitlines() == [
        "Failed before, and left alone:",
        "  - llama.cpp on cpu-x86 at far, laptop: no such operator",
        "  To try it again, ask again with `alliage deploy tiny --name chat ...`.",
    ]
    assert "Failed before" not in explain("other", (), view=view, catalog=CATALOG, wanted=WANTED)


def test_explain_of_a_service_at_rest() -> None:
    """Nothing is missing where nobody asks."""
    service = replace(a_service(replicas=0), phase=ServicePhase.IDLE)
    text = explain("tiny", (), view=FleetView(version=1, services=(service,)), catalog=CATALOG, wanted=WANTED)
    assert text == "tiny is idle: nobody asks for it, and the first request starts a replica."


def test_describe_of_an_unknown_engine_still_reads() -> None:
    """A decision outlives the catalogue entry and the node that it names."""
    recipe = replace(a_recipe(), engine="gone", chip="gone-chip")
    decision = replace(a_decision(Outcome.PLACED, FITS), recipe=recipe)
    text = describe(decision, view=FleetView(version=1), catalog=CATALOG)
    assert "tiny runs on laptop/cpu0 (gone-chip), core 1, by gone:" in text


def test_real_decisions_explain_themselves() -> None:
    """The desk's own decisions, of the third model on two cores, become an explanation without a gap."""
    world = World(a_node())
    world.run(1)
    assert world.deploy("one")
    world.run(3)
    assert world.deploy("two")
    world.run(3)
    assert not world.deploy("three")
    text = explain("three", world.desk.decisions("three", 9), view=world.desk.view(), catalog=CATALOG, wanted=WANTED)
    assert "three cannot be served now." in text
    assert "the rest is held by one, two" in text
    assert "deleting service one would free 1 core" in text
    assert not re.search("unknown|None", text)
