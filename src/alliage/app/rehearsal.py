"""Builds the two processes of a rehearsal: the agent of its nodes, and their engines."""

import asyncio
import gc
from pathlib import Path

from alliage.app.home import Home
from alliage.app.leave import Leave
from alliage.catalog.loader import load_catalog
from alliage.rehearsal.agent import Health, run_rehearsal
from alliage.rehearsal.engines import run_engines
from alliage.rehearsal.faults import Ask, Calamity, ask_for_fault
from alliage.rehearsal.fleet_file import RehearsedNode, read_fleet
from alliage.runtimes.settings import AgentSettings


def fleet_of(home: Home, file: Path) -> tuple[RehearsedNode, ...]:
    """The nodes that a fleet file describes; raises BadInput naming what is wrong in it."""
    return read_fleet(file, load_catalog(*home.catalogs))


def make_happen(home: Home, kind: str, target: str, factor: float) -> str:
    """Let something happen to a replica, node, site or device of the rehearsal that runs; what was done. Raises AlliageError."""
    return asyncio.run(ask_for_fault(home.faults_socket, Ask(kind=Calamity(kind), target=target, factor=factor)))


async def run_rehearsal_agent(home: Home, settings: AgentSettings, file: Path, told: Leave) -> None:
    """Be the agents of the file's nodes until told to leave."""
    await run_rehearsal(
        control=home.control_socket,
        engines=home.engines_socket,
        faults=home.faults_socket,
        nodes=fleet_of(home, file),
        host=settings.host,
        health=Health(
            hung_s=(settings.health_every_s + settings.health_timeout_s) * settings.health_failures,
            ill_s=settings.ill_s,
        ),
        stop=told.stop,
    )


async def run_rehearsed_engines(home: Home, told: Leave) -> None:
    """Be their engines until told to leave."""
    gc.freeze()  # looking through all that was imported takes longer than a step may be late
    await run_engines(home.engines_socket, told.stop)
