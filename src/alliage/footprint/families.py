"""What the families of models differ in beside their numbers, by `model_type`. Facts only.

Source: the model classes of Transformers of the same names (modeling_llama.py, modeling_qwen3_moe.py, ...), and for
gpt-oss `gpt_oss/torch/model.py` of its own repository.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Traits that a config.json does not tell, or leaves to the class."""

    qkv_bias: bool = False
    output_bias: bool = False
    query_norm: bool = False
    """Norms of queries and keys, one value for each of `head_dim`."""
    query_gate: bool = False
    """Queries are made twice, once as a gate of the attention's output."""
    sinks: bool = False
    """One learned value a head."""
    router_bias: bool = False
    expert_bias: bool = False
    tied: bool = False
    """Whether the head is the input embedding where config.json does not say."""


_PLAIN: Final = Family()
_QWEN3: Final = Family(query_norm=True)
_GATED: Final = Family(query_norm=True, query_gate=True)
_DEEPSEEK: Final = Family(router_bias=True)
_GEMMA: Final = Family(tied=True)

FAMILIES: Final[Mapping[str, Family]] = {
    "llama": _PLAIN,
    "mistral": _PLAIN,
    "ministral3": _PLAIN,
    "mixtral": _PLAIN,
    "gemma": _GEMMA,
    "qwen2": Family(qkv_bias=True),
    "qwen2_moe": Family(qkv_bias=True),
    "qwen3": _QWEN3,
    "qwen3_moe": _QWEN3,
    "qwen3_next": _GATED,
    "qwen3_5": _GATED,
    "qwen3_5_text": _GATED,
    "qwen3_5_moe": _GATED,
    "qwen3_5_moe_text": _GATED,
    "glm4_moe": _DEEPSEEK,
    "glm_moe_dsa": _DEEPSEEK,
    "deepseek_v2": _PLAIN,
    "deepseek_v3": _DEEPSEEK,
    "deepseek_v32": _DEEPSEEK,
    "deepseek_v4": _DEEPSEEK,
    "kimi_k2": _DEEPSEEK,
    "gpt_oss": Family(qkv_bias=True, output_bias=True, sinks=True, router_bias=True, expert_bias=True),
}
