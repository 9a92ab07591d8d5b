"""A stand-in of control at the real link: it gives the gateway one routing table and hears that it was taken."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.catalog.records import Task
from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry, Route, RoutingTable, Tempo, Upstream
from alliage.fleet.services import Objective
from alliage.link.line import AnsweredLine, listen
from alliage.link.messages import GatewayReport, NewTable

SERVICE: Final = ServiceName("bench")
REPLICAS: Final = 4
KEYS: Final = 100
VERSION: Final = 1
TEMPO: Final = Tempo(
    request_s=0.002, prompt_token_s=1e-4, prompt_pair_s=1e-9, step_s=0.01, step_request_s=1e-4, step_held_s=1e-8,
    step_tokens=2048, kv_tokens=200_000,
)  # fmt: skip
"""So that replicas are chosen as they are where speeds are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Where it listens, a secret that the table knows, and an event: a gateway works by the table."""

    path: Path
    secret: str
    taken: asyncio.Event


def build_table(upstream_port: int, secret: str) -> RoutingTable:
    """One service with a few replicas, all of them the one upstream, and `secret` among other keys."""
    others = (secrets.token_urlsafe(32) for _ in range(KEYS - 1))
    entries = {
        hashlib.sha256(one.encode()).hexdigest(): KeyEntry(key=KeyId(f"key-{i}"), tenant="bench", role=Role.USER)
        for i, one in enumerate((*others, secret))
    }
    upstreams = tuple(
        Upstream(
            replica=ReplicaId(f"bench-{i}"),
            host="127.0.0.1",
            port=upstream_port,
            key=secrets.token_urlsafe(32),
            concurrency=64,
            tempo=TEMPO,
        )
        for i in range(REPLICAS)
    )
    route = Route(
        service=SERVICE,
        created_s=1_700_000_000,
        tasks=(Task.CHAT,),
        upstreams=upstreams,
        waiting="",
        refusal="",
        objective=Objective(ttft_s=1.0, tpot_s=0.05),
    )
    return RoutingTable(version=VERSION, routes={SERVICE: route}, keys=entries)


@asynccontextmanager
async def standing_in(path: Path, upstream_port: int) -> AsyncIterator[Control]:
    """Listen at `path` for a gateway as long as the context is open."""
    control = Control(path=path, secret=f"alliage-{secrets.token_urlsafe(32)}", taken=asyncio.Event())
    table = build_table(upstream_port, control.secret)

    async def answer(line: AnsweredLine) -> None:
        await line.receive()
        line.send(NewTable(table=table))
        while (message := await line.receive()) is not None:
            if isinstance(message, GatewayReport) and message.table_version == VERSION:
                control.taken.set()

    server = await listen(path, answer)
    try:
        yield control
    finally:
        server.close()
