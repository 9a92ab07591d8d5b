"""Random: seeded, and fair."""

from collections import Counter

from alliage.replay.baselines.random import Random
from tests.replay.builders import a_host, a_shape

HOSTS = tuple(a_host(2) for _ in range(4))


def _hosts_of(seed: int) -> list[int]:
    packer = Random(HOSTS, (a_shape(1),), (), seed)
    return [placed.host for _ in range(8) if (placed := packer.place(0)) is not None]


def test_the_same_seed_chooses_the_same() -> None:
    """And another seed something else."""
    assert _hosts_of(1) == _hosts_of(1) != _hosts_of(2)


def test_every_host_and_device_is_chosen_about_equally_often() -> None:
    """2000 first choices among 4 hosts of 2 devices: each of the 8 gets 250, give or take five standard deviations."""
    packer = Random(HOSTS, (a_shape(1, 500),), (), 3)
    counts: Counter[tuple[int, int]] = Counter()
    for _ in range(2000):
        placed = packer.place(0)
        assert placed is not None
        counts[placed.host, placed.devices[0]] += 1
        packer.remove(placed)
    assert len(counts) == 8
    assert all(abs(count - 250) < 75 for count in counts.values())
