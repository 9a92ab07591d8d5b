"""Reading config.json of Hugging Face folders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.records import Architecture, Task
from alliage.errors import BadModelFile
from alliage.footprint.hf_config import architecture_of_config, precision_of_config, tasks_of_config

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 576,
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


def test_a_usual_configuration_is_read() -> None:
    """SmolLM2's numbers, as its GGUF file has them too."""
    assert architecture_of_config(LLAMA, parameters=7) == Architecture(
        family="llama",
        parameters=7,
        layers=30,
        hidden=576,
        heads=9,
        kv_heads=3,
        head_dim=64,
        vocabulary=49152,
        context_tokens=8192,
    )
    assert tasks_of_config(LLAMA) == (Task.CHAT,)
    assert precision_of_config(LLAMA) == "BF16"


def test_older_names_and_parts_are_understood() -> None:
    """GPT-2 calls its numbers otherwise; a model of several parts has them in `text_config`."""
    gpt2 = {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "vocab_size": 50257, "n_positions": 1024}
    assert architecture_of_config(gpt2).head_dim == 64
    assert architecture_of_config({"model_type": "vision", "text_config": LLAMA}).layers == 30
    assert architecture_of_config({**LLAMA, "num_key_value_heads": None}).kv_heads == 9


def test_what_does_not_generate_embeds() -> None:
    """A bare encoder has no head for text."""
    assert tasks_of_config({"architectures": ["BertModel"]}) == (Task.EMBED,)


def test_precision_names_a_quantised_model_by_its_method() -> None:
    """And what is not told is unknown."""
    assert precision_of_config({"quantization_config": {"quant_method": "awq"}}) == "awq"
    assert precision_of_config({"dtype": "int3"}) == "unknown"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": None}, "model_type is None"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"num_hidden_layers": "30"}, "num_hidden_layers is '30'"),
        ({"num_hidden_layers": 2**50}, "num_hidden_layers is"),
        ({"vocab_size": True}, "vocab_size is True"),
        ({"max_position_embeddings": -1}, "max_position_embeddings is -1"),
    ],
)
def test_absurd_numbers_are_refused_by_name(changes: dict[str, object], told: str) -> None:
    """The message names the key and the value."""
    with pytest.raises(BadModelFile) as caught:
        architecture_of_config({**LLAMA, **changes})
    assert told in str(caught.value)


@given(st.dictionaries(st.sampled_from([*LLAMA, "text_config", "head_dim", "quantization_config"]), JSON))
def test_any_configuration_is_read_or_refused(config: dict[str, object]) -> None:
    """Nothing but BadModelFile comes out, whatever JSON it holds."""
    tasks_of_config(config)
    precision_of_config(config)
    try:
        architecture_of_config(config)
    except BadModelFile:
        return
