"""What a model needs of memory, from its card and the engine's facts: weights, KV cache, and the engine beside them."""

from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Architecture, Engine, ModelCard, Task, WeightsFormat
from alliage.footprint.kv_cache import KvCache, kv_cache
from alliage.footprint.weight_bytes import weight_bytes

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
    kv: KvCache
    """Of one request."""
    overhead_bytes: int

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes that the first token adds; once windows are full a token adds less (`kv_bytes` tells the sum)."""
        return self.kv.bytes_per_token(0)


def footprint(card: ModelCard, engine: Engine) -> Footprint:
    """The footprint of `card` on `engine`, over all devices it may be spread on; the overhead is of each device."""
    return _footprint(card, engine, weight_file_bytes(card))


def footprint_in(card: ModelCard, engine: Engine, precision: str) -> Footprint | None:
    """The same of a copy of its weights in `precision`; None where the size of such a copy is not known."""
    if precision == card.precision:
        return footprint(card, engine)
    weights = weight_bytes(card.architecture, precision)
    return None if weights is None else _footprint(card, engine, weights)


def kv_bytes(footprint: Footprint, *, context_tokens: int, concurrency: int) -> int:
    """Bytes of the KV cache in which each of `concurrency` requests may hold `context_tokens`, states included."""
    return footprint.kv.bytes_at(context_tokens) * concurrency


def memory_bytes(footprint: Footprint, *, context_tokens: int, concurrency: int) -> int:
    """Bytes of one replica in which each of `concurrency` requests may hold `context_tokens`."""
    cache = kv_bytes(footprint, context_tokens=context_tokens, concurrency=concurrency)
    return footprint.weight_bytes + cache + footprint.overhead_bytes


def activation_bytes(architecture: Architecture, batch_tokens: int) -> int:
    """What one step over `batch_tokens` holds beside weights and cache (four F32 vectors a token, see above)."""
    return batch_tokens * architecture.hidden * ACTIVATION_BYTES


def _footprint(card: ModelCard, engine: Engine, weights: int) -> Footprint:
    return Footprint(
        weight_bytes=weights,
        kv=kv_cache(card.architecture),
        overhead_bytes=engine.overhead_bytes + _working_bytes(card, engine),
    )


def weight_file_bytes(card: ModelCard) -> int:
    """The files that hold tensors; without files the width of the precision, and where no size is told 2 bytes each."""
    if not card.weights.files:
        told = weight_bytes(card.architecture, card.precision)
        return 2 * card.architecture.parameters if told is None else told
    suffix = _SUFFIXES[card.weights.format]
    sizes = [file.size_bytes for file in card.weights.files if file.path.lower().endswith(suffix)]
    known = sum(size for size in sizes if size is not None)
    return known if sizes and None not in sizes else max(known, 2 * card.architecture.parameters)


def _working_bytes(card: ModelCard, engine: Engine) -> int:
    architecture = card.architecture
    batch_tokens = BATCH_TOKENS
    if Task.EMBED in card.tasks:
        batch_tokens = max(batch_tokens, min(architecture.context_tokens, engine.context_tokens_max))
    return activation_bytes(architecture, batch_tokens) + architecture.vocabulary * TOKENIZER_BYTES
