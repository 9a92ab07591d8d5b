"""Deciding anew where another commit came first."""

import pytest

from alliage.control.committing import COMMIT_TRIES_MAX, committed
from alliage.control.ports import Changes
from alliage.errors import Unavailable
from alliage.fleet.tenants import Tenant
from alliage.fleet.view import FleetView
from tests.doubles.memory_store import MemoryStore


def test_it_is_decided_again_on_what_is_there_then() -> None:
    """Another one's commit between looking and committing is seen at the second look; the loop is woken once."""
    store, woken = MemoryStore(), list[bool]()
    seen: list[int] = []

    def decide(view: FleetView) -> tuple[Changes, int]:
        seen.append(len(view.tenants))
        if len(seen) == 1:
            store.commit(view.version, Changes(tenants=(Tenant(name="first"),)))
        return Changes(tenants=(Tenant(name="second"),)), len(view.tenants)

    assert committed(store, lambda: woken.append(True), decide) == 1
    assert (seen, woken) == ([0, 1], [True])
    assert [tenant.name for tenant in store.snapshot().tenants] == ["first", "second"]


def test_it_ends_where_others_always_come_first() -> None:
    """A clear error after COMMIT_TRIES_MAX, and nothing of it is committed."""
    store, tries = MemoryStore(), list[int]()

    def decide(view: FleetView) -> tuple[Changes, None]:
        tries.append(view.version)
        store.commit(view.version, Changes(tenants=(Tenant(name="others", tier=len(tries) % 9),)))
        return Changes(tenants=(Tenant(name="mine"),)), None

    with pytest.raises(Unavailable, match="kept changing"):
        committed(store, lambda: None, decide)
    assert len(tries) == COMMIT_TRIES_MAX
    assert [tenant.name for tenant in store.snapshot().tenants] == ["others"]
