"""The lifecycle tables: closed, without dead ends that are not ends."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from alliage.fleet.lifecycles import (
    NODE_TRANSITIONS,
    REPLICA_TRANSITIONS,
    SERVICE_TRANSITIONS,
    NodePhase,
    ReplicaEvent,
    ReplicaPhase,
    ServicePhase,
    advance,
)

TABLES: list[tuple[Mapping[tuple[StrEnum, StrEnum], StrEnum], type[StrEnum], StrEnum, set[StrEnum]]] = [
    (NODE_TRANSITIONS, NodePhase, NodePhase.READY, set()),  # type: ignore[list-item]
    (SERVICE_TRANSITIONS, ServicePhase, ServicePhase.STARTING, {ServicePhase.DELETING}),  # type: ignore[list-item]
    (REPLICA_TRANSITIONS, ReplicaPhase, ReplicaPhase.BOUND, {ReplicaPhase.STOPPED}),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("table", "phases", "first", "ends"), TABLES)
def test_every_phase_is_reached_and_only_ends_are_final(
    table: Mapping[tuple[StrEnum, StrEnum], StrEnum], phases: type[StrEnum], first: StrEnum, ends: set[StrEnum]
) -> None:
    """From the first phase each other one can be reached, and each but the ends can be left."""
    reached = {first}
    while True:
        more = reached | {to for (phase, _), to in table.items() if phase in reached}
        if more == reached:
            break
        reached = more
    assert reached == set(phases)
    left = {phase for (phase, _), to in table.items() if to is not phase}
    assert set(phases) - left == ends


def test_every_replica_can_be_stopped_from_everywhere() -> None:
    """No phase is a trap: an unwanted replica always finds its way to `stopped`."""
    leaving = {ReplicaEvent.UNWANTED, ReplicaEvent.DRAINED, ReplicaEvent.GONE}
    for start in ReplicaPhase:
        phases = {start}
        for _ in ReplicaPhase:
            phases |= {to for (phase, event), to in REPLICA_TRANSITIONS.items() if phase in phases and event in leaving}
        assert ReplicaPhase.STOPPED in phases


def test_ready_replica_is_never_stopped_without_draining() -> None:
    """Property 9 in the table: from `ready` an unwanted replica goes to `draining` and nowhere else."""
    assert advance(REPLICA_TRANSITIONS, ReplicaPhase.READY, ReplicaEvent.UNWANTED) is ReplicaPhase.DRAINING
    assert advance(REPLICA_TRANSITIONS, ReplicaPhase.READY, ReplicaEvent.GONE) is None
