"""Fleets as files: the examples, and what mistakes look like."""

from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.errors import BadInput
from alliage.rehearsal.fleet_file import read_fleet

CATALOG = load_catalog()
EXAMPLES = Path(__file__).parents[2] / "examples" / "fleets"
SITE = '[[sites]]\nname = "here"\n'


def nodes(text: str) -> str:
    """A group of nodes at the site."""
    return f'{SITE}[[nodes]]\nname = "n"\nsite = "here"\n{text}\n'


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda file: file.stem)
def test_examples_can_be_rehearsed(file: Path) -> None:
    """Every node has devices with memory and engines that run on them, and is known to be rehearsed."""
    found = read_fleet(file, CATALOG)
    assert found
    for each in found:
        assert each.node.is_rehearsed
        assert each.node.devices
        assert all(device.memory_bytes > 0 and device.id.startswith(f"{each.node.id}/") for device in each.node.devices)
    names = [device.id for each in found for device in each.node.devices]
    assert len(names) == len(set(names))


def test_a_node_has_its_sites_region_and_tags(tmp_path: Path) -> None:
    """What a service's residency may name comes with each node."""
    path = tmp_path / "fleet.toml"
    site = SITE + 'region = "cn-north"\ntags = ["state", "hall"]\n'
    path.write_text(f'{site}[[nodes]]\nname = "n"\nsite = "here"\ndevices = [{{ chip = "nvidia-h20" }}]\n')
    (found,) = read_fleet(path, CATALOG)
    assert (found.node.site, found.node.region, found.node.tags) == ("here", "cn-north", ("state", "hall"))


def test_mixed_makes_in_one_node(tmp_path: Path) -> None:
    """Two chips in one node, one of them slower than its data sheet."""
    path = tmp_path / "fleet.toml"
    path.write_text(
        nodes(
            'devices = [{ chip = "nvidia-h20", count = 2 }, { chip = "metax-c500", speed = 0.5, like = "nvidia-h20" }]'
        )
    )
    (found,) = read_fleet(path, CATALOG)
    assert [device.id for device in found.node.devices] == ["n/nvidia0", "n/nvidia1", "n/metax2"]
    assert found.speeds == {"nvidia-h20": 1.0, "metax-c500": 0.5}
    assert {chip: like.id for chip, like in found.likes.items()} == {
        "nvidia-h20": "nvidia-h20",
        "metax-c500": "nvidia-h20",
    }
    assert found.node.devices[2].facts["as fast as"] == "nvidia-h20"


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        (nodes('devices = [{ chip = "nvidia-h21" }]'), "no chip 'nvidia-h21'", "nvidia-h"),
        (nodes('devices = [{ chip = "cpu-x86" }]'), "cpu-x86 is shared by cores", "own CPU"),
        (nodes("devices = []"), "nodes\\[0\\].devices", "mend"),
        (nodes('devices = [{ chip = "nvidia-h20", count = 0 }]'), "nodes\\[0\\].devices\\[0\\].count is 0", "mend"),
        (nodes('devices = [{ chip = "nvidia-h20", speed = nan }]'), "speed is nan", "mend"),
        (nodes('device = [{ chip = "nvidia-h20" }]'), "nodes\\[0\\].device", "mend"),
        ('[[nodes]]\nname = "n"\nsite = "there"\ndevices = [{ chip = "nvidia-h20" }]', "at site 'there'", "none"),
        (
            nodes('devices = [{ chip = "nvidia-h20", count = 64 }]\ncount = 900'),
            "900 nodes with 57600 devices",
            "16000",
        ),
        (nodes('devices = [{ chip = "nvidia-h20" }]') * 2, "is no TOML|two nodes are called n|Cannot", ""),
        ("[[nodes]", "is no TOML", "mend"),
    ],
)
def test_mistakes_name_file_field_and_way_out(text: str, said: str, remedy: str, tmp_path: Path) -> None:
    """What is wrong, where, and what to do."""
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=said) as caught:
        read_fleet(path, CATALOG)
    assert str(path) in caught.value.message
    assert remedy in (caught.value.remedy or "")


def test_missing_file(tmp_path: Path) -> None:
    """The path and the reason."""
    with pytest.raises(BadInput, match=r"none\.toml cannot be read"):
        read_fleet(tmp_path / "none.toml", CATALOG)
