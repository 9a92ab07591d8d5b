"""Which function launches which engine of the catalogue: a new engine is its file and a line here."""

from collections.abc import Mapping
from typing import Final, Protocol

from alliage.engines import llamacpp
from alliage.engines.launch import LaunchSpec
from alliage.fleet.replicas import Replica


class Launcher(Protocol):
    """Replica -> launch spec; pure."""

    def __call__(
        self,
        replica: Replica,
        *,
        model_path: str,
        alias: str,
        program: str,
        python: str,
        host: str,
        port: int,
        key: str,
        embed: bool,
    ) -> LaunchSpec:
        """How to start `replica` on a model file with a `program` of the node."""
        ...


LAUNCHERS: Final[Mapping[str, Launcher]] = {"llama.cpp": llamacpp.launch_spec}
