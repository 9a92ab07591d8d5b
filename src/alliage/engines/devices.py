"""Which devices a replica is bound to, and how its engine is told them: by variables, device files, mounts. Pure."""

import re
from typing import Final

from alliage.catalog.records import ContainerPolicy, Mount
from alliage.engines.launch import Container, Launch, Surroundings
from alliage.errors import BadInput
from alliage.fleet.ids import DeviceId
from alliage.fleet.replicas import Replica

_LOCAL: Final = re.compile(r".*/[a-z-]+([0-9]+)")


def physical_index(device: DeviceId) -> int:
    """3 of `node/ascend3`: the number by which the vendor's driver knows it. Raises BadInput for another form."""
    match = _LOCAL.fullmatch(device)
    if match is None:
        raise BadInput(f"the device id {device!r} has no number at its end", remedy="device ids are NODE/STACKn")
    return int(match[1])


def bound_indices(replica: Replica) -> tuple[int, ...]:
    """Physical indices of the replica's accelerators in the order of its bindings; empty for CPU devices."""
    return tuple(physical_index(binding.device) for binding in replica.bindings if not binding.cores)


def visible_devices(replica: Replica, surroundings: Surroundings) -> dict[str, str]:
    """The variables that show an engine its devices and no other.

    As a process: the stack's own variables, with physical indices. In a container whose runtime or device files show
    only the bound ones, these are numbered anew from 0 inside, so that only the container's variable is set.
    """
    stack, facts = surroundings.stack, surroundings.facts
    indices = bound_indices(replica)
    if not indices:
        return {}
    told = ",".join(map(str, indices))
    own = (stack.visible_devices,) if facts.visible_devices is None else facts.visible_devices
    names = own
    if surroundings.launch is Launch.CONTAINER:
        outer = stack.container_visible or facts.container_visible
        names = (outer,) if outer else () if _one_file_a_device(surroundings) else own
    return {name: told for name in names if name}


def container_of(
    replica: Replica, surroundings: Surroundings, *, engine: str, model_path: str, config: bool
) -> Container | None:
    """The container, None where processes are started. Raises BadInput where no image is known."""
    if surroundings.launch is Launch.PROCESS:
        return None
    stack, facts = surroundings.stack, surroundings.facts
    image = facts.chip_images.get(replica.recipe.chip, facts.image.value)
    if image is None:
        raise BadInput(
            f"no container image is known for {engine} on {stack.id}",
            remedy=f"start it as a process, or name an image in engines/{engine}.toml of your catalogue folder",
        )
    injected = stack.container is ContainerPolicy.INJECTED
    driver = facts.mounts if stack.container is ContainerPolicy.MOUNTED else ()
    own = (surroundings.folder,) if config else ()
    return Container(
        image=image,
        policy=stack.container,
        runtime=facts.container_runtime,
        devices=() if injected else _device_files(replica, surroundings),
        mounts=(*(Mount(path=path, writable=False) for path in (model_path, *own)), *driver),
    )


def _device_files(replica: Replica, surroundings: Surroundings) -> tuple[str, ...]:
    """Of each bound device, and those they share; a pattern stands for its folder, since a container takes no pattern."""
    indices = bound_indices(replica)
    if not indices:
        return ()
    files: list[str] = []
    for file in surroundings.stack.device_files:
        if "{N}" in file:
            files.extend(file.replace("{N}", str(index)) for index in indices)
        else:
            files.append(file.rpartition("/")[0] if "*" in file else file)
    return tuple(dict.fromkeys(files))


def _one_file_a_device(surroundings: Surroundings) -> bool:
    return any("{N}" in file for file in surroundings.stack.device_files)
