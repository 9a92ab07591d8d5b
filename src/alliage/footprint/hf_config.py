"""What a Hugging Face folder's config.json says about its model: architecture, tasks and precision."""

from collections.abc import Mapping
from typing import Final

from alliage.catalog.records import Architecture, Attention, Task
from alliage.errors import BadModelFile
from alliage.footprint.attention import attention_of_config
from alliage.footprint.config_fields import Config, count_of, text_part
from alliage.footprint.counts import Counts, counts_of_config

PARAMETERS_MAX: Final = 10**14
_OFFSET_POSITIONS: Final = frozenset({"roberta", "xlm-roberta"})
_DTYPES: Final[Mapping[object, str]] = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_METHODS: Final[Mapping[object, str]] = {"fp8": "FP8", "mxfp4": "MXFP4"}
"""Quantisation methods that say how wide the weights are."""
_GENERATES: Final = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")


def architecture_of_config(config: Config, *, parameters: int = 0) -> Architecture:
    """The numbers that decide its memory and its work; raises BadModelFile naming the key for a missing or absurd one.

    `parameters` is the count of the weight files, where they were read; without it, and for quantised files (which hold
    packed numbers), the count is computed from the configuration (0 for families that `counts` does not know). For
    models of several parts the text part counts.
    """
    if not 0 <= parameters <= PARAMETERS_MAX:
        raise BadModelFile(f"it has {parameters} parameters, the limit is {PARAMETERS_MAX}")
    text = text_part(config)
    hidden = count_of(text, "hidden_size", "n_embd", "d_model")
    heads = count_of(text, "num_attention_heads", "n_head")
    attention = attention_of_config(text)
    counts = counts_of_config(text)
    if counts is not None and counts.parameters > PARAMETERS_MAX:
        raise BadModelFile(f"its numbers make {counts.parameters:.3g} parameters, the limit is {PARAMETERS_MAX}")
    if counts is not None and isinstance(config.get("quantization_config"), dict):
        parameters = 0
    return Architecture(
        family=_family(config),
        parameters=parameters or (counts.parameters if counts else 0),
        active_parameters=_active(parameters, counts),
        embedding_parameters=counts.embedding_parameters if counts else 0,
        experts=counts.experts if counts else 0,
        experts_used=counts.experts_used if counts else 0,
        attention=attention,
        layers=count_of(text, "num_hidden_layers", "n_layer"),
        hidden=hidden,
        heads=heads,
        kv_heads=count_of(text, "num_key_value_heads", default=heads),
        head_dim=_head_dim(text, attention, -(-hidden // heads)),
        vocabulary=count_of(text, "vocab_size"),
        context_tokens=_context(text),
    )


def tasks_of_config(config: Config) -> tuple[Task, ...]:
    """Chat for models that generate, embed for the rest (`BertModel` and the like)."""
    names = config.get("architectures")
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    generates = not known or any(name.endswith(_GENERATES) for name in known)
    return (Task.CHAT,) if generates else (Task.EMBED,)


def precision_of_config(config: Config) -> str:
    """`BF16` and the like, the method of a quantised model, or `unknown`."""
    quantised = config.get("quantization_config")
    if isinstance(quantised, dict):
        method = str(quantised.get("quant_method", "unknown"))[:40]
        return _METHODS.get(method, method)
    dtype = config.get("dtype", config.get("torch_dtype", text_part(config).get("dtype")))
    return _DTYPES.get(dtype, "unknown") if isinstance(dtype, str) else "unknown"


def _active(parameters: int, counts: Counts | None) -> int:
    """Those of the weight files less the experts that rest, 0 where it cannot be told."""
    if counts is None:
        return 0
    if not parameters:
        return counts.active_parameters
    return max(0, parameters - (counts.parameters - counts.active_parameters))


def _head_dim(text: Config, attention: tuple[Attention, ...], default: int) -> int:
    """That of the first layers with heads of their own, else as told."""
    told = next((group.head_dim for group in attention if group.head_dim), 0)
    return told or count_of(text, "head_dim", default=default)


def _context(text: Config) -> int:
    """Positions for tokens: RoBERTa's begin after those of the padding (`create_position_ids_from_input_ids`)."""
    positions = count_of(text, "max_position_embeddings", "n_positions")
    return max(1, positions - 2) if text.get("model_type") in _OFFSET_POSITIONS else positions


def _family(config: Config) -> str:
    family = config.get("model_type")
    if not isinstance(family, str) or not family or len(family) > 100:
        raise BadModelFile(f"model_type is {family!r:.120}, not the name of an architecture")
    return family
