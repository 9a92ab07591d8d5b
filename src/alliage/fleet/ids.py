"""Identities. Each is a text; the type says of what."""

from typing import NewType

NodeId = NewType("NodeId", str)
DeviceId = NewType("DeviceId", str)
"""`NODE/LOCAL`, such as `laptop/cpu0`: unique in the fleet."""
ServiceName = NewType("ServiceName", str)
"""Also the name of the model at the gateway."""
ReplicaId = NewType("ReplicaId", str)
"""`SERVICE-XXXXXX`: never used again after the replica is gone."""
KeyId = NewType("KeyId", str)
