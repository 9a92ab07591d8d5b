"""The last line of defence, by itself."""

from dataclasses import replace

import pytest

from alliage.errors import StoreError
from alliage.fleet.ids import ReplicaId
from alliage.fleet.replicas import Binding
from alliage.store.guard import newly_bound, refuse_overbound
from tests.store.builders import CARD, CPU, GIB, a_binding, a_node, a_replica

DEVICES = {device.id: device for device in a_node(memory_bytes=4 * GIB).devices}


def test_only_new_bindings_are_judged() -> None:
    """A replica that is put again with what it has touches no device; more, less or elsewhere touches the new place."""
    before = {ReplicaId("a-1"): (a_binding(0),)}
    assert newly_bound([a_replica("a-1", a_binding(0))], before) == {}
    assert newly_bound([a_replica("a-1")], before) == {}
    assert newly_bound([a_replica("a-1", a_binding(0), a_binding(device=CARD))], before) == {CARD: {"a-1"}}
    assert newly_bound([a_replica("a-1", a_binding(0), a_binding(0))], before) == {CPU: {"a-1"}}
    assert newly_bound([a_replica("a-2", a_binding(0))], before) == {CPU: {"a-2"}}


NEW = frozenset({ReplicaId("b-1")})


def test_an_older_binding_may_hold_a_core_that_is_gone() -> None:
    """The machine was given other cores: what holds an old one is on its way out, what comes must fit."""
    shrunk = {CPU: replace(DEVICES[CPU], cores=(2, 3))}
    rows = {ReplicaId("a-1"): (a_binding(0),), ReplicaId("b-1"): (a_binding(2),)}
    refuse_overbound({CPU: NEW}, shrunk, rows)
    with pytest.raises(StoreError, match="takes core 0"):
        refuse_overbound({CPU: frozenset(rows)}, shrunk, rows)


def test_a_device_may_be_filled_to_the_brim() -> None:
    """All cores and all bytes may be bound, and a whole device once."""
    full = {ReplicaId(f"a-{core}"): (a_binding(core),) for core in range(4)}
    refuse_overbound({CPU: NEW, CARD: NEW}, DEVICES, {**full, ReplicaId("b-1"): (a_binding(device=CARD),)})


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (a_binding(1, memory_bytes=3 * GIB + 1), f"{4 * GIB + 1} of {4 * GIB} bytes"),
        (a_binding(0), "core 0 is bound by a-1 and by b-1"),
        (a_binding(4), r"b-1 takes core 4, it has \[0, 1, 2, 3\]"),
        (a_binding(), "it is given whole and also shared, by a-1, b-1"),
        (a_binding(0, device=CARD), f"{CARD}.*b-1 takes core 0, it has"),
        (a_binding(0, device=a_node("gone").devices[0].id), "no node has such a device"),
    ],
)
def test_too_much_is_named(second: Binding, why: str) -> None:
    """The message names the device and what is too much of what."""
    with pytest.raises(StoreError, match=why) as raised:
        refuse_overbound(
            {CPU: NEW, second.device: NEW}, DEVICES, {ReplicaId("a-1"): (a_binding(0),), ReplicaId("b-1"): (second,)}
        )
    assert second.device in raised.value.message
