"""How many numbers a model has, in all and for one token, computed from its config.json. No reading of weights.

Shapes: the model classes of Transformers for each family. Layers for speculative decoding (multi-token prediction)
and vision parts are not counted. Active: all parameters but those of the routed experts that one token does not use.
"""

from dataclasses import dataclass

from alliage.footprint.config_fields import Config, count_of, count_or_none, flag_of, numbers_of, words_of
from alliage.footprint.encoder_counts import ENCODERS, count_encoder
from alliage.footprint.families import FAMILIES, Family
from alliage.footprint.layer_counts import attention_parameters, gated_parameters, linear_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`active_parameters` work on one token; `embedding_parameters` is the input embedding, 0 when it is the head too."""

    parameters: int
    active_parameters: int
    embedding_parameters: int
    experts: int
    experts_used: int


def counts_of_config(text: Config) -> Counts | None:
    """The counts of a language part; None for a family that is not known or a configuration that leaves numbers out.

    Raises BadModelFile naming the key for an absurd number. Held against published counts in the tests.
    """
    name = text.get("model_type")
    if name in ENCODERS:
        return _encoder(text)
    family = FAMILIES.get(name) if isinstance(name, str) else None
    experts = count_or_none(text, "num_experts", "num_local_experts", "n_routed_experts", least=0) or 0
    if family is None or (text.get("intermediate_size") is None and not experts):
        return None
    used = count_of(text, "num_experts_per_tok", "experts_per_token") if experts else 0
    used = min(used, experts)
    sparse = _sparse_layers(text) if experts else 0
    expert = _expert(text, family) if experts else 0
    embedding = count_of(text, "vocab_size") * count_of(text, "hidden_size")
    tied = flag_of(text, "tie_word_embeddings", default=family.tied)
    parameters = (
        embedding * (1 if tied else 2)
        + _mixers(text, family)
        + _dense_layers(text, sparse)
        + sparse * (experts * expert + _beside_experts(text, family, experts))
        + _streams(text)
    )
    return Counts(
        parameters=parameters,
        active_parameters=parameters - sparse * (experts - used) * expert,
        embedding_parameters=0 if tied else embedding,
        experts=experts,
        experts_used=used,
    )


def _encoder(text: Config) -> Counts | None:
    parameters = count_encoder(text)
    if parameters is None:
        return None
    embedding = count_of(text, "vocab_size") * count_of(text, "hidden_size", "n_embd")
    return Counts(
        parameters=parameters,
        active_parameters=parameters,
        embedding_parameters=embedding,
        experts=0,
        experts_used=0,
    )


def _mixers(text: Config, family: Family) -> int:
    """All attention and the norms, in every layer and at the end."""
    layers, hidden = count_of(text, "num_hidden_layers"), count_of(text, "hidden_size")
    linear = _linear_layers(text, layers)
    mixers = (layers - linear) * attention_parameters(text, family, layers)
    if linear:
        mixers += linear * linear_parameters(text)
    return mixers + (2 * layers + 1) * hidden


def _linear_layers(text: Config, layers: int) -> int:
    if text.get("linear_num_value_heads") is None:
        return 0
    if words := words_of(text, "layer_types"):
        return min(layers, words.count("linear_attention"))
    interval = count_or_none(text, "full_attention_interval")
    return layers - layers // interval if interval else 0


def _sparse_layers(text: Config) -> int:
    """How many layers have experts; the others are dense."""
    layers = count_of(text, "num_hidden_layers")
    if words := words_of(text, "mlp_layer_types"):
        return min(layers, words.count("sparse"))
    dense_first = count_or_none(text, "first_k_dense_replace", least=0)
    if dense_first is not None:
        return max(0, layers - dense_first)
    step = count_or_none(text, "decoder_sparse_step") or 1
    dense = {layer for layer in numbers_of(text, "mlp_only_layers") if layer < layers and (layer + 1) % step == 0}
    return layers // step - len(dense)


def _dense_layers(text: Config, sparse: int) -> int:
    dense = count_of(text, "num_hidden_layers") - sparse
    return dense * gated_parameters(text, count_of(text, "intermediate_size")) if dense else 0


def _expert(text: Config, family: Family) -> int:
    """One routed expert of one layer."""
    inner = count_of(text, "moe_intermediate_size", "intermediate_size")
    biases = 2 * inner + count_of(text, "hidden_size") if family.expert_bias else 0
    return gated_parameters(text, inner) + biases


def _beside_experts(text: Config, family: Family, experts: int) -> int:
    """The router of one layer, and its experts that every token uses."""
    hidden = count_of(text, "hidden_size")
    router = experts * (hidden + (1 if family.router_bias else 0))
    if shared := count_or_none(text, "shared_expert_intermediate_size", least=0):
        return router + gated_parameters(text, shared) + hidden
    shared = count_or_none(text, "n_shared_experts", least=0) or 0
    return router + shared * gated_parameters(text, count_of(text, "moe_intermediate_size", "intermediate_size"))


def _streams(text: Config) -> int:
    """Hyper-connections (DeepSeek-V4): two mixings a layer over `hc_mult` residual streams, and one at the head."""
    streams = count_or_none(text, "hc_mult")
    if streams is None:
        return 0
    width = streams * count_of(text, "hidden_size")
    mixing = (2 + streams) * streams
    return 2 * count_of(text, "num_hidden_layers") * (mixing * width + mixing + 3) + streams * width
