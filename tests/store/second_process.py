"""A second process that writes: `DATABASE` commits until killed and tells each version, `DATABASE COUNT` only appends."""

import sys
from itertools import count

from alliage.control.ports import Changes, Stale
from alliage.fleet.ids import ReplicaId
from alliage.store.sql import open_store
from tests.store.builders import a_binding, a_decision, a_node, a_replica, a_service, seen


def step(version: int) -> Changes:
    """The commit that makes `version`: one more service and decision, and the one core moves to a new replica."""
    service = f"s{version}"
    return Changes(
        nodes=(a_node(cores=1),),
        services=(a_service(service, created_s=version),),
        replicas=(a_replica(f"{service}-1", a_binding(0)),),
        drop_replicas=(ReplicaId(f"s{version - 1}-1"),),
        decisions=(a_decision(service, at_s=version),),
    )


def write_until_killed(place: str) -> None:
    """Never returns."""
    store = open_store(place)
    for version in count(store.snapshot().version + 1):
        outcome = store.commit(version - 1, step(version))
        if isinstance(outcome, Stale):
            raise SystemExit(f"someone else wrote: {outcome}")
        store.append([seen(at_s=version)])
        print(outcome, flush=True)  # noqa: T201  # the test reads it


def append_some(place: str, number: int) -> None:
    """That many observations, one at a time, of the subject `theirs`; a line is printed when it begins."""
    store = open_store(place)
    print("begun", flush=True)  # noqa: T201  # the test waits for it
    for at_s in range(number):
        store.append([seen("theirs", at_s=at_s)])
    store.close()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        append_some(sys.argv[1], int(sys.argv[2]))
    else:
        write_until_killed(sys.argv[1])
