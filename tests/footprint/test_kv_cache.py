"""What is kept of the past, by kind of attention, against published figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.loader import load_catalog
from alliage.footprint.kv_cache import KvCache, kv_bytes_per_token, kv_cache

MODELS = load_catalog().models


@pytest.mark.parametrize(
    ("model", "kv_bytes"),
    [
        ("llama-3.1-405b", 516_096),  # DeepSeek-V3 insights, arXiv 2505.09343, table 1: 516.096 KB
        ("qwen2.5-72b", 327_680),  # the same table: 327.680 KB
        ("deepseek-v3", 70_272),  # the same table: 70.272 KB, by latent attention
        ("llama-3-8b", 131_072),  # 2 x 32 layers x 8 heads x 128 x 2 bytes
        ("qwen3-235b-a22b", 192_512),  # 2 x 94 layers x 4 heads x 128 x 2 bytes
    ],
)
def test_bytes_a_token_are_the_published_ones(model: str, kv_bytes: int) -> None:
    """Grouped queries and latent attention."""
    assert kv_bytes_per_token(MODELS[model].architecture, 0) == kv_bytes


def test_sliding_layers_stop_growing_at_their_window() -> None:
    """gpt-oss: half of the layers keep 128 tokens, so from there on a token adds half as much."""
    architecture = MODELS["gpt-oss-20b"].architecture
    layer = 2 * 8 * 64 * 2
    assert kv_bytes_per_token(architecture, 0) == 24 * layer
    assert kv_bytes_per_token(architecture, 128) == 12 * layer
    assert kv_cache(architecture).bytes_at(10_000) == 12 * layer * 10_000 + 12 * layer * 128


def test_linear_layers_keep_a_state_whatever_the_context() -> None:
    """Qwen3.5: one layer in four has keys and values; the others 32 x 128 x 128 values and three inputs, in F32."""
    cache = kv_cache(MODELS["qwen3.5-9b"].architecture)
    assert cache.state_bytes == 24 * (32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128)) * 4
    assert cache.bytes_at(0) == cache.state_bytes
    assert cache.bytes_per_token(0) == cache.bytes_per_token(10**6) == 8 * 2 * 4 * 256 * 2


def test_an_indexer_keeps_a_short_key_beside_each_vector() -> None:
    """DeepSeek V3.2: 128 values more a token and layer than V3."""
    more = kv_bytes_per_token(MODELS["deepseek-v3.2"].architecture, 0) - kv_bytes_per_token(
        MODELS["deepseek-v3"].architecture, 0
    )
    assert more == 61 * 128 * 2


def test_compressed_layers_keep_an_entry_for_many_tokens() -> None:
    """DeepSeek V4 Flash: a window of 128 in all layers, and one entry for 4 or 128 tokens before it."""
    cache = kv_cache(MODELS["deepseek-v4-flash"].architecture)
    windows = 43 * 512 * 2 * 128
    assert cache.bytes_at(128_000) == windows + 21 * (512 + 128) * 2 * 32_000 + 20 * 512 * 2 * 1000


def test_a_cache_in_eight_bits_is_half_as_large() -> None:
    """Keys and values; states stay in F32."""
    architecture = MODELS["deepseek-v3"].architecture
    assert kv_cache(architecture, value_bytes=1).bytes_at(1000) * 2 == kv_cache(architecture).bytes_at(1000)


@given(model=st.sampled_from(sorted(MODELS)), tokens=st.integers(0, 10**6), more=st.integers(0, 10**5))
def test_a_longer_request_never_holds_less(model: str, tokens: int, more: int) -> None:
    """And never more than the first token's growth for each token, but for entries that are rounded up."""
    cache: KvCache = kv_cache(MODELS[model].architecture)
    grown = cache.bytes_at(tokens + more) - cache.bytes_at(tokens)
    rounding = sum(part.entry_bytes for part in cache.kept if part.tokens_per_entry > 1)
    assert 0 <= grown <= more * cache.bytes_per_token(0) + rounding
