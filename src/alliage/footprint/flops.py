"""Floating-point operations a token, for prefill and decode. Pure arithmetic.

Every parameter that works on a token costs a multiplication and an addition (Kaplan et al., "Scaling Laws for Neural
Language Models", 2020, section 2.1). Attention adds 4 x heads x head size for each token attended to, in each layer
(Chowdhery et al., "PaLM", 2022, appendix B, forward pass alone). The input embedding is looked up and costs nothing.
"""

from typing import Final

from alliage.catalog.records import Architecture, Attention, AttentionKind
from alliage.footprint.kv_cache import attention_groups

LINEAR_PER_STATE_VALUE: Final = 7
"""Gated DeltaNet (Yang et al., 2024, equation 10): decay 1, read by the key 2, write 2, read by the query 2."""


def decode_flops_per_token(architecture: Architecture, context_tokens: int) -> int:
    """Of one new token that attends to `context_tokens`; 0 where the parameters are not known.

    Latent layers are taken as they are served: queries meet the cached vectors themselves, never the keys and values
    made from them (DeepSeek-V2, 2024, section 2.1.2).
    """
    return _weights(architecture) + _attending(architecture, context_tokens, absorbed=True)


def prefill_flops_per_token(architecture: Architecture, prompt_tokens: int) -> int:
    """The mean over the tokens of a prompt, each of which attends to itself and those before it.

    The head is counted for every token, and engines apply it to the last alone: an upper bound.
    """
    return _weights(architecture) + _attending(architecture, (prompt_tokens + 1) // 2, absorbed=False)


def _weights(architecture: Architecture) -> int:
    """Two for each parameter that works on the token."""
    active = architecture.active_parameters or (0 if architecture.experts else architecture.parameters)
    return 2 * max(0, active - architecture.embedding_parameters)


def _attending(architecture: Architecture, tokens: int, *, absorbed: bool) -> int:
    groups = attention_groups(architecture)
    if not _weights(architecture):
        return 0
    return sum(group.layers * _layer(group, architecture.heads, tokens, absorbed=absorbed) for group in groups)


def _layer(group: Attention, heads: int, tokens: int, *, absorbed: bool) -> int:
    match group.kind:
        case AttentionKind.LINEAR:
            return LINEAR_PER_STATE_VALUE * group.state_values
        case AttentionKind.FULL:
            return 4 * heads * group.head_dim * tokens
        case AttentionKind.SLIDING:
            return 4 * heads * group.head_dim * min(tokens, group.window_tokens)
        case AttentionKind.LATENT:
            dim = group.latent_dim if absorbed else group.head_dim
            return 4 * heads * dim * _entries(group, tokens) + _choosing(group, tokens)


def _entries(group: Attention, tokens: int) -> int:
    """How many cached vectors a token of a latent layer attends to."""
    far = tokens // group.tokens_per_entry if group.tokens_per_entry else 0
    return min(tokens, group.window_tokens) + (min(far, group.attended_tokens) if group.attended_tokens else far)


def _choosing(group: Attention, tokens: int) -> int:
    """The indexer looks at every entry (DeepSeek-V3.2)."""
    return 2 * group.index_heads * group.index_dim * (tokens // group.tokens_per_entry if group.tokens_per_entry else 0)
