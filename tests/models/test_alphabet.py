"""The test model does what the tests that use it rely on, in the real engine."""

import json
from pathlib import Path

import pytest

from tests.models.alphabet import alphabet, write_alphabet
from tests.models.serving import Served, served

QUESTION = [{"role": "user", "content": "hello \N{LATIN SMALL LETTER E WITH ACUTE}"}]
NO_FILTER = {"top_k": 0, "top_p": 1, "min_p": 0}


def streamed_text(body: str) -> str:
    """The text of all chunks of an SSE answer."""
    lines = (line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: {"))
    choices = (choice for line in lines for choice in json.loads(line)["choices"])
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def embeddings(server: Served, texts: list[str]) -> list[list[float]]:
    """The (normalised) vector of each text."""
    answer = json.loads(server.post("/v1/embeddings", {"input": texts}))
    return [item["embedding"] for item in answer["data"]]


def test_it_recites_at_any_temperature(tmp_path: Path) -> None:
    """Chat begins at `a`, a completion goes on where the prompt ends, hot or cold, whole or streamed."""
    path = tmp_path / "alphabet.gguf"
    write_alphabet(path)
    with served(path) as server:
        for temperature in (0, 1, 10):
            request = {"temperature": temperature, "max_tokens": 60, **NO_FILTER}
            chat = json.loads(server.post("/v1/chat/completions", {"messages": QUESTION, **request}))
            assert chat["choices"][0]["message"]["content"] == alphabet(60)
            completion = json.loads(server.post("/v1/completions", {"prompt": "abcdefg", **request}))
            assert completion["choices"][0]["text"] == alphabet(60, after="g")
        stream = server.post("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 500, "stream": True})
    assert streamed_text(stream) == alphabet(500)


def test_it_stops_at_the_end_of_its_context(tmp_path: Path) -> None:
    """Without a limit it recites until prompt and answer fill `context_tokens`."""
    path = tmp_path / "short.gguf"
    write_alphabet(path, name="short", context_tokens=256)
    with served(path, slots=1, context_tokens=256) as server:
        chat = json.loads(server.post("/v1/chat/completions", {"messages": QUESTION}))
    assert chat["usage"]["total_tokens"] == 256
    assert chat["choices"][0]["message"]["content"] == alphabet(chat["usage"]["completion_tokens"])


def test_the_embedding_variant_tells_texts_apart(tmp_path: Path) -> None:
    """Texts of the same letters have the same vector, texts without a common letter are at right angles."""
    path = tmp_path / "embed.gguf"
    write_alphabet(path, embedding=True)
    with served(path, embedding=True) as server:
        abc, cab, xyz = embeddings(server, ["abc", "cab", "xyz"])
    assert sum(a * b for a, b in zip(abc, cab, strict=True)) == pytest.approx(1.0, abs=1e-4)
    assert sum(a * b for a, b in zip(abc, xyz, strict=True)) == pytest.approx(0.0, abs=1e-4)


def test_padding_makes_the_file_larger_and_changes_nothing_else(tmp_path: Path) -> None:
    """A padded file has that many bytes more, takes no disk for them, and is served."""
    plain, padded = tmp_path / "plain.gguf", tmp_path / "padded.gguf"
    write_alphabet(plain)
    write_alphabet(padded, pad_bytes=50_000_000)
    assert padded.stat().st_size == plain.stat().st_size + 50_000_000
    assert padded.stat().st_blocks * 512 < 1_000_000
    with served(padded) as server:
        completion = json.loads(server.post("/v1/completions", {"prompt": "x", "max_tokens": 3}))
    assert completion["choices"][0]["text"] == "yza"
