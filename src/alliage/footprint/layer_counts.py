"""Parameters of the parts of one layer: attention of each kind, and the gated feed-forward network. Pure arithmetic."""

from alliage.footprint.config_fields import Config, count_of, count_or_none, flag_of, numbers_of
from alliage.footprint.families import Family


def gated_parameters(text: Config, inner: int) -> int:
    """Up, gate and down projections (Shazeer, "GLU Variants Improve Transformer", 2020)."""
    return 3 * count_of(text, "hidden_size") * inner


def attention_parameters(text: Config, family: Family, layers: int) -> int:
    """One attention layer of the model (linear ones apart); the mean, rounded, where layers differ."""
    if text.get("compress_ratios") is not None:
        return _compressed(text, layers)
    if text.get("kv_lora_rank") is not None:
        return _latent(text) + _indexer(text)
    return _grouped(text, family)


def linear_parameters(text: Config) -> int:
    """One Gated DeltaNet layer: projections of queries, keys, values and gate, two rates a head, convolution, norm."""
    hidden = count_of(text, "hidden_size")
    value_heads, value_dim = count_of(text, "linear_num_value_heads"), count_of(text, "linear_value_head_dim")
    keys = count_of(text, "linear_num_key_heads") * count_of(text, "linear_key_head_dim")
    values = value_heads * value_dim
    convolution = count_of(text, "linear_conv_kernel_dim", default=4) * (2 * keys + values)
    return hidden * (2 * keys + 3 * values + 2 * value_heads) + convolution + 2 * value_heads + value_dim


def _grouped(text: Config, family: Family) -> int:
    """Multi-head, grouped-query and multi-query attention: they differ in the number of key heads alone."""
    hidden, heads = count_of(text, "hidden_size"), count_of(text, "num_attention_heads")
    dim = count_of(text, "head_dim", default=-(-hidden // heads))
    queries, keys = heads * dim, count_of(text, "num_key_value_heads", default=heads) * dim
    made = queries * (2 if flag_of(text, "attn_output_gate", default=family.query_gate) else 1)
    parameters = hidden * (made + 2 * keys + queries)
    if family.qkv_bias or flag_of(text, "attention_bias", default=False):
        parameters += queries + 2 * keys
    if family.output_bias:
        parameters += hidden
    if family.sinks:
        parameters += heads
    if flag_of(text, "use_qk_norm", default=family.query_norm):
        parameters += 2 * dim
    return parameters


def _latent(text: Config) -> int:
    """MLA (DeepSeek-V2, 2024, section 2.1): queries and keys with values are made from short vectors."""
    hidden, heads = count_of(text, "hidden_size"), count_of(text, "num_attention_heads")
    plain, rotary = count_of(text, "qk_nope_head_dim"), count_of(text, "qk_rope_head_dim")
    value_dim, rank = count_of(text, "v_head_dim"), count_of(text, "kv_lora_rank")
    query_rank = count_or_none(text, "q_lora_rank")
    queries = heads * (plain + rotary)
    made = hidden * queries if query_rank is None else query_rank * (hidden + 1 + queries)
    short = hidden * (rank + rotary) + rank
    return made + short + rank * heads * (plain + value_dim) + heads * value_dim * hidden


def _indexer(text: Config) -> int:
    """The chooser of sparse attention (DeepSeek-V3.2): queries, one key with its norm, and a weight a head."""
    heads = count_or_none(text, "index_n_heads")
    if heads is None:
        return 0
    dim, hidden = count_of(text, "index_head_dim"), count_of(text, "hidden_size")
    return count_of(text, "q_lora_rank") * heads * dim + hidden * (dim + heads) + 2 * dim


def _compressed(text: Config, layers: int) -> int:
    """DeepSeek-V4: one key that is the value too, an output in groups of low rank, and by ratio a compressor."""
    ratios = numbers_of(text, "compress_ratios")[:layers]
    hidden, heads, dim = (count_of(text, key) for key in ("hidden_size", "num_attention_heads", "head_dim"))
    rank, out_rank, groups = (count_of(text, key) for key in ("q_lora_rank", "o_lora_rank", "o_groups"))
    plain = rank * (hidden + 1 + heads * dim) + hidden * dim + dim + heads
    plain += heads * dim * out_rank + groups * out_rank * hidden
    index_dim = count_of(text, "index_head_dim")
    index_heads = count_of(text, "index_n_heads")
    index = rank * index_heads * index_dim + hidden * index_heads + _compressor(hidden, index_dim, 2)
    overlapping = _compressor(hidden, dim, 2) + index
    compressors = ratios.count(4) * overlapping + sum(ratio > 4 for ratio in ratios) * _compressor(hidden, dim, 1)
    return plain + round(compressors / layers)


def _compressor(hidden: int, dim: int, windows: int) -> int:
    """Two projections that pool tokens into one entry; twice as wide where the windows overlap."""
    return 2 * hidden * dim * windows
