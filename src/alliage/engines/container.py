"""A launch spec with a container -> the command that runs it with Docker or what speaks like it. Pure.

Environment goes by name: values stay in the environment of the command, so that no secret is in its arguments.
"""

from alliage.engines.launch import Container, LaunchSpec


def container_argv(spec: LaunchSpec, container: Container, *, program: str, name: str) -> tuple[str, ...]:
    """`program run ...` in the foreground; it ends when it gets SIGTERM, and leaves nothing behind.

    On the host's network and shared memory, as vLLM's documentation (Using Docker) asks for tensor parallelism.
    """
    return (
        *(program, "run", "--rm", "--init", "--name", name, "--network", "host", "--ipc", "host"),
        *(("--runtime", container.runtime) if container.runtime else ()),
        *(("--cpuset-cpus", ",".join(map(str, spec.cores))) if spec.cores else ()),
        *(word for device in container.devices for word in ("--device", device)),
        *(word for mount in container.mounts for word in ("--volume", _volume(mount.path, writable=mount.writable))),
        *(word for variable in sorted(spec.environment) for word in ("--env", variable)),
        *("--entrypoint", spec.argv[0], container.image, *spec.argv[1:]),
    )


def _volume(path: str, *, writable: bool) -> str:
    return f"{path}:{path}" if writable else f"{path}:{path}:ro"
