"""Policies by name, and what each of them must never do."""

from random import Random

import pytest

from alliage.decide.packing.shapes import Placed
from alliage.errors import BadInput
from alliage.replay.ledger import Ledger
from alliage.replay.policies import POLICIES, find_policies
from tests.replay.builders import some_hosts, some_shapes, typical_of

BASELINES = ("fgd", "fgd-least-idle", "best-fit", "gpu-packing", "random")


def test_policies_are_found_by_name() -> None:
    """Between commas, each once, in the order that was typed."""
    assert [policy.name for policy in find_policies("fgd, random,fgd")] == ["fgd", "random"]


@pytest.mark.parametrize("names", ["", "fgd,luck"])
def test_unknown_policies_are_refused_with_those_there_are(names: str) -> None:
    """The remedy lists every policy."""
    with pytest.raises(BadInput) as refused:
        find_policies(names)
    assert all(name in refused.value.remedy for name in POLICIES)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("seed", range(4))
def test_no_policy_gives_room_that_is_not_there_or_refuses_room_that_is(name: str, seed: int) -> None:
    """Random requests arrive and leave: the ledger agrees with every placement, and a no means that nothing fits."""
    dice = Random(seed)
    hosts, shapes = some_hosts(dice), some_shapes(dice)
    packer = POLICIES[name].make(hosts, shapes, typical_of(*shapes), seed)
    ledger, held = Ledger(hosts, shapes), list[Placed]()
    for _ in range(120):
        if held and dice.random() < 0.4:
            leaving = held.pop(dice.randrange(len(held)))
            packer.remove(leaving)
            ledger.give_back(leaving)
            continue
        shape = dice.randrange(len(shapes))
        if (placed := packer.place(shape)) is not None:
            ledger.take(placed)
            held.append(placed)
        else:
            assert not any(_fits(held, hosts, shapes, shape, host) for host in range(len(hosts)))


def _fits(held: list[Placed], hosts: tuple, shapes: tuple, shape: int, host: int) -> bool:  # type: ignore[type-arg]
    """Worked out from what is held, without a ledger or a packer."""
    here, wanted = [placed for placed in held if placed.host == host], shapes[shape]
    cpu = hosts[host].cpu_milli - sum(shapes[placed.shape].cpu_milli for placed in here)
    memory = hosts[host].memory_mib - sum(shapes[placed.shape].memory_mib for placed in here)
    if cpu < wanted.cpu_milli or memory < wanted.memory_mib:
        return False
    if wanted.devices and wanted.kinds and hosts[host].kind not in wanted.kinds:
        return False
    used = [
        sum(shapes[placed.shape].device_milli for placed in here if device in placed.devices)
        for device in range(hosts[host].devices)
    ]
    return bool(sum(1000 - each >= wanted.device_milli for each in used) >= wanted.devices)
