"""Faults on command: the commands' words are the faults there are."""

from alliage.faces.cli.rehearse_command import What
from alliage.rehearsal.faults import Calamity


def test_the_command_knows_every_calamity() -> None:
    """The CLI's own list, which keeps it light, is that of the rehearsal."""
    assert [each.value for each in What] == [each.value for each in Calamity]
