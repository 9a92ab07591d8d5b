"""Deciding on a snapshot and committing, until no other commit comes between."""

from collections.abc import Callable
from typing import Final, TypeVar

from alliage.control.ports import Changes, Stale, Store
from alliage.errors import Unavailable
from alliage.fleet.view import FleetView

COMMIT_TRIES_MAX: Final = 20
Result = TypeVar("Result")


def committed(store: Store, wake: Callable[[], None], decide: Callable[[FleetView], tuple[Changes, Result]]) -> Result:
    """What was decided, once it is committed and the loop is woken; raises Unavailable where others always came first."""
    for _ in range(COMMIT_TRIES_MAX):
        view = store.snapshot()
        changes, result = decide(view)
        if not isinstance(store.commit(view.version, changes), Stale):
            wake()
            return result
    raise kept_changing()


def kept_changing() -> Unavailable:
    """The error of somebody who decided anew COMMIT_TRIES_MAX times."""
    return Unavailable("the state kept changing while this was decided", remedy="ask again")
