"""Scopes by the names that people use, and what holds for each."""

import pytest

from alliage.control.scopes import limited, scoped_named
from alliage.errors import BadInput, NotFound
from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Key, Role
from alliage.fleet.limits import UNLIMITED, Limits
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.view import FleetView

_TEN = Limits(parallel=10)
_KEY = Key(
    id=KeyId("key-1"), name="ci", role=Role.USER, tenant="acme", sha256="00", created_s=0.0, project="web", limits=_TEN
)
_BARE = Key(id=KeyId("key-2"), name="bare", role=Role.USER, tenant="acme", sha256="01", created_s=0.0)
_VIEW = FleetView(
    version=1,
    keys=(_KEY, _BARE),
    tenants=(Tenant(name="acme", limits=_TEN), Tenant(name="other", tier=1)),
    projects=(Project(tenant="other", name="web", limits=_TEN),),
)


def test_all_that_have_limits() -> None:
    """Tenants, then projects, then keys; what has none is left out."""
    assert [each.scope for each in limited(_VIEW)] == ["tenant:acme", "project:other/web", "key:key-1"]


@pytest.mark.parametrize(
    ("named", "holding"),
    [
        ("tenant:acme", ["tenant:acme"]),
        ("project:other/web", ["project:other/web", "tenant:other"]),
        ("project:acme/web", ["project:acme/web", "tenant:acme"]),
        ("key:ci", ["key:key-1", "project:acme/web", "tenant:acme"]),
        ("key:key-1", ["key:key-1", "project:acme/web", "tenant:acme"]),
        ("key:bare", ["key:key-2", "tenant:acme"]),
    ],
)
def test_what_holds_for_one(named: str, holding: list[str]) -> None:
    """Itself first, then what it is part of, whether that has limits or not."""
    found = scoped_named(named, _VIEW)
    assert [each.scope for each in found] == holding
    limits = {"tenant:acme": _TEN, "project:other/web": _TEN, "key:key-1": _TEN}
    assert [each.limits for each in found] == [limits.get(scope, UNLIMITED) for scope in holding]


@pytest.mark.parametrize("text", ["", "acme", "tenant", "tenant:", "service:acme", "key=ci", ":ci"])
def test_what_names_nobody_is_bad_input(text: str) -> None:
    """The error repeats the text and shows how to write one."""
    with pytest.raises(BadInput, match="names no tenant, project or key") as refused:
        scoped_named(text, _VIEW)
    assert repr(text) in refused.value.message
    assert "project:acme/web" in refused.value.remedy


@pytest.mark.parametrize("text", ["tenant:none", "project:acme/none", "project:acme", "project:none/web", "key:none"])
def test_who_is_not_there_is_not_found(text: str) -> None:
    """The error names those that are."""
    with pytest.raises(NotFound) as missed:
        scoped_named(text, _VIEW)
    assert missed.value.remedy
