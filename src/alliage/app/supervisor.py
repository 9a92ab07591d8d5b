"""The supervisor: starts control, gateway and agent, restarts one that dies, ends them in the right order.

It holds the listening sockets, so a port that is taken is told at once and a restarted process loses no connection.
Each child holds the reading end of a pipe: when the supervisor dies, however it dies, they see its end and leave.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from alliage.app.home import Home
from alliage.app.leave import AT_ONCE, REFUSED_EXIT
from alliage.errors import HomeError

EARLY_DEATHS_MAX: Final = 3
"""So many deaths before the cloud was ever up end `alliage up` with the child's last words."""
RESTART_S_FIRST: Final = 0.2
RESTART_S_MAX: Final = 5.0
WELL_AFTER_S: Final = 30.0
OUTPUT_BYTES_MAX: Final = 1024 * 1024
"""`logs/NAME.out` (what a child prints beside its log) is begun anew at a start when it is larger."""
KILL_AFTER_S: Final = 5.0
AGENT_LEAVES_S: Final = 15.0
BACKLOG: Final = 4096
"""Connections that may wait to be accepted, a listening socket; the kernel takes no more than `net.core.somaxconn`."""


@dataclass(slots=True)
class Child:
    """One of the processes."""

    kind: str
    """What it is to do: a name that `faces/process.py` knows."""
    name: str
    """Of this one, in logs and for people: the kind's where there is but one."""
    arguments: tuple[str, ...]
    listener: socket.socket | None
    process: asyncio.subprocess.Process | None = None
    deaths: int = 0
    started_s: float = 0.0
    last_words: str = ""
    watcher: asyncio.Task[None] | None = None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """Why the supervisor gave up: which child, and what it said."""

    child: str
    words: str


@dataclass(slots=True)
class Supervisor:
    """Runs the children. `drain_s` is how long the gateway may finish its requests when told to stop."""

    home: Home
    drain_s: float
    told: Callable[[str], None]
    """Gets a sentence for each thing that happens."""
    children: list[Child] = field(default_factory=list)
    _settled: bool = False
    _stopping: bool = False
    _gave_up: Callable[[Verdict], None] | None = None
    _leash: tuple[int, int] = (-1, -1)

    def add(self, kind: str, *arguments: str, listener: socket.socket | None = None, name: str = "") -> None:
        """Name a child; it is started by `start`."""
        self.children.append(Child(kind, name or kind, arguments, listener))

    def settle(self) -> None:
        """The cloud was up: from now on a process that dies is started again for ever."""
        self._settled = True

    async def start(self, *, gave_up: Callable[[Verdict], None]) -> None:
        """Start all and go on watching them; `gave_up` is called when one cannot run at all."""
        reading, writing = os.pipe()
        os.set_inheritable(writing, False)
        self._leash = (reading, writing)
        self._gave_up = gave_up
        for child in self.children:
            child.watcher = asyncio.create_task(self._keep(child))

    async def stop(self) -> None:
        """The gateway first, which drains; then the agent, which ends the engines; the rehearsal, if there is one; control last."""
        self._stopping = True
        for kind, wait_s in (
            ("gateway", self.drain_s + 2),
            ("agent", AGENT_LEAVES_S),
            ("rehearsal", KILL_AFTER_S),
            ("rehearsed-engines", KILL_AFTER_S),
            ("control", KILL_AFTER_S),
        ):
            ending = [child for child in self.children if child.kind == kind]
            if not ending:
                continue
            self.told(f"ending {kind if len(ending) == 1 else f'{len(ending)} of {kind}'}")
            await asyncio.gather(*(_end(child, wait_s) for child in ending))
        await self._finish()

    async def stop_at_once(self) -> None:
        """No drain: all are told to end now; what is left after 5 s is killed."""
        self._stopping = True
        await asyncio.gather(*(_end(child, KILL_AFTER_S, AT_ONCE) for child in self.children))
        await self._finish()

    async def _finish(self) -> None:
        for child in self.children:
            if child.watcher is not None:
                child.watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await child.watcher
        for descriptor in self._leash:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    async def _keep(self, child: Child) -> None:
        """Start one child, and again each time it ends, until told to stop or it makes no sense."""
        while not self._stopping:
            try:
                process = await self._spawn(child)
            except OSError as error:
                self.told(f"{child.name} cannot be started now ({error.strerror}); it is tried again")
                await asyncio.sleep(RESTART_S_MAX)
                continue
            code = await process.wait()
            if self._is_stopping():
                return
            lived_s = asyncio.get_running_loop().time() - child.started_s
            child.deaths = 1 if lived_s > WELL_AFTER_S else child.deaths + 1
            child.last_words = last_words(self._output_path(child))
            if not self._settled and (code == REFUSED_EXIT or child.deaths >= EARLY_DEATHS_MAX):
                self._give_up(child, code)
                return
            self.told(f"{child.name} (pid {process.pid}) {way_of_ending(code)}; it is started again")
            await asyncio.sleep(min(RESTART_S_MAX, RESTART_S_FIRST * 2.0 ** min(child.deaths - 1, 10)))

    def _is_stopping(self) -> bool:
        return self._stopping

    def _give_up(self, child: Child, code: int) -> None:
        words = child.last_words or f"it ended with exit status {code} and said nothing"
        if self._gave_up is not None:
            self._gave_up(Verdict(child=child.name, words=words))

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        passed = [self._leash[0]]
        arguments = [child.kind, "--name", child.name, "--home", str(self.home.root)]
        arguments += ["--leash", str(self._leash[0]), *child.arguments]
        if child.listener is not None:
            passed.append(child.listener.fileno())
            arguments += ["--listener", str(child.listener.fileno())]
        with self._output(child) as output:
            child.started_s = asyncio.get_running_loop().time()
            child.process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "alliage.faces.process",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=passed,
                start_new_session=True,
            )
        return process

    def _output_path(self, child: Child) -> Path:
        return self.home.logs / f"{child.name}.out"

    def _output(self, child: Child) -> IO[bytes]:
        path = self._output_path(child)
        large = path.exists() and path.stat().st_size > OUTPUT_BYTES_MAX
        return path.open("wb" if large or child.started_s == 0 else "ab")


def way_of_ending(code: int) -> str:
    """An exit code of a child in words."""
    return f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit status {code}"


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.process.pid, number)  # send_signal would reap it before asyncio does


async def _end(child: Child, wait_s: float, number: signal.Signals = signal.SIGTERM) -> None:
    """The signal, time, SIGKILL."""
    if child.process is None or child.process.returncode is not None:
        return
    _signal(child, number)
    try:
        await asyncio.wait_for(child.process.wait(), wait_s)
    except TimeoutError:
        _signal(child, signal.SIGKILL)
        await child.process.wait()


def last_words(path: Path, lines: int = 12) -> str:
    """The end of what a child printed."""
    try:
        text = path.read_bytes()[-8192:].decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])


def listen_on(host: str, port: int, option: str) -> socket.socket:
    """A listening TCP socket, not inheritable; raises HomeError naming the port and the option that changes it."""
    return listen_each(host, port, option, 1)[0]


def listen_each(host: str, port: int, option: str, count: int) -> tuple[socket.socket, ...]:
    """So many listening sockets of one port, among which the kernel spreads connections; raises as `listen_on`.

    The first listens without SO_REUSEPORT, so that a port which anybody has is refused, also one of the same user, whom
    the kernel would let share it. Only then is it opened to the others; whoever listens in this way later is refused by it.
    Each keeps what waits in its own backlog, so a process that is started again must get the socket that it had.
    """
    found: list[socket.socket] = []
    try:
        for _ in range(count):
            found.append(_listening(host, port, shares=bool(found)))
            port = found[0].getsockname()[1]
            if count > 1:
                found[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except (OSError, OverflowError) as error:
        for listener in found:
            listener.close()
        reason = error.strerror if isinstance(error, OSError) else "not a port number"
        raise HomeError(
            f"port {port} on {host} cannot be used: {reason}",
            remedy=f"stop what uses it, or choose another with {option}",
        ) from error
    return tuple(found)


def _listening(host: str, port: int, *, shares: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError):
        listener.close()
        raise
    listener.setblocking(False)
    return listener
