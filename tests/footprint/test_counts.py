"""Counts of families that no card of the catalogue has, and of configurations that leave numbers out."""

from typing import Final

import pytest

from alliage.errors import BadModelFile
from alliage.footprint.counts import counts_of_config

SMALL: Final = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 4, "vocab_size": 16}
DENSE: Final = {**SMALL, "model_type": "llama", "intermediate_size": 32}
SPARSE: Final = {
    **SMALL,
    "model_type": "qwen3_moe",
    "intermediate_size": 32,
    "moe_intermediate_size": 4,
    "num_experts": 8,
    "num_experts_per_tok": 2,
}
EXPERT: Final = 3 * 8 * 4


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (  # Mistral 7B, arXiv 2310.06825, as counted by the hub: 7,241,732,096
            {
                "model_type": "mistral",
                "hidden_size": 4096,
                "intermediate_size": 14336,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "num_hidden_layers": 32,
                "vocab_size": 32000,
            },
            7_241_732_096,
        ),
        (  # Gemma 2B, as counted by the hub: 2,506,172,416; multi-query attention, one matrix for embedding and head
            {
                "model_type": "gemma",
                "hidden_size": 2048,
                "intermediate_size": 16384,
                "num_attention_heads": 8,
                "num_key_value_heads": 1,
                "head_dim": 256,
                "num_hidden_layers": 18,
                "vocab_size": 256000,
            },
            2_506_172_416,
        ),
        (  # DeepSeek V2 Lite, as counted by the hub: 15,706,484,224; latent attention without a rank for queries
            {
                "model_type": "deepseek_v2",
                "hidden_size": 2048,
                "intermediate_size": 10944,
                "moe_intermediate_size": 1408,
                "n_routed_experts": 64,
                "n_shared_experts": 2,
                "num_experts_per_tok": 6,
                "first_k_dense_replace": 1,
                "num_attention_heads": 16,
                "num_hidden_layers": 27,
                "kv_lora_rank": 512,
                "qk_nope_head_dim": 128,
                "qk_rope_head_dim": 64,
                "v_head_dim": 128,
                "vocab_size": 102400,
            },
            15_706_484_224,
        ),
        (  # Qwen1.5 MoE A2.7B, as counted by the hub: 14,315,784,192; a shared expert with a gate
            {
                "model_type": "qwen2_moe",
                "hidden_size": 2048,
                "intermediate_size": 5632,
                "moe_intermediate_size": 1408,
                "shared_expert_intermediate_size": 5632,
                "num_experts": 60,
                "num_experts_per_tok": 4,
                "num_attention_heads": 16,
                "num_hidden_layers": 24,
                "vocab_size": 151936,
            },
            14_315_784_192,
        ),
    ],
)
def test_other_families_have_their_published_counts(config: dict[str, object], parameters: int) -> None:
    """To the last number."""
    counts = counts_of_config(config)
    assert counts is not None
    assert counts.parameters == parameters


@pytest.mark.parametrize(
    ("changes", "sparse"),
    [
        ({}, 4),
        ({"decoder_sparse_step": 2}, 2),
        ({"mlp_only_layers": [0, 3, 9]}, 2),
        ({"first_k_dense_replace": 1}, 3),
        ({"first_k_dense_replace": 9}, 0),
        ({"mlp_layer_types": ["dense", "sparse", "sparse", "sparse"]}, 3),
    ],
)
def test_each_way_to_say_which_layers_have_experts_is_understood(changes: dict[str, object], sparse: int) -> None:
    """What rests while one token is worked on is six experts of eight in each such layer."""
    counts = counts_of_config({**SPARSE, **changes})
    assert counts is not None
    assert counts.parameters - counts.active_parameters == sparse * 6 * EXPERT


def test_a_dense_model_works_with_all_it_has() -> None:
    """Its input embedding is told apart when the head is a matrix of its own."""
    own, tied = counts_of_config(DENSE), counts_of_config({**DENSE, "tie_word_embeddings": True})
    assert own is not None
    assert tied is not None
    assert own.active_parameters == own.parameters == tied.parameters + 16 * 8
    assert (own.embedding_parameters, tied.embedding_parameters) == (16 * 8, 0)


@pytest.mark.parametrize(
    "config",
    [
        {**DENSE, "model_type": "unheard-of"},
        {**DENSE, "model_type": 7},
        {**SMALL, "model_type": "llama"},
        {**SMALL, "model_type": "bert"},
    ],
)
def test_what_cannot_be_counted_is_not_guessed(config: dict[str, object]) -> None:
    """A family that is not known, or one whose feed-forward size is not told."""
    assert counts_of_config(config) is None


def test_more_experts_in_use_than_there_are_count_as_all() -> None:
    """Nothing rests then."""
    counts = counts_of_config({**SPARSE, "num_experts_per_tok": 9})
    assert counts is not None
    assert (counts.experts_used, counts.active_parameters) == (8, counts.parameters)


@pytest.mark.parametrize("value", [-1, 2**40, "8", 1.5, True])
def test_an_absurd_number_of_experts_is_refused(value: object) -> None:
    """By name and value."""
    with pytest.raises(BadModelFile, match="num_experts is"):
        counts_of_config({**SPARSE, "num_experts": value})
