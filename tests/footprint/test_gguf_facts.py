"""What a header says about its model."""

from pathlib import Path
from typing import Any

import pytest

from alliage.catalog.records import Architecture, Task
from alliage.errors import BadModelFile
from alliage.footprint.gguf import GgufHeader, Tensor, Value, read_gguf_header
from alliage.footprint.gguf_facts import architecture_of, precision_of, tasks_of, text_of
from alliage.footprint.gguf_types import TENSOR_TYPES
from tests.models import alphabet


def header(*, tensors: int = 1, **changes: Value | None) -> GgufHeader:
    """A header of family `f`; `changes` name keys with `__` for dots, None drops one."""
    metadata: dict[str, Value | None] = {
        "general.architecture": "f",
        "f.embedding_length": 64,
        "f.attention.head_count": 4,
        "f.block_count": 2,
        "f.context_length": 128,
        "f.vocab_size": 1000,
    }
    metadata.update({key.replace("__", "."): value for key, value in changes.items()})
    return GgufHeader(
        metadata={key: value for key, value in metadata.items() if value is not None},
        array_lengths={},
        tensors=tuple(
            Tensor(name=f"t{place}", shape=(256, 2), type=TENSOR_TYPES[12], offset=0) for place in range(tensors)
        ),
        data_offset=0,
    )


def test_the_test_model_is_described_exactly(tmp_path: Path) -> None:
    """All numbers are those it is built with, in both variants."""
    for embedding, task in ((False, Task.CHAT), (True, Task.EMBED)):
        path = tmp_path / f"{embedding}.gguf"
        alphabet.write_alphabet(path, name="The Name", context_tokens=512, embedding=embedding)
        read = read_gguf_header(path.read_bytes())
        assert architecture_of(read) == Architecture(
            family="qwen3",
            parameters=alphabet.PARAMETERS,
            active_parameters=alphabet.PARAMETERS,
            embedding_parameters=alphabet.VOCABULARY * alphabet.HIDDEN,
            layers=alphabet.LAYERS,
            hidden=alphabet.HIDDEN,
            heads=alphabet.HEADS,
            kv_heads=alphabet.KV_HEADS,
            head_dim=alphabet.HEAD_DIM,
            vocabulary=alphabet.VOCABULARY,
            context_tokens=512,
        )
        assert tasks_of(read) == (task,)
        assert precision_of(read) == "F32"
        assert text_of(read, "general.name") == "The Name"
        assert text_of(read, "general.license") == "Apache-2.0"


def test_what_is_not_told_follows_from_the_rest() -> None:
    """Without KV heads each head has its own; without a head size the hidden size is shared among heads."""
    architecture = architecture_of(header())
    assert (architecture.kv_heads, architecture.head_dim, architecture.vocabulary) == (4, 16, 1000)


def test_layers_and_heads_that_differ_are_bounded_from_above() -> None:
    """Of counts by layer the largest; of key and value sizes the mean, which keeps their sum."""
    changes: dict[str, Any] = {
        "f__attention__head_count_kv": (1, 0, 3),
        "f__attention__key_length": 192,
        "f__attention__value_length": 128,
    }
    architecture = architecture_of(header(**changes))
    assert (architecture.kv_heads, architecture.head_dim) == (3, 160)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"general__architecture": None}, "general.architecture is missing"),
        ({"general__type": "adapter"}, "a part of a model (adapter"),
        ({"general__architecture": "clip"}, "a part of a model"),
        ({"f__block_count": None}, "f.block_count is missing"),
        ({"f__block_count": 2**40}, "f.block_count is 1099511627776"),
        ({"f__block_count": -1}, "f.block_count is -1"),
        ({"f__block_count": True}, "f.block_count is True"),
        ({"f__block_count": 1.5}, "f.block_count is 1.5"),
        ({"f__attention__head_count": ()}, "f.attention.head_count is 0"),
        ({"f__vocab_size": "many"}, "f.vocab_size is 'many'"),
        ({"tensors": 0}, "only a vocabulary"),
    ],
)
def test_a_number_that_cannot_be_is_refused(changes: dict[str, Any], told: str) -> None:
    """The message names the key and the value."""
    with pytest.raises(BadModelFile) as caught:
        architecture_of(header(**changes))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "tasks"),
    [
        ({}, (Task.CHAT,)),
        ({"f__pooling_type": 0}, (Task.CHAT,)),
        ({"f__pooling_type": 3}, (Task.EMBED,)),
        ({"f__attention__causal": False}, (Task.EMBED,)),
        ({"general__architecture": "nomic-bert"}, (Task.EMBED,)),
    ],
)
def test_tasks_follow_from_pooling_attention_and_family(changes: dict[str, Any], tasks: tuple[Task, ...]) -> None:
    """What pools, sees both ways or is of an embedding family embeds; the rest chats."""
    assert tasks_of(header(**changes)) == tasks


def test_a_reranker_is_refused() -> None:
    """It neither chats nor embeds."""
    with pytest.raises(BadModelFile, match="reranker"):
        tasks_of(header(f__pooling_type=4))


def test_precision_is_what_the_file_says_or_what_most_bytes_are() -> None:
    """`Q4_K_M` where told; the tensors' own type where not told or not known."""
    assert precision_of(header(general__file_type=15)) == "Q4_K_M"
    assert precision_of(header(general__file_type=999)) == "Q4_K"
    assert precision_of(header()) == "Q4_K"
    assert precision_of(header(tensors=0)) == "unknown"


def test_texts_are_one_short_line() -> None:
    """Names and licences come from strangers: no line breaks, no novels."""
    assert text_of(header(general__name="a\nb\t c" + "x" * 500), "general.name") == ("a b c" + "x" * 500)[:200]
    assert text_of(header(general__name=7), "general.name") == ""
