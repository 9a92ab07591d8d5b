"""What a GGUF header says about its model: architecture, tasks, precision, name and licence."""

from collections import Counter
from typing import Final

from alliage.catalog.records import Architecture, Task
from alliage.errors import BadModelFile
from alliage.footprint.gguf import GgufHeader
from alliage.footprint.gguf_layers import (
    attention_of_header,
    embedding_parameters,
    expert_counts,
    resting_parameters,
)
from alliage.footprint.gguf_types import FILE_TYPES

EMBEDDING_FAMILIES: Final = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "llama-embed",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)
"""Architectures that only embed, as llama.cpp calls them."""
COUNT_MAX: Final = 2**31
_POOLING_NONE: Final = 0
_POOLING_RANK: Final = 4


def architecture_of(header: GgufHeader) -> Architecture:
    """The numbers that decide its memory; raises BadModelFile for what is no whole model, or for a missing number.

    Where layers differ in their heads, `kv_heads` is the largest and `attention` has each. `head_dim` is the mean of
    key and value where they differ.
    """
    family = _family(header)
    hidden = _count(header, f"{family}.embedding_length")
    heads = _count(header, f"{family}.attention.head_count")
    key_dim = _count(header, f"{family}.attention.key_length", default=-(-hidden // heads))
    value_dim = _count(header, f"{family}.attention.value_length", default=-(-hidden // heads))
    kv_heads = _count(header, f"{family}.attention.head_count_kv", default=heads)
    layers, head_dim = _count(header, f"{family}.block_count"), -(-(key_dim + value_dim) // 2)
    experts = expert_counts(header, family)
    return Architecture(
        family=family,
        parameters=header.parameters,
        active_parameters=header.parameters - resting_parameters(header, *experts),
        embedding_parameters=embedding_parameters(header),
        experts=experts[0],
        experts_used=experts[1],
        attention=attention_of_header(header, family, layers=layers, kv_heads=kv_heads, head_dim=head_dim),
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=_vocabulary(header, family),
        context_tokens=_count(header, f"{family}.context_length"),
    )


def tasks_of(header: GgufHeader) -> tuple[Task, ...]:
    """Embed for models that pool or see both ways, chat for the rest; raises BadModelFile for rerankers."""
    family = _family(header)
    pooling = header.metadata.get(f"{family}.pooling_type", _POOLING_NONE)
    if pooling == _POOLING_RANK:
        raise BadModelFile("it is a reranker; models that chat or embed are served")
    causal = header.metadata.get(f"{family}.attention.causal", True)
    embeds = pooling != _POOLING_NONE or causal is False or family in EMBEDDING_FAMILIES
    return (Task.EMBED,) if embeds else (Task.CHAT,)


def precision_of(header: GgufHeader) -> str:
    """What the file says it is (`Q4_K_M`), or else the type that most of its bytes have."""
    told = header.metadata.get("general.file_type")
    if isinstance(told, int) and told in FILE_TYPES:
        return FILE_TYPES[told]
    sizes: Counter[str] = Counter()
    for tensor in header.tensors:
        sizes[tensor.type.name] += tensor.size_bytes
    return sizes.most_common(1)[0][0] if sizes else "unknown"


def text_of(header: GgufHeader, key: str) -> str:
    """The text under `key` on one line of at most 200 characters, "" where there is none."""
    value = header.metadata.get(key)
    return " ".join(value.split())[:200] if isinstance(value, str) else ""


def _family(header: GgufHeader) -> str:
    family = header.metadata.get("general.architecture")
    if not isinstance(family, str) or not family:
        raise BadModelFile("general.architecture is missing, so it is no model")
    kind = header.metadata.get("general.type", "model")
    if kind != "model" or family == "clip":
        raise BadModelFile(f"it is a part of a model ({kind} of the architecture {family!r}), not a whole one")
    if not header.tensors:
        raise BadModelFile("it has no tensors, only a vocabulary")
    return family


def _vocabulary(header: GgufHeader, family: str) -> int:
    tokens = header.array_lengths.get("tokenizer.ggml.tokens", 0)
    return tokens or _count(header, f"{family}.vocab_size")


def _count(header: GgufHeader, key: str, *, default: int | None = None) -> int:
    value = header.metadata.get(key, default)
    if isinstance(value, tuple):
        value = max(value, default=0)
    if value is None:
        raise BadModelFile(f"{key} is missing")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= COUNT_MAX:
        raise BadModelFile(f"{key} is {value!r}, not a whole number from 1 to {COUNT_MAX}")
    return value
