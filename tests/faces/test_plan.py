"""`alliage plan`: two files in, the plan, the prices and the reasons out; and what a mistake in a file looks like."""

import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from alliage.decide.solve.reasons import Why, WhyCode
from alliage.errors import BadInput
from alliage.faces.plan_files import read_problem
from alliage.faces.plan_words import words
from tests.faces.shell import alliage

EXAMPLES = Path(__file__).parents[2] / "examples" / "plan"
FILES = ("plan", "--fleet", str(EXAMPLES / "fleet.toml"), "--work", str(EXAMPLES / "work.toml"))
FACTS: dict[str, str | int | float] = {
    "way": "4 x ppu",
    "pool": "paris-1/ppu",
    "site": "paris-1",
    "chip": "ppu",
    "work": "chat",
    "tenant": "products",
    "count": 3,
    "cost_micros": 1_500_000,
    "worse_micros": 250_000,
    "value_micros": 900_000,
    "budget_micros": 8_000_000,
    "spent_micros": 7_000_000,
    "devices": 8,
    "node_devices": 4,
    "taken": 32,
    "free": 6,
    "left": 2.0,
    "finish_s": 7200.0,
    "deadline_s": 3600.0,
    "max_replicas": 7,
    "spread": "nodes",
    "where": "paris-1/ppu",
    "places": 3,
    "holders": "train",
    "nodes": 1,
    "kind": "rps",
    "serves": 14.0,
    "replicas": 1,
    "instead": "1 x h20 in paris-1/h20",
    "missing": 2.0,
    "lost": 2,
    "starts": 3,
    "gap": 0.0123,
}


def test_every_code_has_a_sentence(snapshot: SnapshotAssertion) -> None:
    """With its facts, a code reads as a clause with its values."""
    assert {str(code): words(Why(code=code, facts=FACTS)) for code in WhyCode} == snapshot


@pytest.mark.parametrize("code", list(WhyCode))
def test_missing_facts_do_not_break_a_sentence(code: WhyCode) -> None:
    """A record with fewer facts can still be read."""
    text = words(Why(code=code, facts={}))
    assert text
    assert not text.endswith(".")


def test_one_more_node_would_serve_the_missing_requests() -> None:
    """The sentence that users were promised."""
    text = words(Why(code=WhyCode.ADD_NODES, facts={**FACTS, "left": 0.0}))
    assert text == "1 more node of ppu at site paris-1 would serve the missing 14 req/s of chat"


def test_example_is_planned_and_explained(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """A frozen Nvidia stock: training keeps the cards, chat moves to another make, and every reason is told."""
    ran = alliage(*FILES, "--explain", home=tmp_path)
    assert ran.err == ""
    assert ran.out.splitlines() == snapshot
    assert ran.code == 1


def test_json_has_the_plan_and_the_explanations(tmp_path: Path) -> None:
    """The same as data: work by work, with the change that each named change is."""
    ran = alliage(*FILES, "--only", "search", "--json", home=tmp_path)
    answer = json.loads(ran.out)
    moved = {(move["work"], move["pool"]): move["change"] for move in answer["plan"]["moves"]}
    assert moved["chat", "hohhot-1/nvidia-h800-sxm"] == -12
    assert moved["pretrain", "hohhot-1/nvidia-h800-sxm"] == 2
    (told,) = answer["explanations"]
    assert told["work"] == "search"
    assert told["would_change"][0]["change"]["kind"] == "AddNodes"


def test_unknown_name_is_answered_with_the_names(tmp_path: Path) -> None:
    """`--only` of something that is not there."""
    ran = alliage(*FILES, "--only", "chatt", home=tmp_path)
    assert ran.code == 1
    assert "chatt" in ran.err
    assert "chat" in ran.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[services]]\nname = 'a'\ntenant = 't'\ndemand_rps = -1\n", "services[0].demand_rps is -1"),
        ("[[services]]\nname = 'a'\ntenant = 't'\ndemand_rps = nan\n", "services[0].demand_rps is nan"),
        ("[[services]]\nname = 'a'\ntenant = 't'\ndemand = 1\n", "services[0].demand is 1"),
        ("[[jobs]]\nname = 'a'\ntenant = 't'\ndeadline = 'soon'\n", "deadline of a: 'soon' is not a duration"),
        ("[[jobs]\n", "is no TOML"),
        ("horizon = '90'\n", "horizon: '90' is not a duration"),
    ],
)
def test_mistakes_name_file_field_and_value(text: str, told: str, tmp_path: Path) -> None:
    """What is wrong, where, and with which value."""
    path = tmp_path / "work.toml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_problem(EXAMPLES / "fleet.toml", path)
    assert str(path) in caught.value.message
    assert told in caught.value.message


def test_missing_file_is_named(tmp_path: Path) -> None:
    """The path and the reason; exit code 2."""
    ran = alliage("plan", "--fleet", str(tmp_path / "none.toml"), "--work", str(EXAMPLES / "work.toml"), home=tmp_path)
    assert ran.code == 2
    assert "none.toml cannot be read" in ran.err
