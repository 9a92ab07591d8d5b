"""Writes the alphabet (see alphabet.py) as a Hugging Face folder: the same numbers under Qwen3's names there."""

import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.models import alphabet
from tests.models.alphabet import CONTROLS, TEMPLATE, bytes_as_text, layer_shapes, successor_matrices

_NAMES: Final = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
}
_SPLIT: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2's, as llama.cpp's `qwen2`."""


def write_alphabet_folder(folder: Path, *, context_tokens: int = 4096) -> None:
    """Write config, tokenizer and tensors to `folder`, which is made."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(_config(context_tokens), indent=1))
    (folder / "generation_config.json").write_text("{}")
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer()))
    (folder / "tokenizer_config.json").write_text(json.dumps(_tokenizer_config(context_tokens)))
    (folder / "model.safetensors").write_bytes(_safetensors(_tensors()))


def _config(context_tokens: int) -> dict[str, object]:
    end = 256 + CONTROLS.index("<|im_end|>")
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": alphabet.HIDDEN,
        "intermediate_size": alphabet.FEED_FORWARD,
        "num_hidden_layers": alphabet.LAYERS,
        "num_attention_heads": alphabet.HEADS,
        "num_key_value_heads": alphabet.KV_HEADS,
        "head_dim": alphabet.HEAD_DIM,
        "vocab_size": alphabet.VOCABULARY,
        "max_position_embeddings": context_tokens,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "hidden_act": "silu",
        "attention_bias": False,
        "tie_word_embeddings": False,
        "eos_token_id": end,
        "pad_token_id": 256,
        "torch_dtype": "float32",
    }


def _tokenizer() -> dict[str, object]:
    texts = bytes_as_text()
    added = [
        {"id": 256 + place, "content": text, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for place, text in enumerate(CONTROLS)
    ]
    split = {"type": "Split", "pattern": {"Regex": _SPLIT}, "behavior": "Isolated", "invert": False}
    as_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, as_bytes]},
        "decoder": as_bytes,
        "model": {"type": "BPE", "vocab": {text: place for place, text in enumerate(texts)}, "merges": []},
    }


def _tokenizer_config(context_tokens: int) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context_tokens,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }


def _tensors() -> dict[str, NDArray[np.float32]]:
    embeddings, head = successor_matrices()
    tensors = {
        "model.embed_tokens.weight": embeddings,
        "lm_head.weight": head,
        "model.norm.weight": np.ones(alphabet.HIDDEN, np.float32),
    }
    for layer in range(alphabet.LAYERS):
        for name, shape in layer_shapes().items():
            fill = np.ones if name.endswith("_norm") else np.zeros
            tensors[f"model.layers.{layer}.{_NAMES[name]}.weight"] = fill(shape, np.float32)
    return tensors


def _safetensors(tensors: dict[str, NDArray[np.float32]]) -> bytes:
    """The format: the header's length as 8 bytes, the header as JSON, the tensors one after the other."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(tensor.tobytes() for tensor in tensors.values())
