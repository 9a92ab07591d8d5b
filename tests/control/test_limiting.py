"""Limits: what is set and lifted, what is refused, and what of it reaches the routing table."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.control.limiting import (
    AS_IT_WAS,
    COUNT_MAX,
    MODELS_MAX,
    MONEY_MICROS_MAX,
    TOKENS_MAX,
    Limit,
    LimitsOrder,
    limit_doubts,
    limited_scopes,
    ordered_limits,
    scopes_of,
)
from alliage.errors import BadInput
from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Key, Role
from alliage.fleet.limits import UNLIMITED, Limits
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.view import FleetView
from tests.builders import a_service

ALL = Limits(
    requests_per_minute=600,
    tokens_per_minute=1_000_000,
    parallel=20,
    context_tokens=32_000,
    models=("tiny",),
    day_micros=50_000_000,
    month_micros=0,
)


def a_key(tenant: str = "acme", project: str = "", limits: Limits = UNLIMITED) -> Key:
    """A user's key."""
    return Key(
        id=KeyId("key-1"),
        name="ci",
        role=Role.USER,
        tenant=tenant,
        sha256="00",
        created_s=0.0,
        project=project,
        limits=limits,
    )


def test_there_is_a_limit_for_each_field() -> None:
    """What can be lifted is what can be set."""
    assert [field.name for field in fields(Limits)] == [str(limit) for limit in Limit]


limits = st.builds(
    Limits,
    requests_per_minute=st.none() | st.integers(1, COUNT_MAX),
    tokens_per_minute=st.none() | st.integers(1, TOKENS_MAX),
    parallel=st.none() | st.integers(1, COUNT_MAX),
    context_tokens=st.none() | st.integers(1, COUNT_MAX),
    models=st.none() | st.just(("a",)) | st.just(("b", "a")),
    day_micros=st.none() | st.integers(0, MONEY_MICROS_MAX),
    month_micros=st.none() | st.integers(0, MONEY_MICROS_MAX),
)


@given(limits, limits, st.frozensets(st.sampled_from(Limit)))
def test_each_limit_is_set_lifted_or_as_it_was(old: Limits, put: Limits, lifts: frozenset[Limit]) -> None:
    """By itself, whatever happens to the others; lifting wins."""
    new = ordered_limits(LimitsOrder(put=put, lifts=lifts), old)
    for limit in Limit:
        given_, was = getattr(put, limit), getattr(old, limit)
        expected = None if limit in lifts else was if given_ is None else given_
        assert getattr(new, limit) == expected
    assert ordered_limits(AS_IT_WAS, new) == new
    assert ordered_limits(LimitsOrder(lifts=frozenset(Limit)), new) == UNLIMITED


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (Limits(requests_per_minute=0), r"0 requests a minute \(requests_per_minute\)"),
        (Limits(requests_per_minute=10**9 + 1), "1000000001 requests a minute"),
        (Limits(tokens_per_minute=-1), "-1 tokens a minute"),
        (Limits(parallel=0), "0 requests at once"),
        (Limits(context_tokens=10**10), "10000000000 tokens of one request"),
        (Limits(day_micros=-1), "-1 micros a day"),
        (Limits(month_micros=10**16), "10000000000000000 micros a month"),
        (Limits(models=()), r"models \[\]"),
        (Limits(models=("a", "a")), r"models \[a, a\]"),
        (Limits(models=tuple(f"m{number}" for number in range(MODELS_MAX + 1))), r"models \[m0, .*, \.\.\.\]"),
        (Limits(models=("A b",)), "'A b' can be no name of a service"),
    ],
)
def test_what_means_nothing_is_refused(put: Limits, said: str) -> None:
    """With the value, its kind and a way out."""
    with pytest.raises(BadInput, match=said) as refused:
        ordered_limits(LimitsOrder(put=put), ALL)
    assert refused.value.remedy


def test_who_is_limited_by_what() -> None:
    """A key by its own limits, its project's and its tenant's: three scopes, two without a project."""
    assert scopes_of(a_key(project="web")) == ("key:key-1", "project:acme/web", "tenant:acme")
    assert scopes_of(a_key()) == ("key:key-1", "tenant:acme")


def test_only_what_has_limits_is_a_limited_scope() -> None:
    """Tenants, projects and keys without any are left out: nothing is to be counted for them."""
    view = FleetView(
        version=1,
        tenants=(Tenant(name="acme", limits=ALL), Tenant(name="other", weight=2.0)),
        projects=(Project(tenant="acme", name="web"), Project(tenant="other", name="web", limits=ALL)),
        keys=(a_key(limits=Limits(parallel=1)),),
    )
    assert limited_scopes(view) == {"tenant:acme": ALL, "project:other/web": ALL, "key:key-1": Limits(parallel=1)}


def test_a_model_that_is_no_service_is_a_doubt() -> None:
    """It may come, so it is told and kept."""
    view = FleetView(version=1, services=(a_service("tiny"),))
    assert limit_doubts(Limits(models=("tiny", "tinny")), view) == ("there is no service 'tinny' now",)
    assert limit_doubts(UNLIMITED, view) == ()
