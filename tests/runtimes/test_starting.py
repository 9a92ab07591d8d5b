"""From an order to a spec: the engine's facts on the chip, the file it reads, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from alliage.catalog.records import Catalog
from alliage.control.actions import StartReplica
from alliage.engines.launch import CONFIG_NAME, Launch
from alliage.errors import BadInput
from alliage.fleet.ids import DeviceId
from alliage.fleet.replicas import Binding
from alliage.runtimes.folders import Spec, folder_of
from alliage.runtimes.settings import AgentSettings
from alliage.runtimes.starting import spec_of
from tests.builders import CATALOG, a_card, a_recipe, a_replica


def started(
    home: Path,
    engine: str,
    chip: str,
    device: str,
    *,
    catalog: Catalog | None = CATALOG,
    containers: str = "",
) -> Spec:
    """The spec of a replica on one device."""
    recipe = replace(a_recipe(), engine=engine, chip=chip, cores=0, precision="BF16")
    binding = Binding(device=DeviceId(device), cores=(), memory_bytes=1)
    replica = replace(a_replica(recipe=recipe), bindings=(binding,))
    return spec_of(
        StartReplica(node=replica.node, replica=replica, model=a_card(), attempt=1),
        model_path=Path("/models/m"),
        folder=folder_of(home, replica.id).path,
        programs={engine: "/opt/python"},
        catalog=catalog,
        settings=AgentSettings(launch=Launch.CONTAINER if containers else Launch.PROCESS, container_program=containers),
    )


def test_an_accelerator_is_shown_by_its_number(tmp_path: Path) -> None:
    """The stack of the replica's chip decides the variable, its device the number."""
    environment = started(tmp_path, "vllm", "thead-ppu-810e", "laptop/thead3").watch.environment
    assert environment["CUDA_VISIBLE_DEVICES"] == "3"


def test_a_container_is_run_by_the_program_that_was_set(tmp_path: Path) -> None:
    """The watcher watches its command; secrets stay in the environment."""
    podman = tmp_path / "podman"
    podman.touch(mode=0o755)
    spec = started(tmp_path, "vllm", "nvidia-h20", "laptop/nvidia1", containers=str(podman))
    assert spec.watch.argv[:2] == (str(podman), "run")
    assert "alliage-tiny-000001" in spec.watch.argv
    assert spec.watch.environment["VLLM_API_KEY"] == spec.key
    assert not any(spec.key in word for word in spec.watch.argv)


def test_without_that_program_nothing_is_started(tmp_path: Path) -> None:
    """It is said what is missing."""
    with pytest.raises(BadInput, match="nobody-runs-this"):
        started(tmp_path, "vllm", "nvidia-h20", "laptop/nvidia1", containers="nobody-runs-this")


def test_a_config_file_lies_beside_the_spec_and_goes_with_it(tmp_path: Path) -> None:
    """Only its user may read it: it holds the key."""
    spec = started(tmp_path, "sglang", "nvidia-h20", "laptop/nvidia1")
    folder = folder_of(tmp_path, spec.replica)
    folder.prepare(spec)
    file = folder.path / CONFIG_NAME
    assert spec.key in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(file) in spec.watch.argv
    assert folder.spec() == spec
    folder.forget()
    assert not file.exists()


@pytest.mark.parametrize("catalog", [None, replace(CATALOG, chips={})])
def test_an_engine_whose_chip_this_node_does_not_know_is_refused(tmp_path: Path, catalog: Catalog | None) -> None:
    """Nothing is guessed about a stack."""
    with pytest.raises(BadInput, match="nothing is known of vLLM"):
        started(tmp_path, "vllm", "nvidia-h20", "laptop/nvidia1", catalog=catalog)
