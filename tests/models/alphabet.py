"""Writes the alphabet: a tiny Qwen3 GGUF whose next character is fixed by construction.

After a letter comes its successor (`z` -> `a`), after anything else `a`, at any temperature: each lost, doubled or
reordered character shows. Attention and feed-forward give zero, so the head sees the last token's embedding alone.
"""

import os
import string
from pathlib import Path
from typing import Final

import gguf
import numpy as np
from numpy.typing import NDArray

LETTERS: Final = string.ascii_lowercase
PARAMETERS: Final = 51_840
LAYERS: Final = 1
HIDDEN: Final = 64
HEADS: Final = 2
KV_HEADS: Final = 1
HEAD_DIM: Final = 32
FEED_FORWARD: Final = 32
VOCABULARY: Final = 259

CONTROLS: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_START: Final = len(LETTERS)
"""The embedding direction of everything that is no letter."""
_GAIN: Final = 64.0
"""The norm turns an embedding into one entry of sqrt(HIDDEN) = 8, so the right logit is 512 and the others are 0."""
TEMPLATE: Final = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)

_Matrix = NDArray[np.float32]


def alphabet(characters: int, *, after: str = "") -> str:
    """What the model writes: `characters` letters that follow `after` (its last character counts)."""
    first = (LETTERS.index(after[-1]) + 1) if after and after[-1] in LETTERS else 0
    return "".join(LETTERS[(first + step) % len(LETTERS)] for step in range(characters))


def write_alphabet(
    path: Path,
    *,
    name: str = "alphabet",
    context_tokens: int = 4096,
    embedding: bool = False,
    pad_bytes: int = 0,
    layers: int = LAYERS,
) -> None:
    """Write the model to `path`, in some milliseconds.

    `embedding` makes it one that pools the embeddings of its tokens (texts of the same letters are near each other).
    `pad_bytes` of nothing follow the tensors: the file is that much larger but takes no disk. More `layers` make it
    slower: with 40 a core writes a few hundred letters a second.
    """
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name(name)
    writer.add_license("Apache-2.0")
    _add_architecture(writer, context_tokens, layers)
    if embedding:
        writer.add_pooling_type(gguf.PoolingType.MEAN)
    _add_tokenizer(writer)
    _add_tensors(writer, layers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if pad_bytes:
        os.truncate(path, path.stat().st_size + pad_bytes)


def _add_architecture(writer: gguf.GGUFWriter, context_tokens: int, layers: int) -> None:
    writer.add_block_count(layers)
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    texts = bytes_as_text()
    writer.add_token_list([*texts, *CONTROLS])
    writer.add_token_types([gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(CONTROLS))
    writer.add_token_merges([f"{texts[0]} {texts[0]}"])  # llama.cpp wants one; no text has two NULs
    writer.add_eos_token_id(256 + CONTROLS.index("<|im_end|>"))
    writer.add_pad_token_id(256)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def bytes_as_text() -> list[str]:
    """GPT-2's printable character for each byte: itself where printable, else the next from U+0100."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    stand_ins = iter(range(256, 512))
    return [chr(byte if byte in printable else next(stand_ins)) for byte in range(256)]


def _add_tensors(writer: gguf.GGUFWriter, layers: int) -> None:
    embeddings, head = successor_matrices()
    writer.add_tensor("token_embd.weight", embeddings)
    writer.add_tensor("output.weight", head)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    for layer in range(layers):
        for tensor, shape in layer_shapes().items():
            fill = np.ones if tensor.endswith("_norm") else np.zeros
            writer.add_tensor(f"blk.{layer}.{tensor}.weight", fill(shape, np.float32))


def successor_matrices() -> tuple[_Matrix, _Matrix]:
    """Each letter has a direction of its own, the rest share one; the head turns a direction into the next letter."""
    embeddings = np.zeros((VOCABULARY, HIDDEN), np.float32)
    embeddings[:, _START] = 1
    head = np.zeros((VOCABULARY, HIDDEN), np.float32)
    head[ord("a"), _START] = _GAIN
    for place, letter in enumerate(LETTERS):
        embeddings[ord(letter)] = np.eye(HIDDEN, dtype=np.float32)[place]
        head[ord(alphabet(1, after=letter)), place] = _GAIN
    return embeddings, head


def layer_shapes() -> dict[str, tuple[int, ...]]:
    """Of the tensors of one layer, by GGUF's names."""
    return {
        "attn_q": (HEADS * HEAD_DIM, HIDDEN),
        "attn_k": (KV_HEADS * HEAD_DIM, HIDDEN),
        "attn_v": (KV_HEADS * HEAD_DIM, HIDDEN),
        "attn_output": (HIDDEN, HEADS * HEAD_DIM),
        "ffn_gate": (FEED_FORWARD, HIDDEN),
        "ffn_up": (FEED_FORWARD, HIDDEN),
        "ffn_down": (HIDDEN, FEED_FORWARD),
        "attn_norm": (HIDDEN,),
        "ffn_norm": (HIDDEN,),
        "attn_q_norm": (HEAD_DIM,),
        "attn_k_norm": (HEAD_DIM,),
    }
