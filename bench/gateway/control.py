"""A stand-in of control at the real link: it gives a gateway one routing table and leases, and takes what it tells."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from alliage.catalog.records import Task
from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.keys import Role
from alliage.fleet.limits import Lease, Limits, Scope, key_scope, project_scope, tenant_scope
from alliage.fleet.prices import TokenPrice
from alliage.fleet.routing import KeyEntry, Route, RoutingTable, Tempo, Upstream
from alliage.fleet.services import UNASKED, Objective
from alliage.fleet.usage import Origin
from alliage.link.line import AnsweredLine, listen
from alliage.link.messages import GatewayReport, NewLeases, NewTable, UsageTaken, UsageTold
from alliage.link.stretches import Read, StretchReader

SERVICE: Final = ServiceName("bench")
SLOW: Final = ServiceName("slow")
"""Asked for by slow streams, so that nothing that is learned of their pace touches the others."""
REPLICAS: Final = 4
TENANTS: Final = 4
KEYS: Final = 100
KEYS_USED: Final = 16
VERSION: Final = 1
LEASE_S: Final = 1.0
"""How often a gateway that tells its use gets leases anew."""
_MANY: Final = 10**12
TEMPO: Final = Tempo(
    request_s=0.002, prompt_token_s=1e-6, prompt_pair_s=1e-13, step_s=0.01, step_request_s=1e-6, step_held_s=1e-10,
    step_tokens=1_000_000, kv_tokens=100_000_000,
)  # fmt: skip
"""So that replicas are chosen as they are where speeds are known, and no objective is ever in danger."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What gateways told in all: whether they tell the use of limits, and how many usage records they told."""

    use: bool = False
    records: int = 0
    last: dict[str, int] = field(default_factory=dict)
    """Of each journal, up to where it was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Where it listens, secrets that the table knows, an event: a gateway works by the table; and what was told."""

    path: Path
    secrets: tuple[str, ...]
    taken: asyncio.Event
    told: Told


def _entry(number: int) -> KeyEntry:
    key, tenant = f"key-{number}", f"tenant-{number % TENANTS}"
    scopes = (key_scope(key), project_scope(tenant, "main"), tenant_scope(tenant))
    return KeyEntry(key=KeyId(key), tenant=tenant, role=Role.USER, project="main", scopes=scopes)


def _route(service: ServiceName, upstream_port: int, objective: Objective) -> Route:
    upstreams = tuple(
        Upstream(
            replica=ReplicaId(f"{service}-{i}"),
            host="127.0.0.1",
            port=upstream_port,
            key=secrets.token_urlsafe(32),
            concurrency=4096,
            tempo=TEMPO,
            origin=Origin(model="bench", recipe="bench", engine="bench", chip="bench", site="bench"),
        )
        for i in range(REPLICAS)
    )
    return Route(
        service=service,
        created_s=1_700_000_000,
        tasks=(Task.CHAT,),
        upstreams=upstreams,
        waiting="",
        refusal="",
        objective=objective,
        price=TokenPrice(prompt_micros=150_000, cached_micros=75_000, output_micros=600_000),
    )


def build_table(upstream_port: int, known: tuple[str, ...]) -> RoutingTable:
    """Two services with a few replicas each, all of them the one upstream; `known` secrets among others; limits on all."""
    others = (secrets.token_urlsafe(32) for _ in range(KEYS - len(known)))
    entries = {hashlib.sha256(one.encode()).hexdigest(): _entry(i) for i, one in enumerate((*known, *others))}
    limits = Limits(
        requests_per_minute=_MANY,
        tokens_per_minute=_MANY,
        parallel=_MANY,
        context_tokens=_MANY,
        models=(SERVICE, SLOW),
        day_micros=_MANY,
        month_micros=_MANY,
    )
    routes = {
        SERVICE: _route(SERVICE, upstream_port, Objective(ttft_s=1.0, tpot_s=0.05)),
        SLOW: _route(SLOW, upstream_port, UNASKED),
    }
    scopes = {scope for entry in entries.values() for scope in entry.scopes}
    return RoutingTable(version=VERSION, routes=routes, keys=entries, limits=dict.fromkeys(sorted(scopes), limits))


def build_leases(table: RoutingTable) -> Mapping[Scope, Lease]:
    """A share of every limit of the table, so large that nothing is refused."""
    lease = Lease(
        requests_per_minute=float(_MANY),
        tokens_per_minute=float(_MANY),
        parallel=_MANY,
        spend_until_micros=_MANY,
        limit="day",
        resets_s=time.time() + 86_400,
    )
    return dict.fromkeys(table.limits, lease)


@asynccontextmanager
async def standing_in(path: Path, upstream_port: int) -> AsyncIterator[Control]:
    """Listen at `path` for gateways as long as the context is open."""
    known = tuple(f"alliage-{secrets.token_urlsafe(32)}" for _ in range(KEYS_USED))
    control = Control(path=path, secrets=known, taken=asyncio.Event(), told=Told())
    table = build_table(upstream_port, known)

    async def answer(line: AnsweredLine) -> None:
        reader = StretchReader()
        await line.receive()
        line.send(NewTable(table=table))
        line.send(NewLeases(leases=build_leases(table)))
        leased_s = time.monotonic()
        while (message := await line.receive()) is not None:
            if isinstance(message, UsageTold):
                _take(line, message, reader.read(message), control.told)
            elif isinstance(message, GatewayReport):
                if message.table_version == VERSION:
                    control.taken.set()
                control.told.use |= bool(message.use)
                if message.use and time.monotonic() >= leased_s + LEASE_S:
                    leased_s = time.monotonic()
                    line.send(NewLeases(leases=build_leases(table)))

    server = await listen(path, answer)
    try:
        yield control
    finally:
        server.close()


def _take(line: AnsweredLine, message: UsageTold, read: Read, told: Told) -> None:
    """As the ledger does: what was told again is taken once, and acknowledged each time."""
    if message.at >= told.last.get(message.journal, 0):
        told.last[message.journal] = read.upto
        told.records += len(read.records)
    line.send(UsageTaken(journal=message.journal, number=message.number, upto=read.upto, records=len(read.records)))
