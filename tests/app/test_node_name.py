"""The name of a machine in the fleet."""

from pathlib import Path

from alliage.app.agent import keep_node_name, node_name
from alliage.app.home import open_home


def test_name_stays_whatever_the_host_is_called_later(tmp_path: Path) -> None:
    """Kept once, it is the file's; before, nothing is written."""
    home = open_home(tmp_path / "home")
    before = node_name(home)
    assert not home.node_id.exists()
    assert keep_node_name(home) == before
    home.node_id.write_text("old-host\n")
    assert node_name(home) == "old-host"
    assert keep_node_name(home) == "old-host"
