"""Which layers attend how, and what rests of the experts, by GGUF headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.records import AttentionKind
from alliage.errors import BadModelFile
from alliage.footprint.gguf import GgufHeader, Tensor, Value
from alliage.footprint.gguf_facts import architecture_of
from alliage.footprint.gguf_types import TENSOR_TYPES
from alliage.footprint.kv_cache import kv_cache

F16 = TENSOR_TYPES[1]


def header(family: str, layers: int, keys: dict[str, Value], tensors: dict[str, tuple[int, ...]]) -> GgufHeader:
    """A header with what every model has, and `keys` of the family."""
    metadata: dict[str, Value] = {
        "general.architecture": family,
        f"{family}.embedding_length": 64,
        f"{family}.attention.head_count": 4,
        f"{family}.block_count": layers,
        f"{family}.context_length": 128,
        f"{family}.vocab_size": 1000,
        **{f"{family}.{key}": value for key, value in keys.items()},
    }
    return GgufHeader(
        metadata=metadata,
        array_lengths={},
        tensors=tuple(Tensor(name=name, shape=shape, type=F16, offset=0) for name, shape in tensors.items()),
        data_offset=0,
    )


def test_experts_that_rest_are_counted_from_their_tensors() -> None:
    """Two of eight work: a quarter of the tensors that hold all of them, and everything else."""
    tensors = {
        "token_embd.weight": (64, 10),
        "blk.0.ffn_up_exps.weight": (64, 16, 8),
        "blk.0.ffn_up_shexp.weight": (64, 16),
    }
    found = architecture_of(header("qwen3moe", 1, {"expert_count": 8, "expert_used_count": 2}, tensors))
    assert (found.experts, found.experts_used) == (8, 2)
    assert found.active_parameters == 640 + 64 * 16 * 2 + 64 * 16
    assert found.embedding_parameters == 0


def test_latent_layers_keep_the_compressed_vector_and_the_rotary_key() -> None:
    """As DeepSeek's files tell it."""
    keys: dict[str, Value] = {"attention.kv_lora_rank": 512, "rope.dimension_count": 64}
    (group,) = architecture_of(header("deepseek2", 3, keys, {"t": (4,)})).attention
    assert (group.kind, group.layers, group.latent_dim) == (AttentionKind.LATENT, 3, 576)


@pytest.mark.parametrize(
    ("family", "keys", "groups"),
    [
        ("gpt-oss", {"attention.sliding_window": 128}, [("full", 3, 0), ("sliding", 3, 128)]),
        ("gemma3", {"attention.sliding_window": 512}, [("full", 1, 0), ("sliding", 5, 512)]),
        ("llama", {"attention.sliding_window": 512}, []),
        ("gemma3", {}, []),
        ("f", {"attention.head_count_kv": (1, 2, 2, 2, 2, 2)}, [("full", 1, 0), ("full", 5, 0)]),
    ],
)
def test_windows_count_where_the_family_is_known_to_have_them(
    family: str, keys: dict[str, Value], groups: list[tuple[str, int, int]]
) -> None:
    """Elsewhere all layers count as full, an upper bound."""
    found = architecture_of(header(family, 6, keys, {"t": (4,)})).attention
    assert [(str(group.kind), group.layers, group.window_tokens) for group in found] == groups


@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("qwen3next", {}),
        ("other", {"full_attention_interval": 4}),
        ("jamba", {"attention.head_count_kv": (0, 0, 0, 2)}),
    ],
)
def test_recurrent_layers_keep_a_state(family: str, more: dict[str, Value]) -> None:
    """Qwen3.5's numbers: 32 heads of 128 x 128, and three inputs of 2 x 16 x 128 + 32 x 128."""
    keys: dict[str, Value] = {
        "attention.head_count_kv": 2,
        "ssm.state_size": 128,
        "ssm.inner_size": 4096,
        "ssm.group_count": 16,
        "ssm.conv_kernel": 4,
        **more,
    }
    full, linear = architecture_of(header(family, 4, keys, {"t": (4,)})).attention
    assert (full.kind, full.layers, full.kv_heads) == (AttentionKind.FULL, 1, 2)
    assert (linear.kind, linear.layers) == (AttentionKind.LINEAR, 3)
    assert linear.state_values == 32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128)


@pytest.mark.parametrize("key", ["expert_count", "attention.kv_lora_rank", "ssm.state_size"])
def test_absurd_numbers_of_layers_are_refused(key: str) -> None:
    """By name and value."""
    keys: dict[str, Value] = {"full_attention_interval": 4, key: -1}
    with pytest.raises(BadModelFile, match=f"f.{key} is -1"):
        architecture_of(header("f", 4, keys, {"t": (4,)}))


NUMBERS = (
    st.integers(-1, 9)
    | st.integers(2**31 - 1, 2**64)
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
)
KEYS = st.sampled_from(
    [
        *("attention.head_count_kv", "attention.kv_lora_rank", "attention.sliding_window", "attention.key_length"),
        *("expert_count", "expert_used_count", "full_attention_interval", "rope.dimension_count", "block_count"),
        *("ssm.state_size", "ssm.inner_size", "ssm.group_count", "ssm.conv_kernel"),
    ]
)


@given(
    st.sampled_from(["qwen3next", "gemma3", "deepseek2", "f"]),
    st.dictionaries(KEYS, NUMBERS | st.lists(st.integers(-1, 3), max_size=4).map(tuple)),
)
def test_any_metadata_is_read_or_refused(family: str, keys: dict[str, Value]) -> None:
    """Nothing but BadModelFile comes out; what is read can be asked for its cache."""
    try:
        found = architecture_of(header(family, 4, keys, {"blk.0.ffn_up_exps.weight": (4, 4, 8)}))
    except BadModelFile:
        return
    assert 0 <= found.active_parameters <= found.parameters
    assert kv_cache(found).bytes_at(100) >= 0
