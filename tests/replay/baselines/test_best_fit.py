"""BestFit by hand."""

from alliage.decide.packing.shapes import Placed
from alliage.replay.baselines.best_fit import BestFit
from tests.replay.builders import a_host, a_shape


def test_the_host_with_the_least_left_wins() -> None:
    """Left after one device: 3 of 8 devices, 1 of 8, 0 of 8; then the last is full and the second is the tightest."""
    packer = BestFit((a_host(4), a_host(2), a_host(1)), (a_shape(1),), ())
    assert [packer.place(0) for _ in range(3)] == [Placed(0, 2, (0,)), Placed(0, 1, (0,)), Placed(0, 1, (1,))]


def test_cpu_counts_as_much_as_devices() -> None:
    """One more device of 8 weighs as much as 16 more cores of 128: 32 idle cores are more than one idle device."""
    packer = BestFit((a_host(1, cpu_milli=40_000), a_host(2, cpu_milli=8_000)), (a_shape(1),), ())
    assert packer.place(0) == Placed(0, 1, (0,))


def test_a_part_goes_to_the_device_with_the_least_idle() -> None:
    """After 300 and 600 on two devices (only they fit), 300 fits both and goes where 400 are left."""
    packer = BestFit((a_host(2),), (a_shape(1, 600), a_shape(1, 800), a_shape(1, 300)), ())
    assert [packer.place(0), packer.place(1), packer.place(2)] == [
        Placed(0, 0, (0,)),
        Placed(1, 0, (1,)),
        Placed(2, 0, (0,)),
    ]


def test_a_tie_goes_to_the_first_host() -> None:
    """Two equal hosts."""
    assert BestFit((a_host(), a_host()), (a_shape(1),), ()).place(0) == Placed(0, 0, (0,))
