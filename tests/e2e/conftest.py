"""Models and clouds that several tests share. A test that kills or fills a cloud makes its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cloud import Cloud, a_cloud
from tests.models.alphabet import write_alphabet

SLOW_LAYERS = 40


@pytest.fixture(scope="session")
def slow_alphabet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recites some hundred letters a second: a stream lasts long enough to kill something meanwhile."""
    path = tmp_path_factory.mktemp("models") / "slow.gguf"
    write_alphabet(path, name="slow", layers=SLOW_LAYERS)
    return path


@pytest.fixture(scope="session")
def quick_alphabet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recites thousands of letters a second: where a test lets it say all that it may."""
    path = tmp_path_factory.mktemp("models") / "quick.gguf"
    write_alphabet(path, name="quick")
    return path


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that embeds."""
    path = tmp_path_factory.mktemp("models") / "embedder.gguf"
    write_alphabet(path, name="embedder", embedding=True)
    return path


@pytest.fixture(scope="module")
def calm_cloud(quick_alphabet: Path, embedder: Path) -> Iterator[Cloud]:
    """A cloud with a reciting and an embedding service, which tests only talk to."""
    with a_cloud() as cloud:
        cloud.up()
        cloud.deploy(quick_alphabet, "alphabet")
        cloud.deploy(embedder, "embedder")
        yield cloud
