"""A stream survives its replica on a real vLLM: the other replica goes on from the letters that were said, as vLLM is told to."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually
from tests.e2e.test_continued import continued, read, text_of
from tests.models.alphabet import alphabet
from tests.models.alphabet_hf import write_alphabet_folder

pytestmark = [pytest.mark.vllm, pytest.mark.e2e, pytest.mark.timeout(1200)]
START_S = 600.0
"""Two of them start beside each other on few cores."""
LETTERS = 3500


def test_on_real_vllm(tmp_path: Path, vllm_python: str) -> None:
    """Two replicas of the reciting model by vLLM; the one that answers is killed: the other recites on from the next letter."""
    write_alphabet_folder(tmp_path / "alphabet-hf")
    with a_cloud(f'[agent]\nvllm_python = "{vllm_python}"\n') as cloud:
        cloud.up()
        cloud.run("deploy", str(tmp_path / "alphabet-hf"), "--name", "alphabet", "--min-replicas", "2", "--no-wait")
        eventually(lambda: _both_ready(cloud), within_s=START_S, what="both are ready")
        assert {each["recipe"]["engine"] for each in cloud.see("replicas")["replicas"]} == {"vllm"}
        chunks: list[Any] = []
        asked = {"model": "alphabet", "messages": [{"role": "user", "content": "go"}], "max_tokens": LETTERS}
        reading, first = read(cloud, chunks, **asked)
        os.kill(first["live"]["pid"], signal.SIGKILL)
        reading.join(START_S)
        assert not reading.is_alive()
        assert continued(cloud) == 1
        assert text_of(chunks) == alphabet(LETTERS)
        assert len({chunk.id for chunk in chunks}) == 1
        assert chunks[-1].usage.completion_tokens == LETTERS
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"


def _both_ready(cloud: Cloud) -> bool:
    replicas = cloud.see("replicas")["replicas"]
    assert not any(each["starts"] for each in replicas), cloud.run("logs", replicas[0]["id"]).stdout[-4000:]
    return [each["phase"] for each in replicas] == ["ready", "ready"]
