"""What an engine keeps of the past of one request, by the kinds of attention a model has. Pure arithmetic.

Per token and layer: 2 (key and value) x KV heads x head size (Kwon et al., "Efficient Memory Management for LLM
Serving with PagedAttention", SOSP 2023; KV heads for grouped queries). Sliding layers keep their window; latent ones
(MLA) one vector of `latent_dim` (DeepSeek-V2, 2024, table 1); linear ones a state that does not grow.
"""

from dataclasses import dataclass
from typing import Final

from alliage.catalog.records import Architecture, Attention, AttentionKind

KV_VALUE_BYTES: Final = 2
"""Keys and values are kept in F16 or BF16, the default of llama.cpp and vLLM."""
STATE_VALUE_BYTES: Final = 4
"""States of linear layers are kept in F32 (`mamba_ssm_dtype` of Qwen3.5's config.json)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Entries of `entry_bytes`, one for each `tokens_per_entry` tokens, of the last `window_tokens` (0: of all)."""

    entry_bytes: int
    tokens_per_entry: int = 1
    window_tokens: int = 0

    def bytes_at(self, tokens: int) -> int:
        """Bytes once `tokens` have been seen."""
        kept = min(tokens, self.window_tokens) if self.window_tokens else tokens
        return self.entry_bytes * -(-kept // self.tokens_per_entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class KvCache:
    """What one request holds: what is kept of its tokens, and a state that is there from the first."""

    kept: tuple[Kept, ...]
    state_bytes: int = 0

    def bytes_at(self, tokens: int) -> int:
        """Bytes of a request of `tokens`, its state included."""
        return self.state_bytes + sum(part.bytes_at(tokens) for part in self.kept)

    def bytes_per_token(self, tokens: int) -> int:
        """How many bytes one token more adds to a request of `tokens`: full windows add none. Rounded up."""
        growing = (part for part in self.kept if not part.window_tokens or tokens < part.window_tokens)
        return sum(-(-part.entry_bytes // part.tokens_per_entry) for part in growing)


def kv_cache(architecture: Architecture, *, value_bytes: int = KV_VALUE_BYTES) -> KvCache:
    """The cache of one request; `value_bytes` is 1 for a cache in FP8."""
    groups = attention_groups(architecture)
    return KvCache(
        kept=tuple(part for group in groups for part in _kept(group, value_bytes)),
        state_bytes=sum(group.layers * group.state_values * STATE_VALUE_BYTES for group in groups),
    )


def kv_bytes_per_token(architecture: Architecture, context_tokens: int) -> int:
    """Bytes that one token more adds to a request that has `context_tokens`."""
    return kv_cache(architecture).bytes_per_token(context_tokens)


def attention_groups(architecture: Architecture) -> tuple[Attention, ...]:
    """The groups of layers; one of full attention where the architecture tells none."""
    plain = Attention(
        kind=AttentionKind.FULL,
        layers=architecture.layers,
        kv_heads=architecture.kv_heads,
        head_dim=architecture.head_dim,
    )
    return architecture.attention or (plain,)


def _kept(group: Attention, value_bytes: int) -> tuple[Kept, ...]:
    layer_bytes = group.layers * value_bytes
    match group.kind:
        case AttentionKind.LINEAR:
            return ()
        case AttentionKind.LATENT:
            return _latent(group, layer_bytes)
        case AttentionKind.FULL | AttentionKind.SLIDING:
            window = group.window_tokens if group.kind is AttentionKind.SLIDING else 0
            return (Kept(entry_bytes=2 * group.kv_heads * group.head_dim * layer_bytes, window_tokens=window),)


def _latent(group: Attention, layer_bytes: int) -> tuple[Kept, ...]:
    """Whole tokens of the window, where there is one, and entries of all tokens with the keys that find them."""
    parts: list[Kept] = []
    if group.window_tokens:
        parts.append(Kept(entry_bytes=group.latent_dim * layer_bytes, window_tokens=group.window_tokens))
    if group.tokens_per_entry:
        entry = (group.latent_dim + group.index_dim) * layer_bytes
        parts.append(Kept(entry_bytes=entry, tokens_per_entry=group.tokens_per_entry))
    return tuple(parts)
