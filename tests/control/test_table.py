"""The routing table: doubts of replicas whose agents are not heard, what waits, what is promised, who may use how much."""

from dataclasses import replace

import msgspec

from alliage.control.observed import NodeReport
from alliage.control.table import build_table, endpoints_after
from alliage.fleet.ids import KeyId, NodeId, ReplicaId, ServiceName
from alliage.fleet.keys import Key, Role
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.limits import Limits, Priority, key_scope, tenant_scope
from alliage.fleet.prices import FREE, TokenPrice
from alliage.fleet.routing import KeyEntry
from alliage.fleet.services import Objective
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.usage import Origin
from alliage.fleet.view import FleetView
from alliage.link.messages import NewTable
from tests.builders import CATALOG, a_node, a_replica, a_replica_report, a_service

_SERVICE = a_service(objective=Objective(ttft_s=1.0, tpot_s=0.04))
_VIEW = FleetView(version=1, services=(_SERVICE,), replicas=(a_replica(phase=ReplicaPhase.READY),))
_ID = ReplicaId("tiny-000001")
_HEARD = NodeReport(node=a_node(), free_bytes={}, replicas={_ID: a_replica_report(_ID)}, heard_s=0.0)


def test_a_replica_whose_agent_is_not_heard_is_doubted_and_stays() -> None:
    """It is where it was, and doubted until its agent is heard again."""
    heard = endpoints_after({}, _VIEW, {NodeId("laptop"): _HEARD}, {})
    assert not heard[_ID].is_doubted
    silent = endpoints_after(heard, _VIEW, {}, {})
    assert silent == {_ID: replace(heard[_ID], is_doubted=True)}
    assert endpoints_after(silent, _VIEW, {NodeId("laptop"): _HEARD}, {}) == heard


def test_a_route_tells_what_is_promised_and_that_none_runs() -> None:
    """The gateway judges by the objective; without any replica who asks is to wait for one."""
    view = replace(_VIEW, replicas=())
    route = build_table(view, {}, {}, version=1).routes[ServiceName("tiny")]
    assert route.objective == _SERVICE.objective
    assert route.upstreams == ()
    assert "being started" in route.waiting


def test_gateways_are_told_what_the_engines_behind_them_serve() -> None:
    """Of those that have an upstream, by the catalogue."""
    endpoints = endpoints_after({}, _VIEW, {NodeId("laptop"): _HEARD}, {})
    (upstream,) = endpoints.values()
    told = build_table(_VIEW, endpoints, {}, version=1, engines=CATALOG.engines).serves
    assert told == {upstream.engine: CATALOG.engines[upstream.engine].paths}
    assert build_table(_VIEW, {}, {}, version=1, engines=CATALOG.engines).serves == {}


def test_an_upstream_tells_what_it_is() -> None:
    """In the words that a usage record keeps: model, recipe, engine, chip, site."""
    recipe = replace(_VIEW.replicas[0].recipe, cores=2)
    view = replace(_VIEW, replicas=(replace(_VIEW.replicas[0], recipe=recipe),))
    upstream = endpoints_after({}, view, {NodeId("laptop"): _HEARD}, {})[_ID]
    words = f"{recipe.engine} {recipe.precision} on 2 cores of cpu-x86"
    assert upstream.origin == Origin(model="tiny", recipe=words, engine=recipe.engine, chip="cpu-x86", site="local")


def test_keys_say_whose_prompts_are_logged() -> None:
    """All keys of a tenant that wants it, nobody else's; a gateway reads the same."""
    key = Key(id=KeyId("key-1"), name="ci", role=Role.USER, tenant="acme", sha256="00", created_s=0.0)
    other = replace(key, id=KeyId("key-2"), sha256="01", tenant="other")
    tenants = (Tenant(name="acme", logs_prompts=True), Tenant(name="other", weight=2.0))
    table = build_table(replace(_VIEW, keys=(key, other), tenants=tenants), {}, {}, version=1)
    read = msgspec.json.decode(msgspec.json.encode(NewTable(table=table)), type=NewTable)
    assert [entry.logs_prompts for entry in read.table.keys.values()] == [True, False]
    assert not any(entry.logs_prompts for entry in build_table(_VIEW, {}, {}, version=1).keys.values())


def test_keys_come_with_the_scopes_that_have_limits() -> None:
    """Of a key, its project and its tenant those that are limited; weights that are not 1. A gateway reads the same."""
    key = Key(id=KeyId("key-1"), name="ci", role=Role.USER, tenant="acme", sha256="00", created_s=0.0, project="web")
    free = replace(key, id=KeyId("key-2"), sha256="01", tenant="other", priority=Priority.BATCH)
    few, some = Limits(parallel=1, models=("tiny",)), Limits(requests_per_minute=10)
    view = replace(
        _VIEW,
        keys=(replace(key, limits=few), free),
        projects=(Project(tenant="acme", name="web"), Project(tenant="other", name="app", limits=some)),
        tenants=(Tenant(name="acme", limits=some), Tenant(name="other", weight=2.5)),
    )
    table = build_table(view, {}, {}, version=1)
    mine = KeyEntry(key=KeyId("key-1"), tenant="acme", role=Role.USER, project="web")
    theirs = replace(mine, key=KeyId("key-2"), tenant="other", priority=Priority.BATCH)
    assert table.keys == {"00": replace(mine, scopes=(key_scope("key-1"), tenant_scope("acme"))), "01": theirs}
    assert table.limits == {"tenant:acme": some, "project:other/app": some, "key:key-1": few}
    assert table.weights == {"other": 2.5}
    assert msgspec.json.decode(msgspec.json.encode(NewTable(table=table)), type=NewTable).table == table


def test_a_route_tells_what_its_tokens_cost() -> None:
    """As the price list says of that service; nothing where nobody says."""
    price = TokenPrice(output_micros=7)
    table = build_table(_VIEW, {}, {}, version=1, price_of=lambda service: price if service is _SERVICE else FREE)
    assert table.routes[ServiceName("tiny")].price == price
    assert build_table(_VIEW, {}, {}, version=1).routes[ServiceName("tiny")].price == FREE
