"""llama.cpp's launch lines, as snapshots: a change of them is a change that a person should read."""

from dataclasses import asdict

import pytest
from syrupy.assertion import SnapshotAssertion

from alliage.engines.launch import LaunchSpec
from alliage.engines.launchers import LAUNCHERS
from tests.builders import CATALOG, a_recipe, a_replica


def _launch(program: str, *, embed: bool = False) -> LaunchSpec:
    return LAUNCHERS["llama.cpp"](
        a_replica(recipe=a_recipe(cores=2), cores=(2, 3)),
        model_path="/models/tiny.gguf",
        alias="tiny",
        program=program,
        python="/venv/bin/python",
        host="127.0.0.1",
        port=40001,
        key="the-secret",
        embed=embed,
    )


@pytest.mark.parametrize("program", ["bundled", "/usr/bin/llama-server"])
@pytest.mark.parametrize("embed", [False, True])
def test_launch_lines(program: str, *, embed: bool, snapshot: SnapshotAssertion) -> None:
    """The whole spec of both programs, for chat and for embeddings."""
    assert asdict(_launch(program, embed=embed)) == snapshot


@pytest.mark.parametrize("program", ["bundled", "/usr/bin/llama-server"])
def test_the_key_is_in_the_environment_only(program: str) -> None:
    """Arguments can be read by every user of the machine."""
    spec = _launch(program)
    assert "the-secret" in spec.environment.values()
    assert not any("the-secret" in argument for argument in spec.argv)


def test_every_engine_of_the_catalogue_can_be_launched() -> None:
    """An engine in TOML without a launcher would be planned and never start."""
    assert {engine.launcher for engine in CATALOG.engines.values()} <= set(LAUNCHERS)
