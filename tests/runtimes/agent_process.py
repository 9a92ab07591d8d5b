"""A program for tests: an agent in a process of its own, until it is killed. Arguments: control's socket, the home."""

import asyncio
import sys
from pathlib import Path

from alliage.runtimes.agent import run_agent
from tests.runtimes.scene import CHIPS, NODE, QUICK, FileWeights


async def main() -> None:
    """Run."""
    await run_agent(
        control=Path(sys.argv[1]),
        home=Path(sys.argv[2]),
        node=NODE,
        site="site",
        chips=CHIPS,
        weights=FileWeights(),
        settings=QUICK,
        stop=asyncio.Event(),
    )


if __name__ == "__main__":
    asyncio.run(main())
