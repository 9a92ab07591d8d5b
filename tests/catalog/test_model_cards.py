"""Every model card: its counts against the published ones, its architecture against the numbers of its config.json."""

import tomllib
from importlib.resources import files
from typing import Final

import pytest

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Task
from alliage.footprint.counts import counts_of_config
from alliage.footprint.hf_config import architecture_of_config, tasks_of_config
from alliage.footprint.weight_bytes import weight_bytes

CARDS: Final = load_catalog().models
CONFIGS: Final = {
    told["id"]: told["config"]
    for told in (
        tomllib.loads(file.read_text())
        for file in (files("alliage.catalog") / "data" / "models").iterdir()
        if file.name.endswith(".toml")
    )
}
WITH_ACTIVE: Final = [card.id for card in CARDS.values() if card.published and card.published.active_parameters]
WANTED: Final = {
    *(f"qwen3-{size}" for size in ("0.6b", "1.7b", "4b", "8b", "14b", "32b", "30b-a3b", "235b-a22b")),
    *(f"qwen2.5-{size}" for size in ("0.5b", "1.5b", "3b", "7b", "14b", "32b", "72b")),
    *("qwen3-coder-480b-a35b", "qwen3.5-2b", "qwen3.5-9b", "qwen3.5-35b-a3b", "qwen3-next-80b-a3b"),
    *("deepseek-v3", "deepseek-r1", "deepseek-v3.1", "deepseek-v3.2", "deepseek-v4-flash"),
    *("llama-2-7b", "llama-2-13b", "llama-2-70b", "llama-3-8b", "llama-3-70b"),
    *("llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "llama-3.2-1b", "llama-3.2-3b", "llama-3.3-70b"),
    *("gpt-oss-20b", "gpt-oss-120b", "glm-4.5", "glm-4.5-air", "glm-4.6", "glm-5.2", "kimi-k2", "kimi-k2-thinking"),
    *("mixtral-8x7b", "mixtral-8x22b", "smollm2-135m", "smollm2-360m", "smollm2-1.7b"),
    *("qwen3-embedding-0.6b", "qwen3-embedding-4b", "qwen3-embedding-8b", "bge-m3", "nomic-embed-text-v1.5"),
}


def number(told: str) -> float:
    """`8.2B` or a count in full."""
    return float(told) if told.isdigit() else float(told[:-1]) * {"M": 1e6, "B": 1e9, "T": 1e12}[told[-1]]


def test_the_models_that_people_ask_for_are_there() -> None:
    """Each family of the list, in each size."""
    assert set(CARDS) >= WANTED


@pytest.mark.parametrize("name", CARDS)
def test_parameters_are_the_published_ones_within_one_percent(name: str) -> None:
    """Computed from the numbers of config.json; the published figure and where it stands are in the card."""
    card = CARDS[name]
    assert card.published is not None
    assert len(card.published.source) > 10
    computed = architecture_of_config(CONFIGS[name]).parameters
    assert computed == card.architecture.parameters
    assert computed == pytest.approx(number(card.published.parameters), rel=0.01)


@pytest.mark.parametrize("name", WITH_ACTIVE)
def test_active_parameters_are_the_published_ones_within_three_percent(name: str) -> None:
    """Less embedding and head where the maker counts without them, as the card says."""
    card = CARDS[name]
    assert card.published is not None
    matrix = card.architecture.vocabulary * card.architecture.hidden
    counted = card.architecture.active_parameters - matrix * len(card.published.active_leaves_out)
    assert counted == pytest.approx(number(card.published.active_parameters), rel=0.03)


@pytest.mark.parametrize("name", [name for name in CARDS if name != "smollm2-135m"])
def test_a_card_says_what_its_config_says(name: str) -> None:
    """Architecture and tasks follow from the numbers repeated in the card, and each card says where they were read."""
    card = CARDS[name]
    assert card.architecture == architecture_of_config(CONFIGS[name])
    assert card.tasks == ((Task.EMBED,) if "embed" in name else tasks_of_config(CONFIGS[name]))
    assert card.sources
    assert card.weights.source.startswith("hf:")
    assert not card.weights.files
    assert weight_bytes(card.architecture, card.precision)


def test_the_default_model_has_the_numbers_of_its_configuration() -> None:
    """Its family is named by the GGUF file; the rest agrees with config.json."""
    card = CARDS["smollm2-135m"]
    assert card.architecture == architecture_of_config(CONFIGS["smollm2-135m"])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("llama-2-7b", 6_738_415_616),  # keras-hub llama2_7b_en
        ("qwen3-1.7b", 1_720_574_976),  # keras-hub qwen3_1.7b_en
        ("qwen3-embedding-4b", 4_021_774_336),  # keras-hub qwen3_embedding_4b_en
        ("qwen3.5-2b", 1_881_825_088),  # counted from its files: hybrid layers
        ("qwen3-next-80b-a3b", 79_674_391_296),  # counted from its files: hybrid layers and experts
    ],
)
def test_counts_are_exact_where_an_exact_one_is_published(name: str, parameters: int) -> None:
    """Norms, biases, convolutions and gates included."""
    counts = counts_of_config(CONFIGS[name].get("text_config", CONFIGS[name]))
    assert counts is not None
    assert counts.parameters == parameters
