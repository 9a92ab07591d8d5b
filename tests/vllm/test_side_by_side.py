"""A real vLLM on CPU: found by the agent, started by our launch spec, served beside llama.cpp behind one endpoint."""

import concurrent.futures
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually
from tests.models.alphabet import alphabet, write_alphabet
from tests.models.alphabet_hf import write_alphabet_folder

pytestmark = [pytest.mark.vllm, pytest.mark.e2e, pytest.mark.timeout(600)]
START_S = 400.0
"""vLLM takes 50 s to start on an idle machine, and more beside other work."""


def test_both_engines_recite_behind_one_endpoint(tmp_path: Path, vllm_python: str) -> None:
    """Same model, same words, hot or cold, whole or streamed, and the engine of each is the one its format needs."""
    write_alphabet(tmp_path / "alphabet.gguf")
    write_alphabet_folder(tmp_path / "alphabet-hf")
    with a_cloud(f'[agent]\nvllm_python = "{vllm_python}"\n') as cloud:
        cloud.up()
        (node,) = cloud.see("nodes")["nodes"]
        assert {engine["engine"] for engine in node["engines"]} == {"llama.cpp", "vllm"}
        cloud.run("deploy", str(tmp_path / "alphabet-hf"), "--name", "by-vllm", "--no-wait")
        cloud.deploy(tmp_path / "alphabet.gguf", "by-llama")
        eventually(lambda: _ready(cloud, "by-vllm"), within_s=START_S, what="vLLM is ready")
        engines = {each["service"]: each["recipe"]["engine"] for each in cloud.see("replicas")["replicas"]}
        assert engines == {"by-vllm": "vllm", "by-llama": "llama.cpp"}
        client = cloud.client()
        assert {model.id for model in client.models.list()} == {"by-vllm", "by-llama"}

        def recite(model: str, temperature: float) -> str:
            answer = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "go"}], max_tokens=60, temperature=temperature
            )
            assert answer.usage is not None
            assert answer.usage.completion_tokens == 60
            return answer.choices[0].message.content or ""

        asked = [(model, heat) for model in ("by-vllm", "by-llama") for heat in (0.0, 1.0)] * 4
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda each: recite(*each), asked))
        assert told == [alphabet(60)] * len(asked)
        for model in ("by-vllm", "by-llama"):
            assert client.completions.create(model=model, prompt="abc", max_tokens=5).choices[0].text == "defgh"
            stream = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "go"}], max_tokens=200, stream=True
            )
            chunks = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
            assert "".join(chunks) == alphabet(200)
        engine = _replica(cloud, "by-vllm")["live"]["pid"]
        assert len(_group(engine)) > 1
        os.kill(_stat(engine)[1], signal.SIGKILL)
        eventually(lambda: not _group(engine), within_s=30, what="all of vLLM has gone with its watcher")


def _replica(cloud: Cloud, service: str) -> dict[str, Any]:
    (found,) = [each for each in cloud.see("replicas")["replicas"] if each["service"] == service]
    replica: dict[str, Any] = found
    return replica


def _stat(pid: int) -> tuple[str, int, int]:
    """State, parent and process group."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[1]), int(fields[2])


def _group(leader: int) -> list[int]:
    """The living processes of a group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                state, _, group = _stat(int(entry.name))
                if group == leader and state != "Z":
                    found.append(int(entry.name))
    return found


def _ready(cloud: Cloud, service: str) -> bool:
    replicas = [each for each in cloud.see("replicas")["replicas"] if each["service"] == service]
    assert not any(each["starts"] for each in replicas), cloud.run("logs", replicas[0]["id"]).stdout[-4000:]
    return bool(replicas) and all(each["phase"] == "ready" for each in replicas)
