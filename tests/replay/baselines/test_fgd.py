"""FGD: the formula by hand, the score, the ties, and the compiled one against the plain one."""

from random import Random

import numpy as np
import pytest

from alliage.decide.packing.shapes import Placed, Typical
from alliage.replay.baselines.fgd import Fgd
from alliage.replay.baselines.fgd_plain import PlainFgd, fragmentation, score
from tests.replay.builders import a_host, a_shape, some_hosts, some_shapes, typical_of


def test_fragmentation_of_one_host_by_hand() -> None:
    """Two devices with 300 and 1000 idle: 300 is lost for half a device, everything for two devices and for CPU only."""
    idle = np.array([300, 1000])
    half, pair, bare = a_shape(1, 500), a_shape(2), a_shape(0)
    assert fragmentation("A", 4000, idle, typical_of(half)) == 300
    assert fragmentation("A", 4000, idle, typical_of(pair)) == 1300
    assert fragmentation("A", 4000, idle, typical_of(bare)) == 1300
    assert fragmentation("A", 4000, idle, typical_of(half, pair)) == 800


def test_all_is_lost_where_cpu_is_short_or_the_kind_is_not_accepted() -> None:
    """The first is a case of the study's own tests: 2700 idle, asked for by 9.33 % that find too little CPU."""
    idle = np.array([200, 1000, 1000, 500])
    lacking = (Typical(shape=a_shape(1, 465, cpu_milli=6000), share=0.0933),)
    assert fragmentation("A", 1000, idle, lacking) == pytest.approx(251.91)
    assert fragmentation("A", 9000, idle, typical_of(a_shape(1, 465, kinds=["B"]))) == 2700
    assert fragmentation("B", 9000, idle, typical_of(a_shape(1, 465, kinds=["B"]))) == 200


def test_score_is_a_whole_number_of_hundredths() -> None:
    """50 where F stays, 73 where it falls by a device, 26 where it grows by one; far away 0 and 100."""
    assert [score(0, 0), score(1000, 0), score(0, 1000)] == [50, 73, 26]
    assert [score(0, 1e9), score(1e9, 0)] == [0, 100]


@pytest.mark.parametrize("packer", [PlainFgd, Fgd])
def test_a_part_goes_where_the_rest_is_still_of_use(packer: type[PlainFgd] | type[Fgd]) -> None:
    """500 of a used device are as good for halves as 500 of a new one, but a new one would be lost for whole requests."""
    half, whole = a_shape(1, 500), a_shape(1)
    fgd = packer((a_host(1), a_host(1)), (half, whole), typical_of(half, whole))
    assert [fgd.place(0), fgd.place(0), fgd.place(1)] == [Placed(0, 0, (0,)), Placed(0, 0, (0,)), Placed(1, 1, (0,))]
    assert fgd.place(0) is None


@pytest.mark.parametrize("packer", [PlainFgd, Fgd])
def test_a_tie_goes_to_the_first_host_or_to_the_least_idle_one(packer: type[PlainFgd] | type[Fgd]) -> None:
    """A CPU-only request that harms nobody: host 0 as published, else host 1, which has fewer devices."""
    hosts, bare = (a_host(4), a_host(2)), a_shape(0, cpu_milli=100)
    typical = typical_of(a_shape(1))
    first, least = packer(hosts, (bare,), typical), packer(hosts, (bare,), typical, least_idle=True)
    assert (first.place(0), least.place(0)) == (Placed(0, 0, ()), Placed(0, 1, ()))


@pytest.mark.parametrize("least_idle", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_compiled_one_with_its_cache_answers_as_the_plain_one(seed: int, *, least_idle: bool) -> None:
    """Requests arrive and leave at random; every answer is the same, device for device."""
    dice = Random(seed)
    hosts, shapes = some_hosts(dice), some_shapes(dice)
    typical = typical_of(*some_shapes(dice), *shapes[:2])
    plain = PlainFgd(hosts, shapes, typical, least_idle=least_idle)
    fast = Fgd(hosts, shapes, typical, least_idle=least_idle)
    held: list[Placed] = []
    for _ in range(150):
        if held and dice.random() < 0.35:
            leaving = held.pop(dice.randrange(len(held)))
            plain.remove(leaving)
            fast.remove(leaving)
            continue
        shape = dice.randrange(len(shapes))
        expected = plain.place(shape)
        assert fast.place(shape) == expected
        held += [expected] if expected else []


def test_no_hosts_no_shapes_no_statistics() -> None:
    """Nothing to choose from is a no, and without statistics the first host with room is taken."""
    shape = a_shape(1)
    assert Fgd((), (shape,), ()).place(0) is None
    assert Fgd((a_host(0), a_host(1)), (shape,), ()).place(0) == Placed(0, 1, (0,))
