"""The cloud of a storm: the processes that `alliage up --fleet` starts, by the same command lines, started again when they are killed.

Control with its store and ledger, gateway, and the agent of a rehearsed fleet are real; its engines are the storm's (`hall`).
"""

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

from alliage.app.home import Home, open_home
from tests.storm.asked import PRICE, TENANTS, Asked
from tests.storm.engine import behaviour
from tests.storm.hall import Hall

MARK_S: Final = 0.1
_WITHIN_S: Final = 120.0
_PAUSE_S: Final = 0.004
_SETTINGS: Final = f"""
[gateway]
usage_mark_s = {MARK_S}
usage_tell_s = 0.05
redial_max_s = 0.2
drain_s = 5
hold_s = 60
"""
_FLEET: Final = """
[[sites]]
name = "hall"

[[nodes]]
name = "h20"
site = "hall"
count = 2
devices = [{ chip = "nvidia-h20" }]
"""
_LIMITS: Final = {
    "requests_per_minute": 10_000_000,
    "tokens_per_minute": 1_000_000_000,
    "parallel": 10_000,
    "day_micros": 10**12,
    "month_micros": 10**12,
}
"""On, and never reached: who is refused uses nothing."""


class Child:
    """One of the processes, as the supervisor starts it."""

    def __init__(
        self, kind: str, home: Home, leash: int, *arguments: str, listener: socket.socket | None = None
    ) -> None:
        self._kind = kind
        self._argv = ["--home", str(home.root), "--leash", str(leash), *arguments]
        self._descriptors = [leash]
        if listener is not None:
            self._descriptors.append(listener.fileno())
            self._argv += ["--listener", str(listener.fileno())]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Run it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "alliage.faces.process", self._kind, *self._argv,
            pass_fds=self._descriptors, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def kill(self) -> None:
        """At once, with SIGKILL."""
        if (process := self._running()) is not None:
            process.kill()
            await process.wait()
        self._process = None

    async def end(self) -> None:
        """With SIGTERM: it may finish what it has."""
        if (process := self._running()) is not None:
            process.terminate()
            await process.wait()
        self._process = None

    def _running(self) -> asyncio.subprocess.Process | None:
        process = self._process
        assert process is None or process.returncode is None, f"{self._kind} ended by itself: {process.returncode}"
        return process


@dataclass(slots=True, kw_only=True)
class Cloud:
    """It runs. `asked` is what its engines know of requests, by id; `keys` are secrets by tenant."""

    home: Home
    control: Child
    asked: dict[str, Asked]
    port: int
    admin_port: int
    gateway_of: Callable[[Home], Child]
    """A gateway of this home or of one that control is not behind; one at a time."""
    keys: dict[str, str] = field(default_factory=dict)
    is_kept: bool = False
    """Its home stays when it ends, to be looked at."""

    async def admin(self, method: str, path: str, body: object = None) -> Any:
        """What the admin API answers; raises OSError for a refusal too."""
        return await asyncio.to_thread(self._admin, method, path, body)

    def _admin(self, method: str, path: str, body: object) -> Any:
        key = self.home.admin_key.read_text().strip()
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.admin_port}/v1/{path}"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, data=data, headers=headers, method=method), timeout=_WITHIN_S
            ) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from error

    async def serves(self) -> None:
        """Wait until the gateway that was started last is there."""
        url = f"http://127.0.0.1:{self.port}/health"
        await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=_WITHIN_S).close())

    async def furnish(self) -> None:
        """A service of two replicas, a price, and two tenants with limits and a key each."""

        async def nodes() -> bool:
            return [node["connected"] for node in (await self.admin("GET", "nodes"))["nodes"]] == [True, True]

        async def replicas() -> bool:
            return bool((await self.admin("GET", "services/m"))["replicas_ready"] == 2)

        await eventually(self._answers, "control answers")
        prices = {name: getattr(PRICE, name) for name in ("prompt_micros", "cached_micros", "output_micros")}
        await self.admin("POST", "prices", {"pattern": "m", **prices})
        for tenant in TENANTS:
            await self.admin("PATCH", f"tenants/{tenant}", {"limits": _LIMITS})
            made = await self.admin("POST", "keys", {"tenant": tenant, "project": "web", "limits": _LIMITS})
            self.keys[tenant] = made["secret"]
        await eventually(nodes, "the nodes are there")
        await self.admin("POST", "services", {"model": "qwen3-0.6b", "name": "m", "min_replicas": 2})
        await eventually(replicas, "the replicas are ready")

    async def _answers(self) -> bool:
        return self.home.admin_key.exists() and bool(await self.admin("GET", "nodes"))


@asynccontextmanager
async def a_cloud() -> AsyncIterator[Cloud]:
    """Control and its fleet run, and the service is ready; no gateway does yet."""
    folder = Path(tempfile.mkdtemp(prefix="storm", dir="/tmp"))
    is_kept = False
    try:
        async with AsyncExitStack() as stack:
            home = open_home(folder / "home")
            home.settings.write_text(_SETTINGS)
            fleet = folder / "fleet.toml"
            fleet.write_text(_FLEET)
            asked: dict[str, Asked] = {}
            hall = Hall(behaviour(asked, _PAUSE_S))
            stack.push_async_callback(hall.stop)
            await hall.listen(home.engines_socket)
            door, admin = (stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024)) for _ in range(2))
            leash, held = os.pipe()
            stack.callback(os.close, held)
            stack.callback(os.close, leash)
            url = f"http://127.0.0.1:{door.getsockname()[1]}"
            control = Child(
                "control", home, leash, "--gateway-url", url, "--rehearsed", "h20-1,h20-2", listener=admin
            )  # fmt: skip
            rehearsal = Child("rehearsal", home, leash, "--fleet", str(fleet))
            for child in (control, rehearsal):
                stack.push_async_callback(child.end)
                await child.start()
            cloud = Cloud(
                home=home,
                control=control,
                asked=asked,
                port=door.getsockname()[1],
                admin_port=admin.getsockname()[1],
                gateway_of=lambda where: Child("gateway", where, leash, listener=door),
            )
            await cloud.furnish()
            yield cloud
            is_kept = cloud.is_kept
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)


async def eventually(look: Callable[[], Awaitable[bool]], what: str, within_s: float = _WITHIN_S) -> None:
    """Look again and again until it is so; fails with `what` was waited for."""
    deadline_s = monotonic() + within_s
    while not await look():
        assert monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.05)
