"""GpuPacking by hand: shared devices, then idle devices of used hosts, then idle hosts."""

from alliage.decide.packing.shapes import Placed
from alliage.replay.baselines.gpu_packing import GpuPacking
from tests.replay.builders import a_host, a_shape

PART, WHOLE, PAIR, BARE = a_shape(1, 400), a_shape(1), a_shape(2), a_shape(0)


def _packer() -> GpuPacking:
    return GpuPacking((a_host(2), a_host(4)), (PART, WHOLE, PAIR, BARE), ())


def test_used_devices_come_first_then_used_hosts_then_idle_ones() -> None:
    """A part opens the host with fewer devices; a second joins it; a whole one takes that host's other device."""
    packer = _packer()
    assert [packer.place(0), packer.place(0)] == [Placed(0, 0, (0,)), Placed(0, 0, (0,))]
    assert packer.place(1) == Placed(1, 0, (1,))
    assert packer.place(0) == Placed(0, 1, (0,))


def test_a_gang_prefers_a_used_host() -> None:
    """The host of four is in use and has two idle devices left: better than the idle host of two."""
    packer = GpuPacking((a_host(2), a_host(4)), (PAIR, a_shape(1, 1000, kinds=["A"]), a_shape(4)), ())
    packer.place(2)
    packer.remove(Placed(2, 1, (0, 1, 2, 3)))
    assert packer.place(0) == Placed(0, 0, (0, 1))
    assert packer.place(1) == Placed(1, 1, (0,))
    packer.remove(Placed(0, 0, (0, 1)))
    assert packer.place(0) == Placed(0, 1, (1, 2))


def test_the_fuller_of_two_shared_devices_wins_and_cpu_only_goes_first() -> None:
    """600 idle score 94, 200 idle 98; a request without devices finds every host equal."""
    packer = GpuPacking((a_host(1), a_host(1)), (a_shape(1, 400), a_shape(1, 800), a_shape(1, 200), BARE), ())
    assert [packer.place(0), packer.place(1)] == [Placed(0, 0, (0,)), Placed(1, 1, (0,))]
    assert packer.place(2) == Placed(2, 1, (0,))
    assert packer.place(3) == Placed(3, 0, ())
