"""What may be set about an agent, with the defaults. Durations are monotonic seconds."""

import sys
from dataclasses import dataclass

from alliage.engines.launch import Launch
from alliage.units import MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Durations in seconds, sizes in bytes."""

    region: str = ""
    """Of the site where this machine is; a service's residency may name it."""
    tags: tuple[str, ...] = ()
    """Other names of that site that a service's residency may name."""
    llama_server: str = ""
    """Empty for the bundled llama.cpp, `path` for the `llama-server` on PATH, or the path of one."""
    vllm_python: str = ""
    """The Python that has vLLM, or `path` for the `python3` on PATH; empty for a node without vLLM."""
    launch: Launch = Launch.PROCESS
    """Whether engines are started as processes or, `container`, in containers of the catalogue's images."""
    container_program: str = "docker"
    """Runs containers; it must understand Docker's `run`."""
    host: str = "127.0.0.1"
    """Where engines listen."""
    python: str = sys.executable
    """Runs the bundled engines."""
    leave_engines: bool = False
    """Whether engines stay when the agent is told to stop (then the next agent adopts them)."""
    grace_s: float = 10.0
    """What an engine has to end by itself when the agent ends it."""
    claim_s: float = 60.0
    """An engine that no agent claimed for so long is gone."""
    probe_every_s: float = 0.1
    """While it starts."""
    health_every_s: float = 2.0
    """How often an engine that is ready is asked whether it is well."""
    health_timeout_s: float = 5.0
    """How long it may take to answer that."""
    health_failures: int = 3
    """In a row, until a replica counts as ill."""
    ill_s: float = 60.0
    """An engine that was ill for so long without a break is ended, and started again by control."""
    log_bytes_max: int = 8 * MIB
    """A log file of an engine that is larger is put aside."""
    log_files: int = 3
    """Of each replica: so 24 MiB at most."""
    gone_folders: int = 20
    """Logs of that many replicas that are gone are kept."""
    report_every_s: float = 1.0
    """The heartbeat to control."""
    report_gap_s: float = 0.1
    """Changes nearer together are told together."""
    stopped_told_s: float = 10.0
    """How long a stopped replica stays in the reports once it was told."""
    redial_first_s: float = 0.1
    """First wait before control is dialled again; doubles each time."""
    redial_last_s: float = 2.0
    """Longest wait before control is dialled again."""
