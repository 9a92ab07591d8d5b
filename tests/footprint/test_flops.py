"""Operations a token, against published figures and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.loader import load_catalog
from alliage.footprint.flops import decode_flops_per_token, prefill_flops_per_token

MODELS = load_catalog().models


def test_a_dense_model_costs_two_a_parameter_and_the_attention() -> None:
    """Llama 3 8B: 2 x (8.03 G - 0.53 G embedding), and 4 x 32 heads x 128 x 32 layers for each token attended to."""
    architecture = MODELS["llama-3-8b"].architecture
    weights = 2 * (8_030_261_248 - 128_256 * 4096)
    assert decode_flops_per_token(architecture, 0) == weights
    assert decode_flops_per_token(architecture, 1000) == weights + 4 * 32 * 128 * 32 * 1000
    assert prefill_flops_per_token(architecture, 1999) == weights + 4 * 32 * 128 * 32 * 1000


@pytest.mark.parametrize(
    ("model", "gflops"),
    [
        ("deepseek-v3", 250 / 3),  # arXiv 2505.09343, table 2: 250 GFLOPS a token in training at 4096, forward a third
        ("llama-3.1-405b", 2448 / 3),  # the same table
        ("qwen2.5-72b", 394 / 3),  # the same table
    ],
)
def test_prefill_is_near_a_third_of_the_published_training_cost(model: str, gflops: float) -> None:
    """The backward pass costs twice the forward one; the table's exact counting is not told, hence 15 %."""
    flops = prefill_flops_per_token(MODELS[model].architecture, 4096)
    assert flops / 1e9 == pytest.approx(gflops, rel=0.15)


def test_experts_that_rest_cost_nothing() -> None:
    """Qwen3 30B A3B works like a model of 3 G parameters."""
    flops = decode_flops_per_token(MODELS["qwen3-30b-a3b"].architecture, 0)
    assert flops == pytest.approx(2 * 3.04e9, rel=0.01)


def test_windows_and_sparse_attention_bound_the_cost_of_a_long_context() -> None:
    """Sliding layers attend to their window; V3.2 attends to 2048 tokens and looks at all by its small indexer."""
    sliding = MODELS["gpt-oss-20b"].architecture
    assert (
        decode_flops_per_token(sliding, 20_000) - decode_flops_per_token(sliding, 10_000) == 4 * 64 * 64 * 12 * 10_000
    )
    plain, sparse = MODELS["deepseek-v3"].architecture, MODELS["deepseek-v3.2"].architecture
    assert decode_flops_per_token(sparse, 131_072) < decode_flops_per_token(plain, 131_072) / 2
    grown = decode_flops_per_token(sparse, 20_000) - decode_flops_per_token(sparse, 10_000)
    assert grown == 2 * 64 * 128 * 61 * 10_000


def test_linear_layers_cost_the_same_at_any_length() -> None:
    """Only one layer in four of Qwen3.5 pays for the context."""
    architecture = MODELS["qwen3.5-9b"].architecture
    assert (
        decode_flops_per_token(architecture, 2000) - decode_flops_per_token(architecture, 1000)
        == 4 * 16 * 256 * 8 * 1000
    )


@given(model=st.sampled_from(sorted(MODELS)), tokens=st.integers(0, 10**6), more=st.integers(0, 10**6))
def test_a_longer_context_never_costs_less(model: str, tokens: int, more: int) -> None:
    """For prefill and decode of every model of the catalogue."""
    architecture = MODELS[model].architecture
    assert decode_flops_per_token(architecture, tokens) <= decode_flops_per_token(architecture, tokens + more)
    assert prefill_flops_per_token(architecture, tokens) <= prefill_flops_per_token(architecture, tokens + more)
