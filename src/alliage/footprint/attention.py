"""Which layers of a model attend how, from its config.json: full, sliding, latent (MLA) and linear ones.

Field meanings: the configuration classes of Transformers (llama, mistral, qwen2, qwen3_next, gpt_oss, gemma2, gemma3,
deepseek_v3, deepseek_v4). A layer whose kind is not told counts as full, which is an upper bound.
"""

from typing import Final

from alliage.catalog.records import Attention, AttentionKind
from alliage.errors import BadModelFile
from alliage.footprint.config_fields import (
    Config,
    count_of,
    count_or_none,
    flag_of,
    numbers_of,
    words_of,
)

_SLIDING_WORDS: Final = frozenset({"sliding_attention", "chunked_attention"})
_LINEAR_WORDS: Final = frozenset({"linear_attention"})
_ALL_SLIDE: Final = frozenset({"mistral", "ministral", "starcoder2"})
"""Families in which `sliding_window` alone means that every layer slides."""
_EVERY_OTHER: Final = frozenset({"gpt_oss", "gemma2"})
"""Families in which, where no list says otherwise, one layer of two slides."""


def attention_of_config(text: Config) -> tuple[Attention, ...]:
    """The groups of layers that attend alike; () where all layers keep keys and values of every token.

    `text` is the language part. Raises BadModelFile naming the key for an absurd number or a list of another length.
    """
    layers = count_of(text, "num_hidden_layers", "n_layer")
    if text.get("compress_ratios") is not None:
        return _compressed(text, layers)
    if text.get("kv_lora_rank") is not None:
        return (_latent(text, layers),)
    linear, sliding = _kinds(text, layers)
    if not linear and not sliding:
        return ()
    groups = (
        _with_heads(text, AttentionKind.FULL, layers - linear - sliding),
        _with_heads(text, AttentionKind.SLIDING, sliding),
        _linear(text, linear) if linear else None,
    )
    return tuple(group for group in groups if group is not None)


def _kinds(text: Config, layers: int) -> tuple[int, int]:
    """How many layers are linear and how many slide."""
    words = words_of(text, "layer_types")
    if words:
        if len(words) != layers:
            raise BadModelFile(f"layer_types has {len(words)} entries for {layers} layers")
        return (
            sum(word in _LINEAR_WORDS for word in words),
            sum(word in _SLIDING_WORDS for word in words) if _window(text) else 0,
        )
    interval = count_or_none(text, "full_attention_interval")
    if interval is not None and text.get("linear_num_value_heads") is not None:
        return layers - layers // interval, 0
    return 0, _sliding(text, layers)


def _sliding(text: Config, layers: int) -> int:
    """How many layers slide where no list tells it."""
    family = text.get("model_type")
    if not _window(text):
        return 0
    pattern = count_or_none(text, "sliding_window_pattern")
    if pattern is not None:
        return layers - layers // pattern
    if family in _EVERY_OTHER:
        return -(-layers // 2)
    if family in _ALL_SLIDE:
        return layers
    if flag_of(text, "use_sliding_window", default=False):
        return max(0, layers - (count_or_none(text, "max_window_layers", least=0) or 0))
    return 0


def _window(text: Config) -> int:
    """The window in tokens, 0 where there is none."""
    return count_or_none(text, "sliding_window", "attention_chunk_size", least=0) or 0


def _with_heads(text: Config, kind: AttentionKind, layers: int) -> Attention | None:
    """Layers with keys and values of their own; None for no layers."""
    if not layers:
        return None
    heads = count_of(text, "num_attention_heads", "n_head")
    hidden = count_of(text, "hidden_size", "n_embd", "d_model")
    return Attention(
        kind=kind,
        layers=layers,
        kv_heads=count_of(text, "num_key_value_heads", default=heads),
        head_dim=count_of(text, "head_dim", default=-(-hidden // heads)),
        window_tokens=_window(text) if kind is AttentionKind.SLIDING else 0,
    )


def _linear(text: Config, layers: int) -> Attention:
    """Gated DeltaNet (Yang et al., 2024): a matrix a value head, and the last inputs of a short convolution."""
    keys = count_of(text, "linear_num_key_heads") * count_of(text, "linear_key_head_dim")
    value_heads, value_dim = count_of(text, "linear_num_value_heads"), count_of(text, "linear_value_head_dim")
    state = value_heads * value_dim * count_of(text, "linear_key_head_dim")
    kept_inputs = count_of(text, "linear_conv_kernel_dim", default=4) - 1
    return Attention(
        kind=AttentionKind.LINEAR,
        layers=layers,
        state_values=state + kept_inputs * (2 * keys + value_heads * value_dim),
    )


def _latent(text: Config, layers: int) -> Attention:
    """MLA (DeepSeek-V2, 2024): the compressed vector and the rotary key of each token, shared by all heads.

    With an indexer (DeepSeek-V3.2) also one short key a token, by which the tokens attended to are chosen.
    """
    rotary = count_of(text, "qk_rope_head_dim")
    key_dim = count_of(text, "qk_nope_head_dim") + rotary
    return Attention(
        kind=AttentionKind.LATENT,
        layers=layers,
        kv_heads=1,
        head_dim=-(-(key_dim + count_of(text, "v_head_dim")) // 2),
        latent_dim=count_of(text, "kv_lora_rank") + rotary,
        index_heads=count_or_none(text, "index_n_heads") or 0,
        index_dim=count_or_none(text, "index_head_dim") or 0,
        attended_tokens=count_or_none(text, "index_topk") or 0,
    )


def _compressed(text: Config, layers: int) -> tuple[Attention, ...]:
    """DeepSeek-V4: a window of whole tokens, and before it one entry for each `ratio` tokens (0: the window alone).

    Ratio 4 has an indexer, which chooses `index_topk` entries.
    """
    ratios = numbers_of(text, "compress_ratios")[:layers]
    if len(ratios) != layers:
        raise BadModelFile(f"compress_ratios has {len(ratios)} entries for {layers} layers")
    return tuple(_of_ratio(text, ratio, ratios.count(ratio)) for ratio in sorted(set(ratios)))


def _of_ratio(text: Config, ratio: int, layers: int) -> Attention:
    dim = count_of(text, "head_dim")
    indexed = ratio == 4
    return Attention(
        kind=AttentionKind.LATENT,
        layers=layers,
        kv_heads=1,
        head_dim=dim,
        latent_dim=dim,
        window_tokens=count_of(text, "sliding_window"),
        tokens_per_entry=ratio,
        index_heads=count_of(text, "index_n_heads") if indexed else 0,
        index_dim=count_of(text, "index_head_dim") if indexed else 0,
        attended_tokens=count_of(text, "index_topk") if indexed else 0,
    )
