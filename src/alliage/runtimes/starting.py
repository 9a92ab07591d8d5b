"""From an order to a spec: where an engine will listen, its secret, its clean environment, its command."""

import contextlib
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from alliage.catalog.records import ModelCard, Task
from alliage.control.actions import StartReplica
from alliage.engines.launchers import LAUNCHERS
from alliage.errors import BadInput
from alliage.runtimes.folders import FORMAT, Spec, WatchSpec
from alliage.runtimes.processes import boot_id
from alliage.runtimes.settings import AgentSettings

PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""All that an engine gets of the agent's environment."""


def spec_of(order: StartReplica, model_path: Path, programs: Mapping[str, str], settings: AgentSettings) -> Spec:
    """How to start what was ordered; raises BadInput when this node has no such engine."""
    engine = order.replica.recipe.engine
    launcher, program = LAUNCHERS.get(engine), programs.get(engine)
    if launcher is None or program is None:
        here = ", ".join(sorted(programs)) or "none"
        raise BadInput(f"this node has no engine {engine!r}", remedy=f"engines here: {here}")
    key = secrets.token_urlsafe(32)
    launch = launcher(
        order.replica,
        model_path=str(model_path),
        alias=order.replica.service,
        program=program,
        python=settings.python,
        host=settings.host,
        port=_free_port(settings.host),
        key=key,
        embed=_embeds(order.model),
    )
    clean = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return Spec(
        format=FORMAT,
        replica=order.replica.id,
        attempt=order.attempt,
        host=launch.host,
        port=launch.port,
        key=key,
        ready_path=launch.ready_path,
        ready_within_s=launch.ready_within_s,
        boot_id=boot_id(),
        watch=WatchSpec(
            argv=launch.argv,
            environment={**clean, **launch.environment},
            cores=launch.cores,
            claim_s=settings.claim_s,
            log_bytes_max=settings.log_bytes_max,
            log_files=settings.log_files,
        ),
    )


def _embeds(model: ModelCard) -> bool:
    return Task.EMBED in model.tasks and Task.CHAT not in model.tasks


def _free_port(host: str) -> int:
    """A port that is free now; an engine that loses the race for it ends, and is started again on another."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as taken:
        taken.bind((host, 0))
        port: int = taken.getsockname()[1]
    return port
