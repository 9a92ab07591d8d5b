"""A gateway as a process of its own, started as the supervisor does, with control's side of the line here."""

import asyncio
import resource
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alliage.app.home import open_home
from alliage.fleet.routing import RoutingTable
from tests.gateway.house import Control, House, until


class Gateway(House):
    """A house whose gateway can be looked at from outside."""

    def __init__(self, port: int, control: Control, process: asyncio.subprocess.Process, home: Path) -> None:
        super().__init__(port, control, asyncio.Event(), asyncio.create_task(_ended(process)))
        self.pid = process.pid
        self.home = home
        self._process = process

    @property
    def memory_bytes(self) -> int:
        """What it has in memory now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    @property
    def descriptors(self) -> int:
        """How many it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU that it took until now."""
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / 100

    @property
    def log(self) -> str:
        """What it logged."""
        return (self.home / "logs" / "gateway.log").read_text()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)


async def _ended(process: asyncio.subprocess.Process) -> None:
    await process.wait()


@asynccontextmanager
async def gateway(
    first: RoutingTable, *arguments: str, settings: str = "", descriptors: int | None = None
) -> AsyncIterator[Gateway]:
    """`settings` is its alliage.toml, `descriptors` both limits of what it may have open."""
    folder = Path(tempfile.mkdtemp(prefix="al", dir="/tmp"))
    home = open_home(folder / "h")
    home.settings.write_text(settings)
    control = Control(home.control_socket, first)
    await control.start()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        command = [sys.executable, "-m", "alliage.faces.process", "gateway", "--home", str(home.root)]
        if descriptors is not None:
            command = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
        process = await asyncio.create_subprocess_exec(
            *command, "--listener", str(listener.fileno()), *arguments, pass_fds=(listener.fileno(),)
        )
        place = Gateway(listener.getsockname()[1], control, process, home.root)
    try:
        await until(lambda: bool(control.reports) or place.done.done(), "the gateway took its first table", 30)
        yield place
    finally:
        place.hang_up()
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(place.done, 30)
        await control.stop()
        shutil.rmtree(folder, ignore_errors=True)
