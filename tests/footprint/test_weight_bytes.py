"""Bytes of weights by precision, against published file sizes."""

from dataclasses import replace

import pytest

from alliage.catalog.loader import load_catalog
from alliage.catalog.records import Precision
from alliage.footprint.memory import footprint
from alliage.footprint.weight_bytes import PACKINGS, expert_parameters, weight_bytes

CATALOG = load_catalog()
MODELS = CATALOG.models


@pytest.mark.parametrize(
    ("model", "size_bytes"),
    [
        ("gpt-oss-120b", 60.8 * 1024**3),  # gpt-oss model card, arXiv 2508.10925, table 1: 60.8 GiB
        ("gpt-oss-20b", 12.8 * 1024**3),  # the same table: 12.8 GiB
        ("kimi-k2-thinking", 594e9),  # its model card: 594 GB
    ],
)
def test_checkpoints_have_their_published_size(model: str, size_bytes: float) -> None:
    """Experts in four bits, the rest in 16."""
    card = MODELS[model]
    assert weight_bytes(card.architecture, card.precision) == pytest.approx(size_bytes, rel=0.02)


def test_sixteen_bits_are_two_bytes_each() -> None:
    """Under each name that the formats and the chips have for it."""
    architecture = MODELS["qwen3-8b"].architecture
    for name in ("BF16", "F16", Precision.BF16, Precision.FP16):
        assert weight_bytes(architecture, name) == 2 * 8_190_735_360


def test_embedding_and_head_stay_in_sixteen_bits() -> None:
    """Qwen3 8B in FP8: two matrices of 151936 x 4096 in BF16, the rest in a byte."""
    architecture = MODELS["qwen3-8b"].architecture
    vocabulary = 2 * 151_936 * 4096
    expected = 2 * vocabulary + (architecture.parameters - vocabulary)
    assert weight_bytes(architecture, "fp8") == pytest.approx(expected, rel=0.001)


def test_fewer_bits_are_fewer_bytes() -> None:
    """For every model and each pair of neighbours."""
    for card in MODELS.values():
        sizes = [weight_bytes(card.architecture, name) for name in ("fp32", "bf16", "int8", "fp4", "int4")]
        assert all(size is not None for size in sizes)
        assert sorted(sizes, key=lambda size: -(size or 0)) == sizes


def test_what_cannot_be_told_is_none() -> None:
    """A precision of mixed width, and a model whose parameters nobody counted."""
    architecture = MODELS["qwen3-8b"].architecture
    assert weight_bytes(architecture, "Q4_K_M") is None
    assert weight_bytes(replace(architecture, parameters=0), "BF16") is None


def test_every_precision_of_chips_has_a_width() -> None:
    """What a chip computes in can be asked for."""
    assert set(Precision) <= set(PACKINGS)


def test_experts_are_counted_from_what_rests() -> None:
    """gpt-oss-120b: 36 layers x 128 experts of 3 x 2880 x 2880 weights and 3 x 2880 biases."""
    assert expert_parameters(MODELS["gpt-oss-120b"].architecture) == 36 * 128 * 3 * 2880 * 2881
    dense = MODELS["qwen3-8b"].architecture
    assert expert_parameters(dense) == dense.parameters


def test_a_card_without_files_has_the_size_of_its_precision() -> None:
    """So that a model of the hub can be planned for before anything is fetched."""
    card, engine = MODELS["deepseek-v3"], CATALOG.engines["llama.cpp"]
    assert footprint(card, engine).weight_bytes == weight_bytes(card.architecture, "FP8")
    unknown = replace(card, precision="awful")
    assert footprint(unknown, engine).weight_bytes == 2 * card.architecture.parameters
