"""One rehearsed replica: it takes requests, and says their tokens when its batching says that they are due."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from alliage.control.observed import EngineState
from alliage.rehearsal.messages import FaultKind, Open, Told
from alliage.rehearsal.words import Answer
from alliage.speed.batching import Ask, Batching

LAG_S_MAX: Final = 0.005
"""Steps that end later than this are not at the pace any more: what was seen then says nothing of it."""


class Listener(Protocol):
    """Whoever asked. `says` gets tokens as they come; the last time `is_last` holds."""

    def says(self, tokens: list[str], *, is_last: bool) -> None:
        """Tokens of the answer, at least one."""
        ...


@dataclass(slots=True, eq=False)
class Stream:
    """One request. `answer` has all its tokens; those before `said` were said."""

    ask: Ask
    answer: Answer
    listener: Listener
    said: int = field(default=0, init=False)


class Rehearsed:
    """The state of one replica. `tell` is called when it changes; `cut` ends its connections at once."""

    def __init__(self, order: Open, *, tell: Callable[[Told], None], late: Callable[[float], None]) -> None:
        self.order = order
        self.port = 0
        self.state = EngineState.STARTING
        self.why = ""
        self.hangs = False
        self.created_s = int(time.time())
        self.cut: set[Callable[[], None]] = set()
        self._tell = tell
        self._late = late
        self._loop = asyncio.get_running_loop()
        self._ready_s = self._loop.time() + order.pace.load_s * order.slow
        self.machine = Batching(order.pace, ready_s=self._ready_s)
        self.machine.slow = order.slow
        self._streams: dict[str, Stream] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loading = self._loop.call_at(self._ready_s, self._be_ready)
        self._server: asyncio.Server | None = None

    def told(self) -> Told:
        """How it is now."""
        order = self.order
        return Told(
            replica=order.replica,
            attempt=order.attempt,
            state=self.state,
            host=order.host,
            port=self.port,
            key=order.key,
            why=self.why,
        )

    async def listen(self, door: Callable[[], asyncio.Protocol]) -> None:
        """Be reachable, at a port that is free."""
        self._server = await self._loop.create_server(door, self.order.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tell(self.told())

    @property
    def is_ready(self) -> bool:
        """Whether its model is loaded."""
        return self.state is EngineState.READY

    def take(self, stream: Stream) -> None:
        """Answer a request, at the pace; ValueError for one that never fits."""
        self.machine.submit(stream.ask, self._loop.time())
        self._streams[stream.ask.id] = stream
        self._wait()

    def drop(self, stream: Stream) -> None:
        """Nobody listens any more."""
        if self._streams.pop(stream.ask.id, None) is not None:
            self.machine.abort(stream.ask.id)

    def suffer(self, kind: FaultKind, factor: float) -> None:
        """Let something happen to it."""
        match kind:
            case FaultKind.DIE:
                self.end("it was made to die (rehearsed fault)")
            case FaultKind.HANG:
                self.hangs = True
            case FaultKind.SLOW:
                self.machine.slow = self.order.slow * factor

    def end(self, why: str, state: EngineState = EngineState.ENDED) -> None:
        """Be gone at once: connections break off, nothing more is said."""
        if self.state is state:
            return
        self.state, self.why, self.hangs = state, why, True
        self._loading.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        for cut in tuple(self.cut):
            cut()
        self._tell(self.told())

    def _be_ready(self) -> None:
        self.state = EngineState.READY
        self._tell(self.told())

    def _wait(self) -> None:
        """For the end of the step in progress."""
        due_s = self.machine.due_s
        if self._timer is None and due_s is not None:
            self._timer = self._loop.call_at(due_s, self._tick, due_s)

    def _tick(self, due_s: float) -> None:
        self._timer = None
        if self.hangs:
            return
        now_s = self._loop.time()
        self._late(now_s - due_s)
        done: set[str] = set()
        for step in self.machine.advance(now_s):
            done.update(step.done)
        for key, stream in tuple(self._streams.items()):
            until = len(stream.answer) if key in done else self.machine.produced(key)
            if until > stream.said:
                tokens = stream.answer.between(stream.said, until)
                stream.said = until
                if key in done:
                    del self._streams[key]
                stream.listener.says(tokens, is_last=key in done)
        self._wait()
