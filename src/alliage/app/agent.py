"""Builds the agent of this machine."""

import asyncio
import re
import socket
import time
from functools import partial

from alliage.app.home import Home, write_private
from alliage.app.leave import Leave
from alliage.catalog.loader import load_catalog
from alliage.fleet.ids import NodeId
from alliage.runtimes.agent import run_agent
from alliage.runtimes.detection.accelerators import detect_accelerators
from alliage.runtimes.detection.watch import AcceleratorWatch
from alliage.runtimes.settings import AgentSettings
from alliage.weights.fetch import WeightStore


def node_name(home: Home) -> NodeId:
    """What this machine is called: as its home folder says, else by its host name, made safe."""
    if home.node_id.exists():
        return NodeId(home.node_id.read_text().strip())
    name = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower()).strip("-")[:40].strip("-")
    return NodeId(name or "node")


def keep_node_name(home: Home) -> NodeId:
    """The same, and from now on whatever the host is called later."""
    name = node_name(home)
    if not home.node_id.exists():
        write_private(home.node_id, name + "\n")
    return name


async def run_node_agent(home: Home, settings: AgentSettings, told: Leave) -> None:
    """Run the agent until told to leave: its engines end with it, but stay for the next `up` when it was orphaned."""
    stop, leave = asyncio.Event(), asyncio.Event()
    weights = WeightStore(home.models)
    weights.remove_old_parts(time.time())
    catalog = load_catalog(*home.catalogs)
    node = keep_node_name(home)
    agent = asyncio.create_task(
        run_agent(
            control=home.control_socket,
            home=home.root,
            node=node,
            site="local",
            chips=catalog.chips.values(),
            weights=weights,
            settings=settings,
            stop=stop,
            leave=leave,
            at_once=told.at_once,
            accelerators=AcceleratorWatch(partial(detect_accelerators, catalog.chips, catalog.stacks, node=node)),
            catalog=catalog,
        ),
    )
    leaving = asyncio.create_task(told.stop.wait())
    await asyncio.wait({agent, leaving}, return_when=asyncio.FIRST_COMPLETED)
    (leave if told.orphaned else stop).set()
    leaving.cancel()
    await agent
