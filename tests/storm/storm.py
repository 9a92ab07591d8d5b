"""Requests against a real gateway while it and its control are killed at random, and what the ledger says at the end."""

import asyncio
import hashlib
import random
import shutil
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import msgspec

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry, RoutingTable
from tests.gateway.house import KEY, route, upstream
from tests.gateway.upstream import Engine
from tests.storm.asked import Asked, Kind, Saw
from tests.storm.client import ask
from tests.storm.control import read_ledger
from tests.storm.engine import behaviour
from tests.storm.judge import Verdict, judge

_KINDS = (Kind.STREAM,) * 8 + (Kind.WHOLE,) * 5 + (Kind.LEAVES, Kind.DIES, Kind.SILENT, Kind.SLOW)
_MARK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A storm. `bug` is one of control's, or "wiped": the journals go with the gateway.

    Kills come a moment after about so many requests have ended since the last one, so a slow machine has as many as a fast one.
    """

    requests: int
    seed: int
    clients: int = 32
    gateway_every: int = 150
    control_every: int = 70
    slack_s: float = 2.0
    """What a busy machine may delay a progress mark."""
    bug: str = ""


@dataclass(slots=True, kw_only=True)
class Kills:
    """How often each was killed."""

    gateway: int = 0
    control: int = 0
    gateway_s: float = 0.0
    """When the gateway was killed last."""


class Child:
    """A process that is started again whenever it was killed."""

    def __init__(self, *argv: str, descriptors: tuple[int, ...] = ()) -> None:
        self._argv = argv
        self._descriptors = descriptors
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Run it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *self._argv, pass_fds=self._descriptors, stdout=asyncio.subprocess.DEVNULL
        )

    async def kill(self) -> None:
        """At once, with SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def end(self) -> None:
        """With SIGTERM: it may finish what it has."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


def requests(plan: Plan) -> list[Asked]:
    """What is asked, by the seed."""
    chance = random.Random(plan.seed)
    return [
        Asked(id=f"storm-{number}", kind=chance.choice(_KINDS), tokens=chance.randint(4, 40))
        for number in range(plan.requests)
    ]


async def run(plan: Plan) -> tuple[Verdict, Kills]:
    """All of it: a minute or so for each ten thousand requests."""
    folder = Path(tempfile.mkdtemp(prefix="storm", dir="/tmp"))
    asked = {each.id: each for each in requests(plan)}
    kills = Kills()
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    try:
        async with AsyncExitStack() as stack:
            engines = [await stack.enter_async_context(Engine(behaviour(asked, 0.004))) for _ in range(2)]
            table = folder / "table.json"
            table.write_bytes(msgspec.json.encode(_table([engine.port for engine in engines])))
            link, ledger, usage = folder / "control.sock", folder / "ledger.db", folder / "usage"
            bug = "" if plan.bug == "wiped" else plan.bug
            control = Child("tests.storm.control", str(link), str(table), str(ledger), bug)
            gateway = Child(
                "tests.storm.gateway", str(sock.fileno()), str(link), str(usage), str(_MARK_S),
                descriptors=(sock.fileno(),),
            )  # fmt: skip
            for child in (control, gateway):
                await child.start()
                stack.push_async_callback(child.kill)
            await _blow(plan, list(asked.values()), sock.getsockname()[1], control, gateway, usage, kills)
            await _settle(usage, gateway)
            await control.end()
            verdict = judge(list(asked.values()), read_ledger(ledger), interval_s=_MARK_S + plan.slack_s)
            return verdict, kills
    finally:
        sock.close()
        shutil.rmtree(folder, ignore_errors=True)


async def _blow(  # noqa: C901, PLR0917 - the parts of one storm
    plan: Plan, asked: list[Asked], port: int, control: Child, gateway: Child, usage: Path, kills: Kills
) -> None:
    """Ask for all, and kill meanwhile."""
    waiting = iter(asked)
    ended = 0
    is_over = False

    async def client() -> None:
        nonlocal ended
        for each in waiting:
            await ask(port, each, monotonic)
            if each.saw is Saw.CUT:
                each.ended_s = kills.gateway_s  # it may be noticed late
            else:
                ended += 1

    async def comes(chance: random.Random, every: int) -> bool:
        """Any instant after so many requests; False when all have ended. Whoever kills starts again too, so it is not cut off."""
        due = ended + chance.randint(every // 3, every * 5 // 3)
        while ended < due and not is_over:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.005)
        await asyncio.sleep(chance.uniform(0, 0.1))
        return not is_over

    async def kill_gateway() -> None:
        chance = random.Random(f"{plan.seed}-gateway")
        while await comes(chance, plan.gateway_every):
            kills.gateway += 1
            kills.gateway_s = monotonic()
            await gateway.kill()
            if plan.bug == "wiped":
                shutil.rmtree(usage, ignore_errors=True)
            await gateway.start()

    async def kill_control() -> None:
        chance = random.Random(f"{plan.seed}-control")
        while await comes(chance, plan.control_every):
            kills.control += 1
            await control.kill()
            await asyncio.sleep(chance.uniform(0, 0.3))
            await control.start()

    killers = [asyncio.create_task(kill_gateway()), asyncio.create_task(kill_control())]
    async with asyncio.TaskGroup() as group:
        for _ in range(plan.clients):
            group.create_task(client())
    is_over = True
    await asyncio.gather(*killers)


async def _settle(usage: Path, gateway: Child) -> None:
    """Let control take everything: journals of the dead go first, then a gateway that ends takes its own away."""
    await gateway.end()
    deadline_s = monotonic() + 200
    while usage.exists() and any(usage.iterdir()):
        assert monotonic() < deadline_s, sorted(usage.iterdir())
        await gateway.start()
        await asyncio.sleep(1)
        await gateway.end()


def _table(ports: list[int]) -> RoutingTable:
    upstreams = [upstream(f"m-{port}", port, engine="llama.cpp", concurrency=64) for port in ports]
    who = KeyEntry(key=KeyId("k"), tenant="house", role=Role.USER)
    service = route("m", *upstreams)
    return RoutingTable(
        version=1, routes={service.service: service}, keys={hashlib.sha256(KEY.encode()).hexdigest(): who}
    )
