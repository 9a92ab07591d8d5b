"""The default model, measured on llama.cpp and on a real vLLM in one cloud: both are shown beside their estimates."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually

pytestmark = [pytest.mark.vllm, pytest.mark.e2e, pytest.mark.timeout(1800)]
START_S = 400.0
PROBE_S = 500.0
MODEL = "smollm2-135m"


def test_one_model_is_measured_on_both_engines(tmp_path: Path, vllm_python: str) -> None:
    """Each by its own recipe: the file as it is by llama.cpp, the same weights in BF16 by vLLM; neither talks over the other."""
    with a_cloud(f'[agent]\nvllm_python = "{vllm_python}"\n') as cloud:
        cloud.up()
        cloud.run("deploy", MODEL, "--no-wait")
        eventually(lambda: _is_ready(cloud, MODEL), within_s=START_S, what="llama.cpp is ready")
        folder = _folder_of(cloud, tmp_path, vllm_python)
        cloud.run("deploy", str(folder), "--name", "by-vllm", "--no-wait")
        eventually(lambda: _is_ready(cloud, "by-vllm"), within_s=START_S, what="vLLM is ready")
        for service in (MODEL, "by-vllm"):
            cloud.run("probe", service, "--seconds", "3", "--concurrency", "4", within_s=PROBE_S)
        recipes = {each["service"]: each["recipe"] for each in cloud.see("replicas")["replicas"]}
        assert {name: (each["engine"], each["evidence"]) for name, each in recipes.items()} == {
            MODEL: ("llama.cpp", "measured"),
            "by-vllm": ("vllm", "measured"),
        }
        every: list[dict[str, Any]] = cloud.ask("probe", "--list")["measurements"]
        # The gateway may have learned from the probe's requests, too.
        found = [each for each in every if each["origin"] == "probe"]
        assert [(each["engine"], each["concurrency"]) for each in found] == [
            ("vllm", 4),
            ("vllm", 1),
            ("llama.cpp", 4),
            ("llama.cpp", 1),
        ]
        for each in found:
            assert (each["model"], each["output_tokens"], each["evidence"]) == (MODEL, 64, "measured")
            assert each["throughput_tps"] > 0
            assert (each["estimated"] is None) == bool(each["unknown"])
        table = cloud.run("probe", "--list").stdout
        assert table.count("measured") == table.count("estimated") >= len(every)
        for service, engine in ((MODEL, "llama.cpp Q4_1"), ("by-vllm", "vllm BF16")):
            text = cloud.run("explain", service).stdout.split("Measured:\n")[1]
            lines = [line for line in text.splitlines() if line.startswith("  - ")]
            assert len(lines) >= 2
            assert all(line.startswith(f"  - {engine} on ") for line in lines)


def _folder_of(cloud: Cloud, tmp_path: Path, vllm_python: str) -> Path:
    """The default model as vLLM reads it, made from the file that the cloud fetched."""
    (file,) = (cloud.home / "models").rglob("*.gguf")
    folder = tmp_path / MODEL
    script = Path(__file__).parent / "gguf_to_folder.py"
    done = subprocess.run(
        [vllm_python, str(script), str(file), str(folder)], capture_output=True, text=True, timeout=PROBE_S, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def _is_ready(cloud: Cloud, service: str) -> bool:
    replicas = [each for each in cloud.see("replicas")["replicas"] if each["service"] == service]
    if any("pip could not fetch" in each["note"] for each in replicas):
        pytest.skip(f"no package index here: {replicas[0]['note']}")
    assert not any(each["starts"] for each in replicas), cloud.run("logs", replicas[0]["id"]).stdout[-4000:]
    return bool(replicas) and all(each["phase"] == "ready" for each in replicas)
