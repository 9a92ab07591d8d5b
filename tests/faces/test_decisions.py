"""Decisions in words: those that are alike are told once, and a brief text stays brief however large the fleet is."""

from dataclasses import replace

import pytest

from alliage.decide.reasons import Decision, Facts, Outcome, Reason, ReasonCode, Rejected, Unwanted
from alliage.faces.decisions import describe_all, in_a_line
from alliage.faces.explain import explain
from alliage.faces.reasons import sentence
from alliage.faces.where import devices_words
from alliage.fleet.failed import Failed
from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.measured import recipe_key
from alliage.fleet.view import FleetView
from tests.builders import CATALOG, a_node, a_recipe, a_service

TINY = ServiceName("tiny")
VIEW = FleetView(version=1, nodes=(), services=(a_service(),), replicas=())
NOT_PLANNED = Reason(code=ReasonCode.NOT_PLANNED, facts={"instead": "vllm BF16 on 1 of h20"})


def slow(chip: str) -> Reason:
    """Its sentence is another one for each chip."""
    return Reason(code=ReasonCode.STACK_UNSERVED, facts={"engine": "vllm", "chip": chip, "stack": "x"})


def a_placement(where: str, rejected: tuple[Rejected, ...] = ()) -> Decision:
    """A replica of `tiny`."""
    fits: Facts = {"device": where, "memory_bytes": 1 << 30, "free_bytes": 2 << 30}
    return Decision(
        at_s=1.0, service=TINY, outcome=Outcome.PLACED, recipe=a_recipe(), where=where,
        because=(Reason(code=ReasonCode.FITS, facts=fits),), rejected=rejected, would_change=(),
    )  # fmt: skip


def some_rejected(count: int) -> tuple[Rejected, ...]:
    """Many that fit too, on five chips, and as many of which each has its own reason."""
    chips = [f"chip-{number}" for number in range(5)]
    planned = [
        Rejected(option=f"vllm on {chip} at node-{n}, {n} x 10 tokens", reason=NOT_PLANNED)
        for chip in chips
        for n in range(count)
    ]
    return (*planned, *(Rejected(option=f"sglang on {chip} at node", reason=slow(chip)) for chip in chips))


def test_a_hundred_replicas_are_told_in_a_few_lines() -> None:
    """One recipe, its places, why, and for each kind of reason how many ways it is of."""
    rejected = some_rejected(8)
    told = describe_all(
        tuple(a_placement(f"node-{number}/cpu0", rejected) for number in range(100)),
        view=VIEW, catalog=CATALOG, verb="would run", brief=True,
    )  # fmt: skip
    lines = told.splitlines()
    assert len(lines) == 7
    assert lines[0].startswith("tiny would run on node-0/cpu0 (cpu-x86), by llama.cpp")
    assert lines[1] == (
        "  100 replicas in all: the others on node-1/cpu0, node-2/cpu0, node-3/cpu0, node-4/cpu0, node-5/cpu0, node-6/cpu0 and 93 more"
    )
    assert lines[5] == (
        "  - 40 ways on chip-0, chip-1 and 3 more chips: it would fit too, but the plan of the whole fleet has it by vllm BF16 on 1 of h20"
    )
    assert lines[6].startswith("  - 5 ways on chip-0, chip-1 and 3 more chips: vllm does not run on chip-0")
    assert lines[6].endswith("(and 4 more of the kind)")


def test_in_full_each_reason_stands_once() -> None:
    """Engines and chips with the same reason share a line."""
    told = describe_all((a_placement("a/cpu0", some_rejected(2)),), view=VIEW, catalog=CATALOG)
    lines = [each for each in told.splitlines() if "fit too" in each]
    assert "\n".join(lines) == (
        "  - vllm on chip-0, chip-1, chip-2, chip-3, chip-4, in 10 ways: it would fit too, "
        "but the plan of the whole fleet has it by vllm BF16 on 1 of h20"
    )
    assert told.count("does not run on") == 5


def test_a_line_has_the_first_of_each_kind() -> None:
    """Where there is one line only, ten chips with the same trouble take one clause."""
    reasons = [slow(f"chip-{number}") for number in range(10)]
    assert in_a_line([*reasons, NOT_PLANNED]) == f"{sentence(reasons[0])}; {sentence(NOT_PLANNED)}"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("laptop/cpu0 cores 0,1", "laptop/cpu0 cores 0,1"),
        ("h20-1/nvidia0 + h20-1/nvidia1", "h20-1/nvidia0 + nvidia1"),
        ("h20-1/nvidia4 + h20-1/nvidia5 + h20-1/nvidia6", "h20-1/nvidia4 to nvidia6"),
        ("h20-1/nvidia4 + h20-1/nvidia6 + h20-1/nvidia7", "h20-1/nvidia4 + nvidia6 + nvidia7"),
        ("", ""),
    ],
)
def test_devices_of_one_node_name_it_once(where: str, words: str) -> None:
    """Sixteen devices in a row are two names."""
    assert devices_words(where) == words


def test_what_happened_at_once_to_several_is_one_event() -> None:
    """Four replicas that were replaced take one line, and each that failed of one recipe as well."""
    stops = tuple(
        replace(
            a_placement(f"n/cpu{number}"), at_s=2.0, outcome=Outcome.STOPPED,
            because=(Reason(code=ReasonCode.NOT_WANTED, facts={"replica": f"tiny-{number}", "service": "tiny", "cause": "fewer"}),),
        )
        for number in range(4)
    )  # fmt: skip
    told = explain("tiny", (*stops, a_placement("n/cpu9")), view=VIEW, catalog=CATALOG, wanted={})
    (event,) = told.split("Since then:\n")[1].splitlines()
    assert event.endswith(
        "A replica of tiny on n/cpu3 is stopped. So are 3 more, on n/cpu2, n/cpu1, n/cpu0. "
        "Why, of each: it is not wanted any more: tiny is to have fewer replicas there."
    )


def test_a_failed_recipe_is_told_once() -> None:
    """Two sizes of one recipe that failed alike on one node are one line."""
    recipes = (recipe_key(a_recipe()), recipe_key(replace(a_recipe(), concurrency=9)))
    marks = tuple(
        Failed(node=NodeId("laptop"), recipe=each, service=TINY, at_s=1.0, why="no such operator") for each in recipes
    )
    view = replace(VIEW, nodes=(a_node(),), failed=marks)
    told = explain("tiny", (), view=view, catalog=CATALOG, wanted={})
    assert told.count("no such operator") == 1
    assert "llama.cpp on cpu-x86 at laptop" in told


@pytest.mark.parametrize("cause", list(Unwanted))
def test_every_cause_has_its_words(cause: Unwanted) -> None:
    """None is told as another, and of old decisions, which have none, no more is said than is known."""
    facts: Facts = {
        "replica": "tiny-1",
        "service": "tiny",
        "cause": cause.value,
        "instead": "vllm",
        "last_words": "bad magic",
    }
    told = {
        each: sentence(Reason(code=ReasonCode.NOT_WANTED, facts={**facts, "cause": each})) for each in (*Unwanted, "")
    }
    assert len(set(told.values())) == len(told)
    assert ("deleted" in told[cause]) == (cause is Unwanted.DELETED)
    assert told[""].endswith("its service was deleted or asks for fewer replicas")
