"""LaunchSpec: everything needed to start one engine, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """How to start an engine and how to know that it is ready.

    `environment` is added to a small clean one; the replica's secret key is in it, never in `argv`.
    `cores` is the CPU affinity, empty for all. `ready_path` answers 200 when the engine can serve;
    `ready_within_s` is how long it may take before it counts as failed.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cores: tuple[int, ...]
    host: str
    port: int
    ready_path: str
    ready_within_s: float
