"""Routing tables for tests."""

from alliage.catalog.records import Task
from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry, Route, RoutingTable, Upstream


def a_table(version: int) -> RoutingTable:
    """One service on one replica, one key."""
    upstream = Upstream(replica=ReplicaId("r"), host="127.0.0.1", port=1, key="k", concurrency=4)
    route = Route(
        service=ServiceName("s"),
        created_s=1,
        tasks=(Task.CHAT,),
        upstreams=(upstream,),
        waiting="",
        refusal="",
    )
    return RoutingTable(
        version=version,
        routes={ServiceName("s"): route},
        keys={"00": KeyEntry(key=KeyId("k"), tenant="t", role=Role.USER)},
    )
