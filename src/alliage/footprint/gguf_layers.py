"""What a GGUF header says of its layers: which attend how, and how many of the experts' numbers rest.

Keys: gguf.md of the ggml project; `src/llama-arch.cpp` and `src/llama-hparams.cpp` of llama.cpp. Experts are the
tensors named `*_exps.*`, each of which holds one matrix for every expert. A layer of unknown kind counts as full.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from alliage.catalog.records import Attention, AttentionKind
from alliage.errors import BadModelFile
from alliage.footprint.gguf import GgufHeader

_EXPERTS: Final = "_exps."
_WINDOW_MAX: Final = 2**31
_FULL_EACH_SLIDING: Final = {"gemma2": 2, "gpt-oss": 2, "gemma3": 6, "cohere2": 4}
"""Families in which one layer of so many is full and the others slide."""
_FULL_EACH: Final = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
"""Families in which one layer of so many is full and the others keep a state."""


def expert_counts(header: GgufHeader, family: str) -> tuple[int, int]:
    """Experts a layer and those used for one token; (0, 0) in a dense model."""
    experts = _number(header, f"{family}.expert_count")
    used = _number(header, f"{family}.expert_used_count")
    return (experts, min(used, experts)) if experts else (0, 0)


def resting_parameters(header: GgufHeader, experts: int, used: int) -> int:
    """Numbers of the experts that one token does not use."""
    if not experts:
        return 0
    total = sum(tensor.values for tensor in header.tensors if _EXPERTS in tensor.name)
    return total * (experts - used) // experts


def embedding_parameters(header: GgufHeader) -> int:
    """The input embedding where there is a head of its own, 0 where it is the head too."""
    if not any(tensor.name == "output.weight" for tensor in header.tensors):
        return 0
    return sum(tensor.values for tensor in header.tensors if tensor.name == "token_embd.weight")


def attention_of_header(
    header: GgufHeader, family: str, *, layers: int, kv_heads: int, head_dim: int
) -> tuple[Attention, ...]:
    """The groups of layers that attend alike; () where all keep keys and values of every token."""
    if rank := _number(header, f"{family}.attention.kv_lora_rank"):
        latent_dim = rank + _number(header, f"{family}.rope.dimension_count")
        return (Attention(kind=AttentionKind.LATENT, layers=layers, head_dim=head_dim, latent_dim=latent_dim),)
    heads = header.metadata.get(f"{family}.attention.head_count_kv")
    if isinstance(heads, tuple) and len(heads) == layers and all(isinstance(each, int) for each in heads):
        counts = Counter(int(each) for each in heads if each > 0)
        return (*_full(counts, head_dim), *_recurrent(header, family, layers - counts.total()))
    if state_layers := _state_layers(header, family, layers):
        return (*_full({kv_heads: layers - state_layers}, head_dim), *_recurrent(header, family, state_layers))
    return _sliding(header, family, layers=layers, kv_heads=kv_heads, head_dim=head_dim)


def _full(counts: Mapping[int, int], head_dim: int) -> tuple[Attention, ...]:
    """One group for each number of KV heads; `counts` tells how many layers have it."""
    return tuple(
        Attention(kind=AttentionKind.FULL, layers=layers, kv_heads=heads, head_dim=head_dim)
        for heads, layers in sorted(counts.items())
        if layers > 0
    )


def _state_layers(header: GgufHeader, family: str, layers: int) -> int:
    """How many layers keep a state alone, where a key or the family says it."""
    interval = _number(header, f"{family}.full_attention_interval") or _FULL_EACH.get(family, 0)
    return layers - layers // interval if interval else 0


def _recurrent(header: GgufHeader, family: str, layers: int) -> tuple[Attention, ...]:
    """Layers with a state and a short convolution: `n_embd_s` and `n_embd_r` of llama.cpp's hyper-parameters."""
    if layers <= 0:
        return ()
    state, inner = _number(header, f"{family}.ssm.state_size"), _number(header, f"{family}.ssm.inner_size")
    groups = _number(header, f"{family}.ssm.group_count")
    kept_inputs = max(0, _number(header, f"{family}.ssm.conv_kernel") - 1)
    values = state * inner + kept_inputs * (inner + 2 * groups * state)
    return (Attention(kind=AttentionKind.LINEAR, layers=layers, state_values=values),)


def _sliding(header: GgufHeader, family: str, *, layers: int, kv_heads: int, head_dim: int) -> tuple[Attention, ...]:
    """Full and sliding layers in turn, where the family is known to have them; () elsewhere."""
    window, period = _number(header, f"{family}.attention.sliding_window"), _FULL_EACH_SLIDING.get(family, 0)
    if not window or not period:
        return ()
    full = layers // period
    slides = Attention(
        kind=AttentionKind.SLIDING, layers=layers - full, kv_heads=kv_heads, head_dim=head_dim, window_tokens=window
    )
    return (*_full({kv_heads: full}, head_dim), *((slides,) if layers > full else ()))


def _number(header: GgufHeader, key: str) -> int:
    """The number under `key`, 0 where there is none; raises BadModelFile for an absurd one."""
    value = header.metadata.get(key, 0)
    if isinstance(value, tuple):
        value = max(value, default=0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _WINDOW_MAX:
        raise BadModelFile(f"{key} is {value!r:.80}, not a whole number from 0 to {_WINDOW_MAX}")
    return value
