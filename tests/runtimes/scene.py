"""A control's end of the line and one real agent with real engines on the alphabet model, for the length of a block."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from alliage.catalog.records import Architecture, Catalog, Chip, ModelCard, Sharing, Task, WeightFile, WeightsFormat
from alliage.catalog.records import Weights as CardWeights
from alliage.control.actions import StartReplica, StopReplica
from alliage.control.observed import EngineState, ReplicaReport
from alliage.fleet.ids import DeviceId, NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import ReplicaPhase
from alliage.fleet.replicas import Binding, Evidence, Recipe, Replica
from alliage.link.line import AnsweredLine
from alliage.link.messages import AgentHello
from alliage.runtimes.agent import run_agent
from alliage.runtimes.detection.watch import AcceleratorWatch
from alliage.runtimes.hub import AgentHub
from alliage.runtimes.keeper import Weights
from alliage.runtimes.settings import AgentSettings
from tests.link.listening import listening
from tests.models.alphabet import write_alphabet

NODE = NodeId("here")
CHIPS = tuple(
    Chip(id=name, maker="", name=name, stack="cpu", sharing=Sharing.CORES, machines=machines)
    for name, machines in (("cpu-x86", ("x86_64",)), ("cpu-arm", ("aarch64", "arm64")))
)
QUICK = AgentSettings(health_every_s=0.2, health_timeout_s=0.5, health_failures=2, claim_s=30, stopped_told_s=0.5)
"""The real agent, but with less patience."""


class FileWeights:
    """Weights that lie there already; `progress` is told once."""

    async def fetch(self, card: ModelCard, progress: Callable[[int, int], None]) -> Path:
        """The card's `file:` path."""
        path = Path(card.weights.source.removeprefix("file:"))
        size = path.stat().st_size
        progress(size, size)
        return path


@dataclass(slots=True)
class SlowWeights:
    """Weights that never come; `cancelled` tells that nobody waits for them any more."""

    cancelled: bool = False

    async def fetch(self, card: ModelCard, progress: Callable[[int, int], None]) -> Path:
        """One byte of two, then nothing."""
        progress(1, 2)
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled = True
        raise AssertionError


def card_of(path: Path, *tasks: Task) -> ModelCard:
    """A card for a file."""
    return ModelCard(
        id=path.stem,
        name=path.stem,
        licence="Apache-2.0",
        precision="F32",
        tasks=tasks or (Task.CHAT,),
        architecture=Architecture(
            family="qwen3",
            parameters=0,
            layers=1,
            hidden=64,
            heads=2,
            kv_heads=1,
            head_dim=32,
            vocabulary=259,
            context_tokens=4096,
        ),
        weights=CardWeights(
            source=f"file:{path}",
            revision="",
            format=WeightsFormat.GGUF,
            files=(WeightFile(path=path.name, size_bytes=None, sha256=None),),
        ),
        remote_code=False,
    )


def replica_of(name: str, *, cores: tuple[int, ...] = (0,), concurrency: int = 2) -> Replica:
    """A replica of service `alpha` bound to cores of this node."""
    return Replica(
        id=ReplicaId(name),
        service=ServiceName("alpha"),
        node=NODE,
        recipe=Recipe(
            model="alphabet",
            chip="cpu-x86",
            engine="llama.cpp",
            precision="F32",
            tensor_parallel=1,
            pipeline_parallel=1,
            context_tokens=512,
            concurrency=concurrency,
            cores=len(cores),
            memory_bytes=64 << 20,
            evidence=Evidence.ESTIMATED,
        ),
        bindings=(Binding(device=DeviceId("here/cpu0"), cores=cores, memory_bytes=64 << 20),),
        phase=ReplicaPhase.BOUND,
        starts=0,
        failures=0,
        retry_s=0.0,
        note="",
        created_s=0.0,
    )


@dataclass(slots=True, kw_only=True)
class Scene:
    """What a test holds: the hub it speaks through, and where things lie."""

    home: Path
    control: Path
    model: Path
    hub: AgentHub
    changes: list[float] = field(default_factory=list)

    def start(self, replica: Replica, *, attempt: int = 1, model: ModelCard | None = None) -> None:
        """Order a start."""
        card = model or card_of(self.model)
        self.hub.act([StartReplica(node=NODE, replica=replica, model=card, attempt=attempt)])

    def stop(self, name: str, grace_s: float = 5.0) -> None:
        """Order a stop."""
        self.hub.act([StopReplica(node=NODE, replica=ReplicaId(name), grace_s=grace_s)])

    def report(self, name: str) -> ReplicaReport | None:
        """What the agent last said of a replica."""
        node = self.hub.observe().get(NODE)
        return node.replicas.get(ReplicaId(name)) if node else None

    async def until(self, name: str, state: EngineState, *, attempt: int = 1, within_s: float = 20) -> ReplicaReport:
        """The report once the replica is in `state`."""

        def there() -> bool:
            report = self.report(name)
            return report is not None and report.state is state and report.attempt == attempt

        await until(there, within_s, lambda: f"{name} is not {state}: {self.report(name)}")
        report = self.report(name)
        assert report is not None
        return report

    async def connected(self) -> None:
        """Wait for the agent's first report."""
        await until(lambda: NODE in self.hub.observe(), 20, lambda: "no agent")


async def until(condition: Callable[[], bool], within_s: float, why: Callable[[], str] = lambda: "") -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, why() or "it did not come"
        await asyncio.sleep(0.02)


@contextmanager
def short_home() -> Iterator[Path]:
    """A home whose sockets' paths are short; whatever still runs for it at the end is killed."""
    home = Path(tempfile.mkdtemp(prefix="al", dir="/tmp"))
    try:
        yield home
    finally:
        for pid in processes_of(home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(home)


@asynccontextmanager
async def scene(home: Path) -> AsyncIterator[Scene]:
    """Control's side only: a listener with a hub, and a model file."""
    model = home / "alphabet.gguf"
    if not model.exists():
        write_alphabet(model)
    changes: list[float] = []
    hub = AgentHub(on_change=lambda: changes.append(time.monotonic()))

    async def answer(line: AnsweredLine) -> None:
        hello = await line.receive()
        assert isinstance(hello, AgentHello)
        await hub.answer(hello, line)

    control = home / "control.sock"
    async with listening(control, answer):
        yield Scene(home=home, control=control, model=model, hub=hub, changes=changes)


@asynccontextmanager
async def agent(
    at: Scene,
    settings: AgentSettings = QUICK,
    *,
    stay: bool = False,
    weights: Weights | None = None,
    accelerators: AcceleratorWatch | None = None,
    catalog: Catalog | None = None,
) -> AsyncIterator[None]:
    """An agent in this process; at the end it ends its engines, or lets them `stay`."""
    stop, leave = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(
        run_agent(
            control=at.control,
            home=at.home,
            node=NODE,
            site="site",
            chips=CHIPS,
            weights=weights or FileWeights(),
            settings=settings,
            stop=stop,
            leave=leave,
            accelerators=accelerators,
            catalog=catalog,
        )
    )
    try:
        await at.connected()
        yield
    finally:
        (leave if stay else stop).set()
        await running


@asynccontextmanager
async def agent_process(at: Scene) -> AsyncIterator[asyncio.subprocess.Process]:
    """An agent in a process of its own, killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.runtimes.agent_process", str(at.control), str(at.home)
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def processes_of(home: Path) -> list[int]:
    """The pids of watchers and engines of a home: their command names it."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and str(home).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def assert_nothing_left(home: Path) -> None:
    """No watcher or engine of a home stays; one that is just leaving has a moment."""
    deadline = time.monotonic() + 5
    while left := processes_of(home):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)


def watcher_of(pid: int) -> int:
    """The parent of an engine."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def with_claim(settings: AgentSettings, claim_s: float) -> AgentSettings:
    """The same with another claim time."""
    return replace(settings, claim_s=claim_s)
