"""Reading config.json of Hugging Face folders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.records import Architecture, Task
from alliage.errors import BadModelFile
from alliage.footprint.encoder_counts import ENCODERS
from alliage.footprint.families import FAMILIES
from alliage.footprint.hf_config import PARAMETERS_MAX, architecture_of_config, precision_of_config, tasks_of_config

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 576,
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


def test_a_usual_configuration_is_read() -> None:
    """SmolLM2's numbers, as its GGUF file has them too."""
    assert architecture_of_config(LLAMA, parameters=7) == Architecture(
        family="llama",
        parameters=7,
        layers=30,
        hidden=576,
        heads=9,
        kv_heads=3,
        head_dim=64,
        vocabulary=49152,
        context_tokens=8192,
    )
    assert tasks_of_config(LLAMA) == (Task.CHAT,)
    assert precision_of_config(LLAMA) == "BF16"


def test_older_names_and_parts_are_understood() -> None:
    """GPT-2 calls its numbers otherwise; a model of several parts has them in `text_config`."""
    gpt2 = {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "vocab_size": 50257, "n_positions": 1024}
    assert architecture_of_config(gpt2).head_dim == 64
    assert architecture_of_config({"model_type": "vision", "text_config": LLAMA}).layers == 30
    assert architecture_of_config({**LLAMA, "num_key_value_heads": None}).kv_heads == 9


def test_what_does_not_generate_embeds() -> None:
    """A bare encoder has no head for text."""
    assert tasks_of_config({"architectures": ["BertModel"]}) == (Task.EMBED,)


def test_precision_names_a_quantised_model_by_its_method() -> None:
    """And what is not told is unknown."""
    assert precision_of_config({"quantization_config": {"quant_method": "awq"}}) == "awq"
    assert precision_of_config({"dtype": "int3"}) == "unknown"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": None}, "model_type is None"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"num_hidden_layers": "30"}, "num_hidden_layers is '30'"),
        ({"num_hidden_layers": 2**50}, "num_hidden_layers is"),
        ({"vocab_size": True}, "vocab_size is True"),
        ({"max_position_embeddings": -1}, "max_position_embeddings is -1"),
    ],
)
def test_absurd_numbers_are_refused_by_name(changes: dict[str, object], told: str) -> None:
    """The message names the key and the value."""
    with pytest.raises(BadModelFile) as caught:
        architecture_of_config({**LLAMA, **changes})
    assert told in str(caught.value)


KEYS = [
    *LLAMA,
    *("text_config", "head_dim", "quantization_config", "intermediate_size", "tie_word_embeddings", "attention_bias"),
    *("num_experts", "num_local_experts", "n_routed_experts", "num_experts_per_tok", "moe_intermediate_size"),
    *("first_k_dense_replace", "decoder_sparse_step", "mlp_only_layers", "mlp_layer_types", "n_shared_experts"),
    *("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "index_n_heads"),
    *("index_head_dim", "index_topk", "sliding_window", "use_sliding_window", "layer_types", "sliding_window_pattern"),
    *("full_attention_interval", "linear_num_value_heads", "linear_num_key_heads", "linear_key_head_dim"),
    *("linear_value_head_dim", "linear_conv_kernel_dim", "compress_ratios", "o_lora_rank", "o_groups", "hc_mult"),
]
FAMILY = st.sampled_from([*FAMILIES, *ENCODERS, "unheard-of"])


@given(
    st.dictionaries(st.sampled_from(KEYS), JSON | st.integers(0, 5) | st.integers(2**31 - 2, 2**31)),
    st.none() | FAMILY,
)
def test_any_configuration_is_read_or_refused(config: dict[str, object], family: str | None) -> None:
    """Nothing but BadModelFile comes out, whatever JSON it holds, of whatever family it says to be."""
    whole = config if family is None else {**LLAMA, **config, "model_type": family}
    tasks_of_config(whole)
    precision_of_config(whole)
    try:
        architecture = architecture_of_config(whole)
    except BadModelFile:
        return
    assert 0 <= architecture.active_parameters <= architecture.parameters <= PARAMETERS_MAX


def test_two_thousand_million_layers_take_no_longer_than_two() -> None:
    """An absurd number is refused by what it makes of the model, and nothing is done once a layer."""
    with pytest.raises(BadModelFile, match="parameters, the limit is"):
        architecture_of_config({**LLAMA, "intermediate_size": 1536, "num_hidden_layers": 2**31})


def test_counts_come_with_the_architecture() -> None:
    """SmolLM2 135M again, with the one number that its parameters need: computed as published, all of them active."""
    architecture = architecture_of_config({**LLAMA, "intermediate_size": 1536, "tie_word_embeddings": True})
    assert architecture.parameters == architecture.active_parameters == 134_515_008
    assert architecture.embedding_parameters == 0


def test_files_count_before_the_configuration_unless_their_numbers_are_packed() -> None:
    """Files of a model with more layers than are served hold more; those of a 4-bit model hold fewer, wider numbers."""
    config = {**LLAMA, "intermediate_size": 1536, "tie_word_embeddings": True}
    assert architecture_of_config(config, parameters=140_000_000).parameters == 140_000_000
    packed = {**config, "quantization_config": {"quant_method": "awq"}}
    assert architecture_of_config(packed, parameters=40_000_000).parameters == 134_515_008


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"layer_types": ["full_attention"]}, "layer_types has 1 entries for 30 layers"),
        ({"layer_types": "full"}, "layer_types is 'full'"),
        ({"sliding_window": -4, "model_type": "mistral"}, "sliding_window is -4"),
        ({"kv_lora_rank": 512}, "qk_rope_head_dim is missing"),
        ({"kv_lora_rank": "512"}, "qk_rope_head_dim is missing"),
        ({"compress_ratios": [4], "head_dim": 8, "sliding_window": 8}, "compress_ratios has 1 entries for 30 layers"),
        ({"model_type": "qwen3_moe", "num_experts": 8}, "num_experts_per_tok is missing"),
        ({"intermediate_size": 0}, "intermediate_size is 0"),
        ({"intermediate_size": 8, "tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes'"),
    ],
)
def test_absurd_layers_are_refused_by_name(changes: dict[str, object], told: str) -> None:
    """The message names the key and the value, or what does not fit together."""
    with pytest.raises(BadModelFile) as caught:
        architecture_of_config({**LLAMA, **changes})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"sliding_window": 4096, "model_type": "mistral"}, [("sliding", 30)]),
        ({"sliding_window": 4096, "model_type": "qwen2"}, []),
        (
            {"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 20},
            [("full", 20), ("sliding", 10)],
        ),
        ({"sliding_window": 512, "sliding_window_pattern": 6}, [("full", 5), ("sliding", 25)]),
        ({"sliding_window": 128, "model_type": "gpt_oss"}, [("full", 15), ("sliding", 15)]),
        (
            {"layer_types": ["full_attention", "chunked_attention"] * 15, "attention_chunk_size": 64},
            [("full", 15), ("sliding", 15)],
        ),
    ],
)
def test_each_way_to_say_that_layers_slide_is_understood(
    changes: dict[str, object], kinds: list[tuple[str, int]]
) -> None:
    """By a list, by a pattern, by the family, or by a flag with the number of layers that do not."""
    found = architecture_of_config({**LLAMA, **changes}).attention
    assert [(str(group.kind), group.layers) for group in found] == kinds
