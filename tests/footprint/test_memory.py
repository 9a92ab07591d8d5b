"""What a model needs of memory, by the formula and by the real engine."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import ModelCard, Task, WeightFile, WeightsFormat
from alliage.footprint.memory import footprint, kv_bytes, memory_bytes
from alliage.units import MIB
from tests.models import alphabet
from tests.models.serving import served

ENGINE = load_catalog().engines["llama.cpp"]
SMOLLM2 = load_catalog().models["smollm2-135m"]


def with_shape(card: ModelCard, *, layers: int, kv_heads: int, head_dim: int) -> ModelCard:
    """The card with another shape of its KV cache."""
    return replace(card, architecture=replace(card.architecture, layers=layers, kv_heads=kv_heads, head_dim=head_dim))


@pytest.mark.parametrize(
    ("layers", "kv_heads", "head_dim", "kv_bytes"),
    [
        (40, 40, 128, 800 * 1024),  # OPT-13B: 800 KB a token (Kwon et al., SOSP 2023, section 3)
        (32, 8, 128, 128 * 1024),  # Llama 3 8B: 128 KiB a token in F16
        (30, 3, 64, 22.5 * 1024),  # SmolLM2 135M
    ],
)
def test_kv_bytes_are_the_published_ones(layers: int, kv_heads: int, head_dim: int, kv_bytes: float) -> None:
    """2 x layers x KV heads x head size x 2 bytes."""
    card = with_shape(SMOLLM2, layers=layers, kv_heads=kv_heads, head_dim=head_dim)
    assert footprint(card, ENGINE).kv_bytes_per_token == kv_bytes


def test_a_replica_needs_weights_cache_and_engine() -> None:
    """The sum, with the KV cache of every slot full."""
    needs = footprint(SMOLLM2, ENGINE)
    assert needs.weight_bytes == 98_362_432
    expected = needs.weight_bytes + needs.overhead_bytes + 4 * 2048 * 23_040
    assert memory_bytes(needs, context_tokens=2048, concurrency=4) == expected


def test_windows_and_states_are_counted_once_a_request() -> None:
    """gpt-oss holds 128 tokens in half of its layers, Qwen3.5 a state in most, however long the context is."""
    models = load_catalog().models
    sliding, hybrid = (footprint(models[name], ENGINE) for name in ("gpt-oss-20b", "qwen3.5-9b"))
    assert kv_bytes(sliding, context_tokens=32_768, concurrency=4) == 4 * 12 * 2048 * (32_768 + 128)
    assert kv_bytes(hybrid, context_tokens=0, concurrency=4) == 4 * hybrid.kv.state_bytes
    for needs in (sliding, hybrid):
        cache = kv_bytes(needs, context_tokens=8192, concurrency=2)
        total = memory_bytes(needs, context_tokens=8192, concurrency=2)
        assert total == needs.weight_bytes + needs.overhead_bytes + cache


def test_only_files_with_tensors_count_as_weights() -> None:
    """A tokenizer beside the weights is not loaded into the model's memory."""
    files = (
        WeightFile(path="model.safetensors", size_bytes=1000, sha256=None),
        WeightFile(path="tokenizer.json", size_bytes=50, sha256=None),
    )
    card = replace(SMOLLM2, weights=replace(SMOLLM2.weights, format=WeightsFormat.SAFETENSORS, files=files))
    assert footprint(card, ENGINE).weight_bytes == 1000


def test_weights_of_unknown_size_are_not_taken_for_nothing() -> None:
    """Two bytes a parameter stand in for a size that the source does not tell."""
    files = (WeightFile(path="a.gguf", size_bytes=None, sha256=None),)
    card = replace(SMOLLM2, weights=replace(SMOLLM2.weights, files=files))
    assert footprint(card, ENGINE).weight_bytes == 2 * 134_515_008


def test_an_embedding_model_works_on_its_whole_text_at_once() -> None:
    """Its activations are for the context, not for a step of 512 tokens."""
    chat, embed = (footprint(replace(SMOLLM2, tasks=(task,)), ENGINE) for task in (Task.CHAT, Task.EMBED))
    assert embed.overhead_bytes - chat.overhead_bytes == (4096 - 512) * 576 * 16


def resident_bytes(pid: int) -> int:
    """What the process holds now."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def test_the_real_engine_stays_within_its_footprint(tmp_path: Path) -> None:
    """llama.cpp on the test model, all slots used, holds less than stated, and the statement is within 64 MiB of it."""
    path = tmp_path / "alphabet.gguf"
    alphabet.write_alphabet(path)
    architecture = replace(
        SMOLLM2.architecture,
        layers=alphabet.LAYERS,
        kv_heads=alphabet.KV_HEADS,
        head_dim=alphabet.HEAD_DIM,
        hidden=alphabet.HIDDEN,
        vocabulary=alphabet.VOCABULARY,
    )
    files = (WeightFile(path=path.name, size_bytes=path.stat().st_size, sha256=None),)
    card = replace(SMOLLM2, architecture=architecture, weights=replace(SMOLLM2.weights, files=files))
    stated = memory_bytes(footprint(card, ENGINE), context_tokens=4096, concurrency=4)
    with served(path, slots=4, context_tokens=4096) as server:
        for text in ("a", "b" * 600, "c" * 3000):
            server.post("/v1/completions", {"prompt": text, "max_tokens": 100})
        held = resident_bytes(server.pid)
    assert held <= stated < held + 64 * MIB
