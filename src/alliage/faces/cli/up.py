"""`up`: the cloud of this machine in the foreground: start, show how far it is, say how to use it, stop when told."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from alliage import __version__
from alliage.app.certificates import check, tls_files
from alliage.app.config import read_settings
from alliage.app.defaults import HOST
from alliage.app.home import Home, HomeLock, open_home
from alliage.app.leave import EOF_LEAVE_S
from alliage.app.supervisor import Supervisor, Verdict, listen_each
from alliage.errors import BadInput, HomeError
from alliage.faces.cli.arriving import Arrival
from alliage.faces.cli.screen import remark
from alliage.gateway.tls import TlsFiles
from alliage.units import format_seconds

LEFTOVERS_LEAVE_S: Final = EOF_LEAVE_S + 2.0
GATEWAYS_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOrder:
    """What `alliage up` was asked. `model` is deployed the first time; "none" for nothing. `fleet` is a file to rehearse."""

    host: str = HOST
    port: int
    admin_port: int
    model: str
    fleet: Path | None = None
    gateways: str = ""
    """How many gateway processes: a number, `auto` for one a core, or "" for what the settings say."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None


def up(root: Path, order: UpOrder) -> int:
    """Run the cloud until Ctrl-C; the exit code. Raises HomeError and BadInput before anything is started."""
    home = open_home(root)
    rehearsed = _announce_rehearsal(home, order.fleet) if order.fleet is not None else ()
    limits = read_settings(home).gateway
    number = number_of_gateways(order.gateways, limits.processes)
    files = tls_files(limits, home, order.tls_certificate, order.tls_key)
    check(files)  # told here, not by a child that dies
    lock = HomeLock(home)
    try:
        deadline_s = time.monotonic() + (LEFTOVERS_LEAVE_S if home.up_file.exists() else 0.0)
        doors = _listen(order.host, order.port, "--port or ALLIAGE_PORT", deadline_s, number)
        (admin,) = _listen(HOST, order.admin_port, "--admin-port or ALLIAGE_ADMIN_PORT", deadline_s)
        port, admin_port = doors[0].getsockname()[1], admin.getsockname()[1]
        url = f"{'http' if files is None else 'https'}://{_reachable(order.host)}:{port}"
        supervisor = Supervisor(home=home, drain_s=limits.drain_s, told=remark)
        told = ("--gateway-url", url, "--gateways", str(number), "--rehearsed", ",".join(rehearsed))
        supervisor.add("control", *told, listener=admin)
        _add_gateways(supervisor, doors, files)
        supervisor.add("agent")
        if order.fleet is not None:
            supervisor.add("rehearsed-engines")
            supervisor.add("rehearsal", "--fleet", str(order.fleet.absolute()))
        lock.announce(
            host=order.host,
            port=port,
            admin_port=admin_port,
            gateways=number,
            tls_certificate="" if files is None else str(files.certificate),
        )
        arrival = Arrival(
            home=home,
            model=order.model,
            url=url,
            admin_url=f"http://{HOST}:{admin_port}",
            gateways=number,
            settled=supervisor.settle,
            failed=remark,
        )
        return asyncio.run(_run(supervisor, arrival))
    finally:
        lock.release()


def number_of_gateways(asked: str, usual: int) -> int:
    """A number, or of `auto` the cores that this process may run on; raises BadInput naming what was given."""
    if asked == "auto":
        return min(len(os.sched_getaffinity(0)), GATEWAYS_MAX)
    number = usual if not asked else int(asked) if asked.isdecimal() else 0
    if not 1 <= number <= GATEWAYS_MAX:
        raise BadInput(
            f"the number of gateway processes is {asked or usual}",
            remedy=f"give 1 to {GATEWAYS_MAX}, or `auto` for one for each core",
        )
    return number


def _add_gateways(supervisor: Supervisor, doors: tuple[socket.socket, ...], files: TlsFiles | None) -> None:
    """One process a listening socket: `gateway`, or `gateway-1` and so on where there are several."""
    given = () if files is None else ("--tls-cert", str(files.certificate), "--tls-key", str(files.key))
    for number, door in enumerate(doors, start=1):
        name = "gateway" if len(doors) == 1 else f"gateway-{number}"
        supervisor.add("gateway", *given, listener=door, name=name)


def _announce_rehearsal(home: Home, file: Path) -> tuple[str, ...]:
    """Check the file, say what is to be rehearsed, and return the names of its nodes. Raises BadInput."""
    from alliage.app.rehearsal import fleet_of  # noqa: PLC0415 - only a rehearsal needs the catalogue here

    nodes = fleet_of(home, file)
    devices = Counter(device.chip for each in nodes for device in each.node.devices)
    told = ", ".join(f"{count} x {chip}" for chip, count in sorted(devices.items()))
    remark(f"rehearsing {len(nodes)} nodes with {told}: their engines only keep time, nobody has these devices")
    return tuple(each.node.id for each in nodes)


def _listen(host: str, port: int, option: str, deadline_s: float, count: int = 1) -> tuple[socket.socket, ...]:
    """As `listen_each`; processes that a killed supervisor left are given the time they need to leave."""
    while True:
        try:
            return listen_each(host, port, option, count)
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
