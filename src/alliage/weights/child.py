"""The parent's side of the child process: starts it, hears its reports, ends it."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE
from typing import IO, Final

import msgspec

from alliage.errors import WeightsError
from alliage.weights.jobs import Failed, Fetched, FilesReady, Inspected, Job, Report, to_error

LINE_BYTES_MAX: Final = 8 * 1024**2
LEAVE_S: Final = 2.0
"""A child that has told its last report may take so long to leave."""
_ENVIRONMENT: Final = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "PYTHONUNBUFFERED": "1",
}


async def run_job(job: Job, *, log: Path | None, heard: Callable[[int], None]) -> FilesReady | Inspected:
    """Have a child do `job`; `heard` is called with the bytes that lie in its folder.

    Its standard error goes to `log`. Raises what the child met; when this call is cancelled the child is gone before it
    ends, and what it has loaded stays.
    """
    with _open(log) as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "alliage.weights.fetcher"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            start_new_session=True,  # a Ctrl-C is for the parent to act upon
            env={**os.environ, **_ENVIRONMENT},
            limit=LINE_BYTES_MAX,
        )
    try:
        report = await _hear(process, job, log, heard)
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await process.wait()
        if isinstance(report, Failed):
            raise to_error(report)
        return report
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def _hear(
    process: asyncio.subprocess.Process,
    job: Job,
    log: Path | None,
    heard: Callable[[int], None],
) -> FilesReady | Inspected | Failed:
    if process.stdin is None or process.stdout is None:
        raise WeightsError("the child has no pipes")
    with suppress(ConnectionError):  # it ended already: its exit status says more
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        await process.stdin.drain()
    decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
    async for line in process.stdout:
        match decoder.decode(line):
            case Fetched(count=count):
                heard(count)
            case report:
                return report
    status = await process.wait()
    raise WeightsError(
        f"the process that fetches models ended with status {status}",
        remedy=f"try again; its last words are in {log}" if log else "try again",
    )


def _open(log: Path | None) -> IO[bytes]:
    return Path(os.devnull).open("wb") if log is None else log.open("wb")
