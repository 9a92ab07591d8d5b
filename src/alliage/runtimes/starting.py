"""From an order to a spec: where an engine will listen, its secret, its clean environment, its command."""

import contextlib
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from alliage.catalog.records import Catalog, ModelCard, Task
from alliage.control.actions import StartReplica
from alliage.engines.container import container_argv
from alliage.engines.launch import LaunchSpec, Surroundings
from alliage.engines.launchers import LAUNCHERS
from alliage.errors import BadInput
from alliage.footprint.memory import footprint, kv_bytes
from alliage.runtimes.folders import FORMAT, Spec, WatchSpec
from alliage.runtimes.processes import boot_id
from alliage.runtimes.settings import AgentSettings

PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""All that an engine gets of the agent's environment."""


def spec_of(
    order: StartReplica,
    *,
    model_path: Path,
    folder: Path,
    programs: Mapping[str, str],
    catalog: Catalog | None,
    settings: AgentSettings,
) -> Spec:
    """How to start what was ordered, for the replica's `folder`; raises BadInput when this node has no such engine."""
    engine = order.replica.recipe.engine
    facts = catalog.engines.get(engine) if catalog is not None else None
    launcher, program = LAUNCHERS.get(facts.launcher if facts else engine), programs.get(engine)
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
        surroundings=_surroundings(order, folder, catalog, settings),
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
        config=launch.config,
        sleep_path=launch.sleep_path,
        wake_path=launch.wake_path,
        watch=WatchSpec(
            argv=_argv(launch, order.replica.id, settings),
            environment={**clean, **launch.environment},
            cores=launch.cores,
            claim_s=settings.claim_s,
            log_bytes_max=settings.log_bytes_max,
            log_files=settings.log_files,
        ),
    )


def _surroundings(
    order: StartReplica, folder: Path, catalog: Catalog | None, settings: AgentSettings
) -> Surroundings | None:
    """None where the catalogue of this node does not know the engine on the replica's chip."""
    recipe = order.replica.recipe
    engine = catalog.engines.get(recipe.engine) if catalog is not None else None
    chip = catalog.chips.get(recipe.chip) if catalog is not None else None
    facts = engine.on_stack(chip.stack) if engine is not None and chip is not None else None
    if catalog is None or engine is None or facts is None:
        return None
    need = footprint(order.model, engine)
    return Surroundings(
        stack=catalog.stacks[facts.stack],
        facts=facts,
        launch=settings.launch,
        folder=str(folder.absolute()),
        kv_cache_bytes=kv_bytes(need, context_tokens=recipe.context_tokens, concurrency=recipe.concurrency),
    )


def _argv(launch: LaunchSpec, replica: str, settings: AgentSettings) -> tuple[str, ...]:
    if launch.container is None:
        return launch.argv
    program = shutil.which(settings.container_program)
    if program is None:
        raise BadInput(
            f"engines are to be started in containers, but {settings.container_program!r} is not here",
            remedy="install it, set container_program, or start engines as processes (launch)",
        )
    return container_argv(launch, launch.container, program=program, name=f"alliage-{replica}")


def _embeds(model: ModelCard) -> bool:
    return Task.EMBED in model.tasks and Task.CHAT not in model.tasks


def _free_port(host: str) -> int:
    """A port that is free now; an engine that loses the race for it ends, and is started again on another."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as taken:
        taken.bind((host, 0))
        port: int = taken.getsockname()[1]
    return port
