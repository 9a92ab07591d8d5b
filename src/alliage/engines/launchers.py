"""Which function launches which engine of the catalogue: a new kind of engine is its file and a line here."""

from collections.abc import Mapping
from typing import Final, Protocol

from alliage.engines import llamacpp, mindie, sglang, vllm
from alliage.engines.launch import LaunchSpec, Surroundings
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
        surroundings: Surroundings | None = None,
    ) -> LaunchSpec:
        """How to start `replica` on a model file or folder with a `program` of the node.

        `surroundings` are None where the catalogue has no facts of the engine on the replica's chip.
        """
        ...


LAUNCHERS: Final[Mapping[str, Launcher]] = {
    "llama.cpp": llamacpp.launch_spec,
    "mindie": mindie.launch_spec,
    "sglang": sglang.launch_spec,
    "vllm": vllm.launch_spec,
}
"""By `Engine.launcher`."""
