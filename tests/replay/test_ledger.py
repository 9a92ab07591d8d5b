"""The ledger says no to every kind of placement that cannot be."""

import pytest

from alliage.decide.packing.shapes import Placed
from alliage.replay.ledger import Ledger
from tests.replay.builders import a_host, a_shape

HOSTS = (a_host(2, kind="A", cpu_milli=2000, memory_mib=2048),)
PART, WHOLE, PINNED, BARE, HUGE = (
    a_shape(1, 600),
    a_shape(2),
    a_shape(1, 100, kinds=["B"]),
    a_shape(0),
    a_shape(0, cpu_milli=3000),
)
SHAPES = (PART, WHOLE, PINNED, BARE, HUGE)


@pytest.mark.parametrize(
    ("taken", "refused"),
    [
        ([Placed(0, 0, (0,))], Placed(0, 0, (0,))),
        ([Placed(0, 0, (0,))], Placed(1, 0, (0, 1))),
        ([], Placed(2, 0, (0,))),
        ([], Placed(1, 0, (0,))),
        ([], Placed(1, 0, (0, 0))),
        ([], Placed(3, 0, (1,))),
        ([], Placed(4, 0, ())),
        ([Placed(3, 0, ()), Placed(3, 0, ())], Placed(3, 0, ())),
    ],
)
def test_what_cannot_be_is_refused(taken: list[Placed], refused: Placed) -> None:
    """Devices given twice or in part, another kind, too few devices, more CPU or memory than there is."""
    ledger = Ledger(HOSTS, SHAPES)
    for placed in taken:
        ledger.take(placed)
    with pytest.raises(ValueError, match="Placed"):
        ledger.take(refused)


def test_what_is_given_back_can_be_taken_again() -> None:
    """The room of a request that leaves is there again, to the last thousandth."""
    ledger = Ledger(HOSTS, SHAPES)
    ledger.take(Placed(1, 0, (0, 1)))
    with pytest.raises(ValueError, match="Placed"):
        ledger.take(Placed(1, 0, (0, 1)))
    ledger.give_back(Placed(1, 0, (0, 1)))
    ledger.take(Placed(1, 0, (0, 1)))
