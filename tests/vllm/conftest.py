"""The Python that has vLLM. `make test-vllm` names it; without it nothing here runs."""

import os

import pytest


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """Its path; skips where none is named."""
    python = os.environ.get("ALLIAGE_TEST_VLLM", "")
    if not python:
        pytest.skip("no vLLM here: run `make test-vllm`, which installs it (3 GB)")
    return python
