"""FleetView: everything a decision may know, at one version."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from alliage.errors import NotFound
from alliage.fleet.demand import Demand
from alliage.fleet.failed import Failed
from alliage.fleet.ids import DeviceId, NodeId, ServiceName
from alliage.fleet.keys import Key
from alliage.fleet.measured import Measured
from alliage.fleet.nodes import Device, Node
from alliage.fleet.replicas import Replica
from alliage.fleet.services import Service
from alliage.fleet.tenants import Project, Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """A read-only picture of desired state and bindings. Every tuple is sorted by id (services and replicas by age)."""

    version: int
    nodes: tuple[Node, ...] = ()
    services: tuple[Service, ...] = ()
    replicas: tuple[Replica, ...] = ()
    keys: tuple[Key, ...] = ()
    free_bytes: Mapping[DeviceId, int] = field(default_factory=dict)
    """Memory free on devices now, as agents told; the store does not keep it, control adds it."""
    measured: tuple[Measured, ...] = ()
    """What was measured of recipes, newest first; control adds it."""
    odd: frozenset[NodeId] = frozenset()
    """Nodes that do less than others of their make, by what was measured; control adds it."""
    tenants: tuple[Tenant, ...] = ()
    """Those of whom more is known than their name."""
    projects: tuple[Project, ...] = ()
    """Likewise, by tenant and name."""
    failed: tuple[Failed, ...] = ()
    """Recipes that are not tried again until somebody asks."""
    demand: Mapping[ServiceName, Demand] = field(default_factory=dict)
    """What is asked of services; control adds it."""

    def service(self, name: str) -> Service:
        """The service of that name; raises NotFound naming the ones there are."""
        for service in self.services:
            if service.name == name:
                return service
        known = ", ".join(service.name for service in self.services) or "none"
        raise NotFound(f"there is no service {name!r}", remedy=f"services: {known}")

    def replicas_of(self, name: ServiceName) -> tuple[Replica, ...]:
        """The replicas of a service, oldest first."""
        return tuple(replica for replica in self.replicas if replica.service == name)

    def node(self, node_id: NodeId) -> Node | None:
        """The node, or None."""
        return next((node for node in self.nodes if node.id == node_id), None)

    def device(self, device_id: DeviceId) -> Device | None:
        """The device, or None."""
        devices = (device for node in self.nodes for device in node.devices)
        return next((device for device in devices if device.id == device_id), None)
