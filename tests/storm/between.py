"""What stands between gateway and control where a storm is to have a bug: `early` and `twice` are what a control may do wrong.

`early`: usage is answered before control has it. `twice`: it is taken as often as it is told, for each telling has ids of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from alliage.errors import LinkError
from alliage.link.line import AnsweredLine, DialledLine, dial, listen
from alliage.link.messages import UsageTaken, UsageTold
from alliage.link.stretches import StretchReader
from tests.link.telling import told

LATE_S: Final = 0.5
"""How late control hears of what was answered early, or a gateway of what control has taken: time to be killed in."""


@asynccontextmanager
async def between(gateway: Path, control: Path, bug: str) -> AsyncIterator[None]:
    """Listen at the socket `gateway` for what `control` is to be told, wrongly."""
    liar = _Liar(control, bug)
    server = await listen(gateway, liar.answer)
    try:
        yield
    finally:
        server.close()
        if liar.answering:
            await asyncio.wait(liar.answering)


class _Liar:
    def __init__(self, control: Path, bug: str) -> None:
        self._control = control
        self._bug = bug
        self._tellings = 0
        self._taken: dict[int, UsageTaken] = {}
        """By the telling, what the gateway is to hear of it."""
        self.answering: set[asyncio.Task[None]] = set()

    async def answer(self, near: AnsweredLine) -> None:
        """One gateway's line, which ends with control's."""
        task = asyncio.current_task()
        assert task is not None
        self.answering.add(task)
        task.add_done_callback(self.answering.discard)
        with suppress(LinkError):
            far = await dial(self._control)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(near, far))
                group.create_task(self._down(near, far))

    async def _up(self, near: AnsweredLine, far: DialledLine) -> None:
        reader = StretchReader()
        with suppress(LinkError):
            while (message := await near.receive()) is not None:
                if not isinstance(message, UsageTold):
                    far.send(message)
                    continue
                read = reader.read(message)
                taken = UsageTaken(
                    journal=message.journal, number=message.number, upto=read.upto, records=len(read.records)
                )
                if self._bug == "early":
                    near.send(taken)
                    _later(far, message)
                else:
                    self._tellings += 1
                    self._taken[self._tellings] = taken
                    far.send(told(self._tellings, *read.records, journal=f"{message.journal}#{self._tellings}"))
        _later(far, None)

    async def _down(self, near: AnsweredLine, far: DialledLine) -> None:
        with suppress(LinkError):
            while (message := await far.receive()) is not None:
                if not isinstance(message, UsageTaken):
                    near.send(message)
                elif self._bug == "twice":
                    _later(near, self._taken.pop(message.number))
        near.close()


def _later(line: AnsweredLine | DialledLine, message: UsageTold | UsageTaken | None) -> None:
    """Say it in a while, if the line still stands; None: close it then."""

    def say() -> None:
        with suppress(LinkError):
            line.close() if message is None else line.send(message)  # type: ignore[arg-type]

    asyncio.get_running_loop().call_later(LATE_S, say)
