"""The routing table: doubts of replicas whose agents are not heard, what waits, what is promised."""

from dataclasses import replace

from alliage.control.observed import NodeReport
from alliage.control.table import build_table, endpoints_after
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.prices import FREE, TokenPrice
from alliage.fleet.services import Objective
from alliage.fleet.view import FleetView
from tests.builders import a_node, a_replica, a_replica_report, a_service

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


def test_a_route_tells_what_its_tokens_cost() -> None:
    """As the price list says of that service; nothing where nobody says."""
    price = TokenPrice(output_micros=7)
    table = build_table(_VIEW, {}, {}, version=1, price_of=lambda service: price if service is _SERVICE else FREE)
    assert table.routes[ServiceName("tiny")].price == price
    assert build_table(_VIEW, {}, {}, version=1).routes[ServiceName("tiny")].price == FREE
