"""Safety property 1 as a last line of defence: pure, no SQL. Deciders must never need it.

Only bindings that a commit adds are judged. A device that shrinks under bindings it already has is a fact to
record, not a commit to refuse: refusing would keep the store from ever learning of it.
"""

from collections.abc import Iterable, Mapping

from alliage.errors import StoreError
from alliage.fleet.ids import DeviceId, ReplicaId
from alliage.fleet.nodes import Device
from alliage.fleet.replicas import Binding, Replica

NewlyBound = Mapping[DeviceId, frozenset[ReplicaId]]
"""The devices on which a commit binds something that was not bound before, and the replicas that get it."""


def newly_bound(put: Iterable[Replica], before: Mapping[ReplicaId, tuple[Binding, ...]]) -> NewlyBound:
    """Where `put` binds something else than the replicas had `before`."""
    found: dict[DeviceId, frozenset[ReplicaId]] = {}
    for replica in put:
        had = before.get(replica.id, ())
        for binding in replica.bindings:
            if replica.bindings.count(binding) > had.count(binding):
                found[binding.device] = found.get(binding.device, frozenset()) | {replica.id}
    return found


def refuse_overbound(
    touched: NewlyBound,
    devices: Mapping[DeviceId, Device],
    bindings: Mapping[ReplicaId, tuple[Binding, ...]],
) -> None:
    """Check each touched device against all `bindings` after the commit; raises StoreError naming the device."""
    for device_id in sorted(touched):
        held = [
            (replica, binding) for replica, rows in bindings.items() for binding in rows if binding.device == device_id
        ]
        if not held:
            continue
        why = _overbound(devices.get(device_id), held, touched[device_id])
        if why:
            raise StoreError(
                f"this commit would bind more of device {device_id!r} than it has: {why}",
                remedy="nothing was written; this is a mistake in Alliage, please report it with this line",
            )


def _overbound(device: Device | None, held: list[tuple[ReplicaId, Binding]], new: frozenset[ReplicaId]) -> str:
    if device is None:
        return "no node has such a device"
    wanted_bytes = sum(binding.memory_bytes for _, binding in held)
    if wanted_bytes > device.memory_bytes:
        return f"{wanted_bytes} of {device.memory_bytes} bytes"
    if len(held) > 1 and any(not binding.cores for _, binding in held):
        return f"it is given whole and also shared, by {_names(held)}"
    return _core_twice(device, held, new)


def _core_twice(device: Device, held: list[tuple[ReplicaId, Binding]], new: frozenset[ReplicaId]) -> str:
    holders: dict[int, ReplicaId] = {}
    for replica, binding in held:
        for core in binding.cores:
            if core not in device.cores and replica in new:  # an older one is leaving: its core is gone
                return f"{replica} takes core {core}, it has {list(device.cores)}"
            if core in holders:
                return f"core {core} is bound by {holders[core]} and by {replica}"
            holders[core] = replica
    return ""


def _names(held: list[tuple[ReplicaId, Binding]]) -> str:
    return ", ".join(sorted({replica for replica, _ in held}))
