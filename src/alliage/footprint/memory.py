"""What a model needs of memory, from its card and the engine's facts: weights, KV cache, and the engine beside them.

KV cache (per token): 2 (key and value) x layers x KV heads x head size x 2 bytes (F16), as in Kwon et al., "Efficient
Memory Management for LLM Serving with PagedAttention" (SOSP 2023), with KV heads for grouped queries. An upper bound
for models that keep less of it (sliding windows, latent attention).
"""

from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Engine, ModelCard, Task, WeightsFormat

KV_VALUE_BYTES: Final = 2
"""Keys and values are kept in F16, the default of llama.cpp and vLLM."""
BATCH_TOKENS: Final = 512
"""Tokens an engine works on in one step (llama.cpp's `n_ubatch`); a model that embeds takes its whole text in one."""
ACTIVATION_BYTES: Final = 16
"""Per token of a step and unit of `hidden`: four F32 vectors."""
TOKENIZER_BYTES: Final = 512
"""Per entry of the vocabulary: its text, merges and their hash tables."""

# Both were fitted to llama.cpp's server (xllamacpp 2026.10.11549, x86-64, 2026-11-21): resident memory less weights and KV
# cache was 35, 71, 122, 66 and 75 MiB for (hidden, vocabulary) = (64, 259), (576, 49152), (1024, 151936), (2048, 32000)
# and (4096, 8000); with an engine of 48 MiB this module says 49, 77, 130, 80 and 84.

_SUFFIXES: Final = {WeightsFormat.GGUF: ".gguf", WeightsFormat.SAFETENSORS: ".safetensors"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes of a model on an engine. `overhead_bytes` is what a running engine holds beside weights and KV cache."""

    weight_bytes: int
    kv_bytes_per_token: int
    overhead_bytes: int


def footprint(card: ModelCard, engine: Engine) -> Footprint:
    """The footprint of `card` on `engine`, over all devices it may be spread on."""
    architecture = card.architecture
    kv_values = 2 * architecture.layers * architecture.kv_heads * architecture.head_dim
    return Footprint(
        weight_bytes=_weight_bytes(card),
        kv_bytes_per_token=kv_values * KV_VALUE_BYTES,
        overhead_bytes=engine.overhead_bytes + _working_bytes(card, engine),
    )


def memory_bytes(footprint: Footprint, *, context_tokens: int, concurrency: int) -> int:
    """Bytes of one replica in which each of `concurrency` requests may hold `context_tokens`."""
    kv_bytes = footprint.kv_bytes_per_token * context_tokens * concurrency
    return footprint.weight_bytes + kv_bytes + footprint.overhead_bytes


def _weight_bytes(card: ModelCard) -> int:
    """The files that hold tensors; where a source tells no size, two bytes a parameter."""
    suffix = _SUFFIXES[card.weights.format]
    sizes = [file.size_bytes for file in card.weights.files if file.path.lower().endswith(suffix)]
    known = sum(size for size in sizes if size is not None)
    return known if sizes and None not in sizes else max(known, 2 * card.architecture.parameters)


def _working_bytes(card: ModelCard, engine: Engine) -> int:
    architecture = card.architecture
    batch_tokens = BATCH_TOKENS
    if Task.EMBED in card.tasks:
        batch_tokens = max(batch_tokens, min(architecture.context_tokens, engine.context_tokens_max))
    activations = batch_tokens * architecture.hidden * ACTIVATION_BYTES
    return activations + architecture.vocabulary * TOKENIZER_BYTES
