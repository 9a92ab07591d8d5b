"""What the plan of now says of a service, in words: names of kinds read as sentences do."""

import asyncio
from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion

from alliage.decide.reasons import Outcome, Reason, ReasonCode, Rejected
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.faces.by_plan import by_plan_text
from alliage.faces.decisions import rejection
from alliage.faces.plan_words import readable, words
from alliage.faces.reasons import sentence
from alliage.rehearsal.fleet_file import read_fleet
from tests.builders import CATALOG
from tests.control.world import World, a_serving_world, an_order
from tests.faces.mixed import FOUR_MAKERS, a_mixed_world
from tests.faces.served import CatalogueCards

KIND = "8 nvidia-h20 at hohhot-1"
WAY = f"vllm BF16 on 2 nvidia-h20, {KIND}"


def test_an_objective_on_a_mixed_fleet(snapshot: SnapshotAssertion) -> None:
    """What is expected, what runs, what lacks and why, what was not chosen, and what would change it."""
    world, _ = a_mixed_world()
    told = asyncio.run(world.desk.explained_by_plan("chat"))
    assert told is not None
    assert by_plan_text(told).splitlines() == snapshot


def test_what_runs_stays_until_it_was_watched_for_long_enough() -> None:
    """Then more is planned for than is expected, and it says why."""
    world, _ = a_mixed_world()
    told = asyncio.run(world.desk.explained_by_plan("chat"))
    assert told is not None
    text = by_plan_text(replace(told, is_settled=False, planned_rps=42.5))
    assert "planned for 42.5 req/s, so that what runs stays until it was watched for long enough" in text
    assert "watched" not in by_plan_text(replace(told, is_settled=True, planned_rps=42.5))


def test_a_model_on_a_laptop(snapshot: SnapshotAssertion) -> None:
    """Nothing is asked, its speed is not known, and there is one way."""
    told = asyncio.run(a_serving_world().desk.explained_by_plan("tiny"))
    assert told is not None
    assert by_plan_text(told).splitlines() == snapshot


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        (WAY, "vllm BF16 on 2 of the 8 nvidia-h20 of a node at hohhot-1"),
        (f"{WAY} in {KIND} costs", "vllm BF16 on 2 of the 8 nvidia-h20 of a node at hohhot-1 costs"),
        (f"{WAY} in {KIND}, {WAY} in {KIND}", ", ".join(["vllm BF16 on 2 of the 8 nvidia-h20 of a node at hohhot-1"] * 2)),
        (f"{WAY} (2): it", "vllm BF16 on 2 of the 8 nvidia-h20 of a node at hohhot-1 (2): it"),
        ("sglang FP8 on 8 x, 8 x at a-1", "sglang FP8 on all 8 x of a node at a-1"),
        ("llama.cpp Q4_1 on 1 cpu-x86, 1 cpu-x86 at local", "llama.cpp Q4_1 on the cpu-x86 of a node at local"),
        ("4 x ppu in paris-1/ppu", "4 x ppu in paris-1/ppu"),
        ("on 2 of these, 8 of those at home", "on 2 of these, 8 of those at home"),
    ],
)  # fmt: skip
def test_ways_at_kinds(text: str, reads: str) -> None:
    """The chip is told once, and how much of a node is taken; what a file names stays as it is."""
    assert readable(text) == reads


@pytest.mark.parametrize("code", [*WhyCode])
def test_no_sentence_tells_a_kind_twice(code: WhyCode) -> None:
    """Where kinds stand for pools and chips, every sentence reads."""
    facts: dict[str, str | int | float] = {"way": WAY, "pool": KIND, "chip": KIND, "site": "hohhot-1", "work": "chat"}
    facts |= {
        "devices": 16,
        "node_devices": 8,
        "nodes": 1,
        "instead": f"{WAY} in {KIND}",
        "than": WAY,
        "than_pool": KIND,
    }
    text = words(Why(code=code, facts=facts))
    assert f", {KIND}" not in text
    assert f"of {KIND}" not in text
    assert f"16 {KIND}" not in text


def test_in_stored_decisions_too() -> None:
    """A rejection that the plan gives names the option itself; what the plan has instead reads as well."""
    facts: dict[str, str | int | float] = {"way": WAY, "pool": KIND, "free": 3, "devices": 4, "why": "no_gang_free"}
    told = rejection(Rejected(option=WAY, reason=Reason(code=ReasonCode.BY_PLAN, facts=facts)))
    assert told.startswith("vllm BF16 on 2 of the 8 nvidia-h20 of a node at hohhot-1: 3 devices are free")
    instead = sentence(Reason(code=ReasonCode.NOT_PLANNED, facts={"instead": WAY}))
    assert instead.endswith("has it by vllm BF16 on 2 of the 8 nvidia-h20 of a node at hohhot-1")


def test_a_service_that_fills_the_fleet_itself() -> None:
    """Nine replicas on room for two: seven are missing, and nobody else has the devices; its parts in the programme have no names here."""
    laptop = FOUR_MAKERS.with_name("laptop.toml")
    world = World(*(each.node for each in read_fleet(laptop, CATALOG)))
    world.restart_control()
    world.desk._models = CatalogueCards()
    world.run(1)
    told = asyncio.run(world.desk.deploy(replace(an_order("qwen3-8b"), min_replicas=9, max_replicas=9)))
    (short,) = [each for each in told.decisions if each.outcome is Outcome.SHORT]
    full = "every node with 2 nvidia-h20 at home is full (qwen3-8b has 2 of its 2 devices itself)"
    assert rejection(short.rejected[0]) == full
    world.run(5)
    by_plan = asyncio.run(world.desk.explained_by_plan("qwen3-8b"))
    assert by_plan is not None
    lines = by_plan_text(by_plan).splitlines()
    assert lines[3:6] == ["  is missing 7 of its least replicas", "  because:", f"    - {full}"]
    assert "#" not in "".join(lines)
