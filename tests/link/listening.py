"""Control's listener for the length of a block, with nothing of its lines left at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from alliage.link.line import AnsweredLine, listen


@asynccontextmanager
async def listening(path: Path, answer: Callable[[AnsweredLine], Awaitable[None]]) -> AsyncIterator[None]:
    """Answer diallers at `path`; at the end each answer has a moment to end by itself."""
    answering: set[asyncio.Task[None]] = set()

    async def kept(line: AnsweredLine) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        await answer(line)

    server = await listen(path, kept)
    try:
        yield
    finally:
        server.close()
        if answering:
            _, late = await asyncio.wait(answering, timeout=2)
            for task in late:
                task.cancel()
        for _ in range(3):  # closing a transport takes some rounds of the loop
            await asyncio.sleep(0)
