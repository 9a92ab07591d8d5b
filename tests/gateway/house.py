"""The gateway with everything around it, for its tests: control's side of the line, engines, a raw HTTP client."""

import asyncio
import hashlib
import json
import re
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from alliage.catalog.records import Task
from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.keys import Role
from alliage.fleet.limits import Lease, Scope
from alliage.fleet.routing import KeyEntry, Route, RoutingTable, Upstream
from alliage.fleet.services import UNASKED, Objective
from alliage.fleet.traffic import ReplicaTraffic, Traffic
from alliage.fleet.usage import UsageRecord
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.recorder import Recorder
from alliage.gateway.serve import serve
from alliage.gateway.tls import Tls
from alliage.link.line import AnsweredLine, listen
from alliage.link.messages import GatewayHello, GatewayReport, NewLeases, NewTable, Refused, UsageTaken, UsageTold
from alliage.link.stretches import Read, StretchReader

KEY = "alliage-test-key"
_WIRES = 1000
ENGINE_KEY = "engine-secret"


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run on a uvloop loop, as the gateway does."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


async def until(true: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    """Wait until it is true; fails naming `what` after `within_s`."""
    deadline_s = asyncio.get_running_loop().time() + within_s
    while not true():
        if asyncio.get_running_loop().time() > deadline_s:
            raise AssertionError(f"not within {within_s} s: {what}")
        await asyncio.sleep(0.005)


def upstream(
    name: str, port: int, concurrency: int = 4, engine: str = "", *, key: str = ENGINE_KEY, doubted: bool = False
) -> Upstream:
    """A replica on this port; of an engine that nothing is known of, unless one is named."""
    return Upstream(
        replica=ReplicaId(name),
        host="127.0.0.1",
        port=port,
        key=key,
        concurrency=concurrency,
        engine=engine,
        is_doubted=doubted,
    )


def route(
    name: str,
    *upstreams: Upstream,
    tasks: tuple[Task, ...] = (Task.CHAT,),
    waiting: str = "",
    refusal: str = "",
    objective: Objective = UNASKED,
) -> Route:
    """A service."""
    return Route(
        service=ServiceName(name),
        created_s=7,
        tasks=tasks,
        upstreams=upstreams,
        waiting=waiting,
        refusal=refusal,
        objective=objective,
    )


def table(version: int, *routes: Route, keys: tuple[str, ...] = (KEY,), role: Role = Role.USER) -> RoutingTable:
    """A routing table with one person's keys."""
    entries = {
        hashlib.sha256(key.encode()).hexdigest(): KeyEntry(key=KeyId("k"), tenant="house", role=role) for key in keys
    }
    return RoutingTable(version=version, routes={route.service: route for route in routes}, keys=entries)


class Control:
    """Control's side of the line: gives its table to who comes, keeps the reports."""

    def __init__(self, path: Path, first: RoutingTable | None) -> None:
        self._path = path
        self._table = first
        self._lines: set[AnsweredLine] = set()
        self._server: asyncio.Server | None = None
        self.reports: list[GatewayReport] = []
        self.hellos: list[GatewayHello] = []
        self._counts = 0
        self._leases: NewLeases | None = None
        self.refuses = ""
        self.usage: dict[str, UsageRecord] = {}
        """The ledger: each record once, by its id."""
        self.told: list[Read] = []
        self.takes_usage = True

    async def start(self) -> None:
        """Listen."""
        self._server = await listen(self._path, self._answer)

    async def stop(self) -> None:
        """As when control dies."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for line in list(self._lines):
            line.close()
        await until(lambda: not self._lines, "the gateway closed its line")

    def push(self, new: RoutingTable) -> None:
        """Give everyone a new table."""
        self._table = new
        for line in self._lines:
            line.send(NewTable(table=new))

    @property
    def counted(self) -> GatewayReport:
        """The last report that told traffic."""
        return next(each for each in reversed(self.reports) if each.traffic is not None)

    def traffic(self, service: str = "m") -> Traffic:
        """What was told last of a service."""
        return (self.counted.traffic or {}).get(ServiceName(service), Traffic())

    def replica(self, name: str) -> ReplicaTraffic | None:
        """What was told last of a replica; None where it was not."""
        return (self.counted.replicas or {}).get(ReplicaId(name))

    async def counts_again(self) -> None:
        """Wait for traffic that was counted after this call; the first to come may have been on its way."""
        before = self._counts
        await until(lambda: self._counts >= before + 2, "traffic is told again")

    def nonsense(self) -> None:
        """Send everyone a frame that is no message."""
        for line in self._lines:
            line._writer.write(b"\0\0\0\2{]")

    async def swap(self, new: RoutingTable) -> None:
        """Give everyone a new table and wait until it is reported as taken."""
        self.push(new)
        await until(lambda: bool(self.reports) and self.reports[-1].table_version == new.version, "table taken")

    async def lease(self, leases: dict[Scope, Lease]) -> None:
        """Give everyone these leases, now and whenever they come back, and wait until they say that they obey them."""
        number = 1 if self._leases is None else self._leases.number + 1
        self._leases = NewLeases(leases=leases, number=number)
        for line in self._lines:
            line.send(self._leases)
        await until(lambda: bool(self.reports) and self.reports[-1].leases == number, "leases taken")

    def _take(self, line: AnsweredLine, message: UsageTold, read: Read) -> None:
        self.told.append(read)
        if read.records and not self.takes_usage:
            return
        for record in read.records:
            assert self.usage.setdefault(record.id, record) == record
        line.send(UsageTaken(journal=message.journal, number=message.number, upto=read.upto, records=len(read.records)))

    async def _answer(self, line: AnsweredLine) -> None:
        self._lines.add(line)
        reader = StretchReader()
        try:
            while (message := await line.receive()) is not None:
                if isinstance(message, GatewayHello):
                    self.hellos.append(message)
                    if self.refuses:
                        line.send(Refused(why=self.refuses))
                        return
                    if self._leases is not None:
                        line.send(self._leases)
                    if self._table is not None:
                        line.send(NewTable(table=self._table))
                elif isinstance(message, GatewayReport):
                    self.reports.append(message)
                    self._counts += message.traffic is not None
                elif isinstance(message, UsageTold):
                    self._take(line, message, reader.read(message))
        finally:
            self._lines.discard(line)


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer as it came over the socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an OpenAI-shaped error."""
        return str(self.json["error"]["code"])


class Wire:
    """A raw client connection: bytes out, answers in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return int(first.split()[1]), headers

    async def chunk(self) -> bytes:
        """The next chunk of a chunked answer; b"" is the last."""
        size = int(await self.reader.readline(), 16)
        data = await self.reader.readexactly(size)
        assert await self.reader.readexactly(2) == b"\r\n"
        return data

    async def answer(self, *, bodyless: bool = False) -> Answer:
        """The next answer, whole."""
        status, headers = await self.head()
        if bodyless or status in {204, 304}:
            body = b""
        elif "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while piece := await self.chunk():
                body += piece
        else:
            body = await self.reader.read()
        return Answer(status=status, headers=headers, body=body)

    async def closed(self) -> bool:
        """Whether the gateway closed the connection with nothing more to say (waits for it)."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 10) == b""
        except ConnectionResetError:
            return True


class House:
    """A gateway in work."""

    def __init__(
        self,
        port: int,
        control: Control,
        stop: asyncio.Event,
        done: asyncio.Task[None],
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.port = port
        self.trust = trust
        """What raw connections speak TLS by; None: they do not."""
        self.control = control
        self.stop = stop
        self.done = done
        self._wires: list[Wire] = []

    async def dial(self, *, plain: bool = False) -> Wire:
        """A raw connection, closed with the house; `plain` for one without TLS whatever the house speaks."""
        trust = None if plain else self.trust
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port, ssl=trust))
        self._wires.append(wire)
        if len(self._wires) % _WIRES == 0:  # a soak dials hundreds of thousands
            self._wires = [each for each in self._wires if not each.writer.is_closing()]
        return wire

    async def ask(self, raw: bytes) -> Answer:
        """One request on a connection of its own."""
        wire = await self.dial()
        await wire.send(raw)
        answer = await wire.answer(bodyless=raw.startswith(b"HEAD"))
        wire.writer.close()
        return answer

    async def chat(self, model: str = "m", **more: Any) -> Answer:
        """One chat request."""
        return await self.ask(post(chat_body(model, **more)))

    async def metrics(self) -> dict[str, float]:
        """Every sample of `/metrics` by its name and labels, summed over gateways, tenants and chips."""
        text, sums = (await self.ask(get("/metrics"))).body.decode(), dict[str, float]()
        for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, flags=re.MULTILINE):
            kept = sorted(re.findall(r'(?!gateway=|tenant=|chip=)\b\w+="[^"]*"', labels))
            whole = f"{name}{{{','.join(kept)}}}" if kept else name
            sums[whole] = sums.get(whole, 0) + float(value)
        return sums

    async def holds(self, number: int, *, kind: str = "held") -> None:
        """Wait until so many requests are held; of the kind `queued`: wait for their turn."""
        deadline_s = asyncio.get_running_loop().time() + 10
        while (held := (await self.metrics())[f"alliage_gateway_{kind}"]) != number:
            assert asyncio.get_running_loop().time() < deadline_s, held

    async def health(self) -> Any:
        """What `/health` tells."""
        return (await self.ask(get("/health", key=None))).json

    async def at_rest(self) -> None:
        """Nothing is in flight or held any more."""
        deadline_s = asyncio.get_running_loop().time() + 10
        while True:
            metrics = await self.metrics()
            busy = {
                name: value for name, value in metrics.items() if value and ("in_flight{" in name or "held" in name)
            }
            if not busy:
                return
            assert asyncio.get_running_loop().time() < deadline_s, busy
            await asyncio.sleep(0.01)

    async def alone(self) -> None:
        """Wait until every client that left is known to have left."""
        deadline_s = asyncio.get_running_loop().time() + 10
        while (guests := (await self.metrics())["alliage_gateway_connections"]) != 1:
            assert asyncio.get_running_loop().time() < deadline_s, guests

    def hang_up(self) -> None:
        """Close all raw connections."""
        for wire in self._wires:
            wire.writer.close()


@asynccontextmanager
async def house(
    first: RoutingTable | None,
    limits: GatewayLimits | None = None,
    recorder: Recorder | None = None,
    *,
    usage: Path | None = None,
    name: str = "test",
    metrics: Path | None = None,
    tls: Tls | None = None,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[House]:
    """A gateway on a port of its own, with control giving it the table `first`; ended with the block.

    `usage` is where its journal is, a folder that goes with the block where none is given.
    """
    folder = Path(tempfile.mkdtemp(prefix="al", dir="/tmp"))
    control = Control(folder / "control.sock", first)
    await control.start()
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(1024)
    sock.setblocking(False)
    port, stop = sock.getsockname()[1], asyncio.Event()
    limits = limits or GatewayLimits(drain_s=2.0)
    serving = serve(
        sock=sock,
        control=folder / "control.sock",
        limits=limits,
        stop=stop,
        door=name,
        name=name,
        recorder=recorder,
        metrics=metrics,
        usage=usage or folder / "usage",
        tls=tls,
    )
    done = asyncio.create_task(serving)
    place = House(port, control, stop, done, trust)
    try:
        if first is not None:
            await until(lambda: bool(control.reports) or done.done(), "the gateway took its first table")
        yield place
    finally:
        place.hang_up()
        stop.set()
        await asyncio.wait_for(done, 15)
        await control.stop()
        shutil.rmtree(folder, ignore_errors=True)


def chat_body(model: str = "m", **more: Any) -> bytes:
    """A chat request's body."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "abc"}], **more}).encode()


def post(
    body: bytes, path: str = "/v1/chat/completions", key: str | None = KEY, extra: str = "", version: str = "1.1"
) -> bytes:
    """A POST as bytes; `extra` are whole header lines."""
    bearer = "" if key is None else f"Authorization: Bearer {key}\r\n"
    head = f"POST {path} HTTP/{version}\r\nHost: h\r\n{bearer}Content-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def get(path: str, key: str | None = KEY, method: str = "GET", extra: str = "") -> bytes:
    """A GET as bytes."""
    bearer = "" if key is None else f"Authorization: Bearer {key}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: h\r\n{bearer}{extra}\r\n".encode()
