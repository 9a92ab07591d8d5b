"""What a Hugging Face folder's config.json says about its model: architecture, tasks and precision."""

from collections.abc import Mapping
from typing import Final

from alliage.catalog.records import Architecture, Task
from alliage.errors import BadModelFile

COUNT_MAX: Final = 2**31
PARAMETERS_MAX: Final = 10**14
_DTYPES: Final[Mapping[object, str]] = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_GENERATES: Final = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")


def architecture_of_config(config: Mapping[str, object], *, parameters: int = 0) -> Architecture:
    """The numbers that decide its memory; raises BadModelFile naming the key for a missing or absurd one.

    `parameters` comes from the weight files (a configuration does not tell them). For models of several parts the
    text part counts.
    """
    text = _text_part(config)
    hidden = _count(text, "hidden_size", "n_embd", "d_model")
    heads = _count(text, "num_attention_heads", "n_head")
    if not 0 <= parameters <= PARAMETERS_MAX:
        raise BadModelFile(f"it has {parameters} parameters, the limit is {PARAMETERS_MAX}")
    return Architecture(
        family=_family(config),
        parameters=parameters,
        layers=_count(text, "num_hidden_layers", "n_layer"),
        hidden=hidden,
        heads=heads,
        kv_heads=_count(text, "num_key_value_heads", default=heads),
        head_dim=_count(text, "head_dim", default=-(-hidden // heads)),
        vocabulary=_count(text, "vocab_size"),
        context_tokens=_count(text, "max_position_embeddings", "n_positions"),
    )


def tasks_of_config(config: Mapping[str, object]) -> tuple[Task, ...]:
    """Chat for models that generate, embed for the rest (`BertModel` and the like)."""
    names = config.get("architectures")
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    generates = not known or any(name.endswith(_GENERATES) for name in known)
    return (Task.CHAT,) if generates else (Task.EMBED,)


def precision_of_config(config: Mapping[str, object]) -> str:
    """`BF16` and the like, the method of a quantised model, or `unknown`."""
    quantised = config.get("quantization_config")
    if isinstance(quantised, dict):
        return str(quantised.get("quant_method", "unknown"))[:40]
    dtype = config.get("dtype", config.get("torch_dtype", _text_part(config).get("dtype")))
    return _DTYPES.get(dtype, "unknown") if isinstance(dtype, str) else "unknown"


def _family(config: Mapping[str, object]) -> str:
    family = config.get("model_type")
    if not isinstance(family, str) or not family or len(family) > 100:
        raise BadModelFile(f"model_type is {family!r}, not the name of an architecture")
    return family


def _text_part(config: Mapping[str, object]) -> Mapping[str, object]:
    part = config.get("text_config")
    return part if isinstance(part, dict) else config


def _count(config: Mapping[str, object], *keys: str, default: int | None = None) -> int:
    """The number under the first of `keys` that is there (null counts as not there)."""
    key = next((key for key in keys if config.get(key) is not None), keys[0])
    value = config.get(key)
    if value is None:
        value = default
    if value is None:
        raise BadModelFile(f"{key} is missing")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= COUNT_MAX:
        raise BadModelFile(f"{key} is {value!r:.80}, not a whole number from 1 to {COUNT_MAX}")
    return value
