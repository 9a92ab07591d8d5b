"""A cloud in one process for the faces: the real desk and loop over a simulated world, behind a real HTTP server.

Beside it a gateway that recites, so that `chat` has somebody to talk to.
"""

import asyncio
import contextlib
import json
import os
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.responses import Response
from starlette.types import ASGIApp

from alliage.app.home import Home, RunningUp
from alliage.catalog.records import ModelCard
from alliage.control.bookkeeping import Bookkeeper
from alliage.control.keys import digest
from alliage.control.ports import Changes
from alliage.faces.admin.api import build_admin
from alliage.fleet.ids import KeyId, NodeId, ReplicaId
from alliage.fleet.keys import Key, Role
from alliage.fleet.usage import UsageRecord
from alliage.runtimes.processes import boot_id, started_ticks
from tests.builders import CATALOG, a_card, a_node
from tests.control.world import Cards, SimAgents, World
from tests.store.ready import ready_store

ADMIN_KEY = "alliage-admin"
USER_KEY = "alliage-user"
OTHER_KEY = "alliage-other"
Result = TypeVar("Result")


@dataclass(slots=True)
class LoggingAgents(SimAgents):
    """Simulated agents whose logs can be followed; `left` counts followers that were let go. `dirt` ends each line."""

    left: int = 0
    dirt: str = ""

    async def logs(self, node: NodeId, replica: ReplicaId, *, lines: int, follow: bool) -> AsyncIterator[str]:
        """The last lines, then nothing for ever when followed."""
        for number in range(lines):
            yield f"line {number} of {replica}{self.dirt}\n"
        try:
            if follow:
                await asyncio.Event().wait()
        finally:
            self.left += 1


class CatalogueCards(Cards):
    """Cards of the real catalogue; other names are small cards, as in the world's own double."""

    async def resolve(self, reference: str, *, remote_code: bool) -> ModelCard:
        """The card."""
        if reference in CATALOG.models:
            return CATALOG.models[reference]
        return a_card(Path(reference).stem.lower() if "/" in reference else reference)


@dataclass(slots=True)
class Served:
    """What a test needs of the running cloud. `call` runs a function in the server's own thread."""

    world: World
    agents: LoggingAgents
    app: FastAPI
    url: str
    gateway_url: str
    loop: asyncio.AbstractEventLoop
    books: Bookkeeper
    asked: list[dict[str, object]] = field(default_factory=list)

    def call(self, work: Callable[[], Result]) -> Result:
        """The result of `work`, which touches the world."""

        async def run() -> Result:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(timeout=10)

    def take(self, *records: UsageRecord) -> None:
        """Tell the ledger of requests."""
        asyncio.run_coroutine_threadsafe(self.books.take(records), self.loop).result(timeout=10)

    def announce(self, root: Path) -> None:
        """Write what `alliage up` leaves in a home folder."""
        home = Home(root=root)
        home.run.mkdir(parents=True)
        home.admin_key.write_text(ADMIN_KEY + "\n")
        pid = os.getpid()
        running = RunningUp(
            pid=pid,
            started=str(started_ticks(pid)),
            boot_id=boot_id(),
            host="127.0.0.1",
            port=int(self.gateway_url.rpartition(":")[2]),
            admin_port=int(self.url.rpartition(":")[2]),
        )
        home.up_file.write_text(json.dumps({name: getattr(running, name) for name in running.__struct_fields__}))


def build_world() -> tuple[World, LoggingAgents]:
    """A laptop of two cores with three keys."""
    world = World(a_node())
    agents = LoggingAgents(world.clock, world.agents.nodes)
    world.agents = agents
    world.doors.answers = agents.answers
    world.restart_control()
    world.desk._models = CatalogueCards()
    keys = (
        a_key("admin", Role.ADMIN, "default", ADMIN_KEY),
        a_key("user", Role.USER, "default", USER_KEY),
        a_key("other", Role.USER, "other", OTHER_KEY),
    )
    world.store.commit(world.store.snapshot().version, Changes(keys=keys))
    world.run(1)
    return world, agents


def a_key(name: str, role: Role, tenant: str, secret: str) -> Key:
    """A key whose secret the test knows."""
    return Key(id=KeyId(f"key-{name}"), name=name, role=role, tenant=tenant, sha256=digest(secret), created_s=0.0)


def reciting_gateway(asked: list[dict[str, object]]) -> FastAPI:
    """Answers every chat with `abc` letter by letter and remembers what was asked; the model `gone` is refused.

    After it: nothing for ever where the last message is `endless`, what is no JSON where it is `garbled`.
    """
    app = FastAPI()

    @app.get("/v1/models")
    async def models() -> dict[str, object]:
        return {"object": "list", "data": []}

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        body = await request.json()
        asked.append(body | {"authorization": request.headers["authorization"]})
        if body["model"] == "gone":
            error = {"message": "there is no model 'gone'", "type": "invalid_request_error"}
            return JSONResponse({"error": error}, status_code=404)
        return StreamingResponse(_recite(body["messages"][-1]["content"]), media_type="text/event-stream")

    return app


async def _recite(asked: str) -> AsyncIterator[str]:
    for letter in "a\x1bbc":
        yield f"data: {json.dumps({'choices': [{'delta': {'content': letter}}]})}\n\n"
    if asked == "endless":
        await asyncio.Event().wait()
    if asked == "garbled":
        yield "data: {no json\n\n"
    yield "data: [DONE]\n\n"


@contextlib.contextmanager
def served() -> Iterator[Served]:
    """The cloud while inside: passes every 20 ms, each half a virtual second."""
    admin_socket, gateway_socket = _listening(), _listening()
    world, agents = build_world()
    asked: list[dict[str, object]] = []
    gateway_url, url = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in (gateway_socket, admin_socket))
    hosts = frozenset({"127.0.0.1", url.removeprefix("http://")})
    folder = tempfile.TemporaryDirectory()
    store = ready_store(Path(folder.name))
    books = Bookkeeper(store.books(), world.clock, currency="CNY")
    admin = build_admin(world.desk, books=books, gateway_url=gateway_url, version="9.9.9", allowed_hosts=hosts)

    @admin.get("/bug", include_in_schema=False)
    async def bug() -> None:
        raise ZeroDivisionError("secret detail")

    began: list[asyncio.AbstractEventLoop] = []
    ready, over = threading.Event(), threading.Event()

    async def run() -> None:
        servers = [_server(admin), _server(reciting_gateway(asked))]
        tasks = [
            asyncio.create_task(server.serve(sockets=[listener]))
            for server, listener in zip(servers, (admin_socket, gateway_socket), strict=True)
        ]
        began.append(asyncio.get_running_loop())
        while not over.is_set():
            world.run(0.5)
            if all(server.started for server in servers):
                ready.set()
            await asyncio.sleep(0.02)
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(20)
        yield Served(world, agents, admin, url, gateway_url, began[0], books, asked)
    finally:
        over.set()
        thread.join(20)
        books.close()
        store.close()
        folder.cleanup()
        admin_socket.close()
        gateway_socket.close()


def _server(app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))


def _listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener
