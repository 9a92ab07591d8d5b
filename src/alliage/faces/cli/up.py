"""`up`: the cloud of this machine in the foreground: start, show how far it is, say how to use it, stop when told."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from alliage import __version__
from alliage.app.config import read_settings
from alliage.app.defaults import HOST
from alliage.app.home import Home, HomeLock, open_home
from alliage.app.leave import EOF_LEAVE_S
from alliage.app.supervisor import Supervisor, Verdict, listen_on
from alliage.errors import HomeError
from alliage.faces.cli.arriving import Arrival
from alliage.faces.cli.screen import remark
from alliage.units import format_seconds

LEFTOVERS_LEAVE_S: Final = EOF_LEAVE_S + 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOrder:
    """What `alliage up` was asked. `model` is deployed the first time; "none" for nothing. `fleet` is a file to rehearse."""

    host: str = HOST
    port: int
    admin_port: int
    model: str
    fleet: Path | None = None


def up(root: Path, order: UpOrder) -> int:
    """Run the cloud until Ctrl-C; the exit code. Raises HomeError and BadInput before anything is started."""
    home = open_home(root)
    rehearsed = _announce_rehearsal(home, order.fleet) if order.fleet is not None else ()
    drain_s = read_settings(home).gateway.drain_s
    lock = HomeLock(home)
    try:
        deadline_s = time.monotonic() + (LEFTOVERS_LEAVE_S if home.up_file.exists() else 0.0)
        gateway = _listen(order.host, order.port, "--port or ALLIAGE_PORT", deadline_s)
        admin = _listen(HOST, order.admin_port, "--admin-port or ALLIAGE_ADMIN_PORT", deadline_s)
        port, admin_port = gateway.getsockname()[1], admin.getsockname()[1]
        url = f"http://{_reachable(order.host)}:{port}"
        supervisor = Supervisor(home=home, drain_s=drain_s, told=remark)
        supervisor.add("control", "--gateway-url", url, "--rehearsed", ",".join(rehearsed), listener=admin)
        supervisor.add("gateway", listener=gateway)
        supervisor.add("agent")
        if order.fleet is not None:
            supervisor.add("rehearsed-engines")
            supervisor.add("rehearsal", "--fleet", str(order.fleet.absolute()))
        lock.announce(host=order.host, port=port, admin_port=admin_port)
        arrival = Arrival(
            home=home,
            model=order.model,
            url=url,
            admin_url=f"http://{HOST}:{admin_port}",
            settled=supervisor.settle,
            failed=remark,
        )
        return asyncio.run(_run(supervisor, arrival))
    finally:
        lock.release()


def _announce_rehearsal(home: Home, file: Path) -> tuple[str, ...]:
    """Check the file, say what is to be rehearsed, and return the names of its nodes. Raises BadInput."""
    from alliage.app.rehearsal import fleet_of  # noqa: PLC0415 - only a rehearsal needs the catalogue here

    nodes = fleet_of(home, file)
    devices = Counter(device.chip for each in nodes for device in each.node.devices)
    told = ", ".join(f"{count} x {chip}" for chip, count in sorted(devices.items()))
    remark(f"rehearsing {len(nodes)} nodes with {told}: their engines only keep time, nobody has these devices")
    return tuple(each.node.id for each in nodes)


def _listen(host: str, port: int, option: str, deadline_s: float) -> socket.socket:
    """As `listen_on`; processes that a killed supervisor left are given the time they need to leave."""
    while True:
        try:
            return listen_on(host, port, option)
        except HomeError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)


def _reachable(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, never bound
    return f"[{host}]" if ":" in host else host


async def _run(supervisor: Supervisor, arrival: Arrival) -> int:
    """Start, follow the arrival in a thread of its own, wait for a signal or for trouble, stop."""
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told.put_nowait, None)
    remark(f"Alliage {__version__}: starting in {arrival.home.root}")
    trouble: asyncio.Future[str] = loop.create_future()
    await supervisor.start(gave_up=lambda verdict: _set(trouble, _sentence(verdict)))

    def fail(message: str) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_set, trouble, message)

    following = replace(arrival, settled=supervisor.settle, failed=fail)
    threading.Thread(target=following.follow, name="arrival", daemon=True).start()
    asked = asyncio.ensure_future(told.get())
    waited: set[asyncio.Future[None] | asyncio.Future[str]] = {asked, trouble}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if trouble.done():
        asked.cancel()
        await supervisor.stop_at_once()
        remark(f"error: {trouble.result()}\n  try: see the logs in {arrival.home.logs}")
        return 1
    return await _stop(supervisor, told)


def _set(trouble: "asyncio.Future[str]", message: str) -> None:
    if not trouble.done():
        trouble.set_result(message)


def _sentence(verdict: Verdict) -> str:
    return f"{verdict.child} cannot run:\n{verdict.words}"


async def _stop(supervisor: Supervisor, told: "asyncio.Queue[None]") -> int:
    """Gracefully; a second signal: at once."""
    remark(
        f"\nstopping: requests in work may finish within {format_seconds(supervisor.drain_s)} (Ctrl-C again stops at once)"
    )
    leaving = asyncio.ensure_future(supervisor.stop())
    again = asyncio.ensure_future(told.get())
    await asyncio.wait({leaving, again}, return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if not leaving.done():
        leaving.cancel()
        remark("stopping at once")
        await supervisor.stop_at_once()
    remark("stopped; `alliage up` goes on from here")
    return 0
