"""`alliage plan`: two files in, the plan, the prices and the reasons out; and what a mistake in a file looks like."""

import json
from importlib import resources
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from alliage.catalog.loader import load_catalog
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.errors import BadInput
from alliage.faces.plan_files import read_what_if
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
    "than": "8 x ppu",
    "than_pool": "paris-1/ppu",
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


def test_services_by_model_are_planned_on_the_chips_that_keep_the_objective(tmp_path: Path) -> None:
    """The ways are found by the fit; what cannot run the model is told with its reason."""
    files = ("plan", "--fleet", str(EXAMPLES / "fleet.toml"), "--work", str(EXAMPLES / "models.toml"))
    ran = alliage(*files, "--explain", "--json", home=tmp_path)
    assert ran.code == 0, ran.err
    answer = json.loads(ran.out)
    given = [each for each in answer["plan"]["replicas"] if each["work"] == "assistant"]
    assert sum(each["count"] for each in given) >= 2
    assert all(each["way"].startswith(f"{each['devices']} x ") for each in given)
    told = next(each for each in answer["explanations"] if each["work"] == "reports")
    assert told["unfit"]
    assert all(each["code"] and each["text"] for each in told["unfit"])
    words_told = alliage(*files, "--only", "reports", home=tmp_path).out
    assert "cannot run as:" in words_told


def test_a_model_of_the_home_folder_can_be_planned(tmp_path: Path) -> None:
    """A user's own card counts as ours do."""
    card = resources.files("alliage.catalog") / "data" / "models" / "qwen3-32b.toml"
    own = tmp_path / "catalog" / "models"
    own.mkdir(parents=True)
    (own / "mine.toml").write_text(card.read_text().replace('"qwen3-32b"', '"mine"'))
    work = tmp_path / "work.toml"
    work.write_text((EXAMPLES / "models.toml").read_text().replace('"qwen3-32b"', '"mine"'))
    files = ("plan", "--fleet", str(EXAMPLES / "fleet.toml"), "--work", str(work))
    assert alliage(*files, home=tmp_path).code == 0
    assert "there is no model 'mine'" in alliage(*files, home=tmp_path / "other").err


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
        ("[[services]]\nname = 'a'\ntenant = 't'\ndemand_rps = 1\nmodel = 'qwen3-23b'\n", "no model 'qwen3-23b'"),
        (
            "[[services]]\nname = 'a'\ntenant = 't'\ndemand_rps = 1\nmodel = 'qwen3-32b'\nttft = 'soon'\n",
            "ttft of a: 'soon' is not a duration",
        ),
        (
            "[[services]]\nname = 'a'\ntenant = 't'\ndemand_rps = 1\nmodel = 'qwen3-32b'\nways = [{ chip = 'x' }]\n",
            "service a has both a model and ways",
        ),
        ("horizon = '90'\n", "horizon: '90' is not a duration"),
    ],
)
def test_mistakes_name_file_field_and_value(text: str, told: str, tmp_path: Path) -> None:
    """What is wrong, where, and with which value."""
    path = tmp_path / "work.toml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_what_if(EXAMPLES / "fleet.toml", path, load_catalog())
    assert str(path) in caught.value.message
    assert told in caught.value.message


def test_missing_file_is_named(tmp_path: Path) -> None:
    """The path and the reason; exit code 2."""
    ran = alliage("plan", "--fleet", str(tmp_path / "none.toml"), "--work", str(EXAMPLES / "work.toml"), home=tmp_path)
    assert ran.code == 2
    assert "none.toml cannot be read" in ran.err
