"""`deploy`: place the order, then show how far it is until it is ready or cannot be."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

from alliage.errors import AlliageError, BadInput, NotFound, NotRunning, Unavailable
from alliage.faces.admin import answers
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.reference import model_reference
from alliage.faces.cli.screen import remark, show, show_json, stderr
from alliage.faces.cli.tables import fetching
from alliage.faces.telling import printable
from alliage.units import format_bytes, format_seconds

POLL_S: Final = 0.25
LOST_S_MAX: Final = 15.0
"""How long the admin API may be away (a restart of control) while a deployment is watched."""
FAILURES_TOLD: Final = 3
"""An engine that ended so often in a row is reported; the cloud itself goes on trying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a deployment is: a few words, and bytes where files are coming (0 of 0 elsewhere)."""

    words: str
    done_bytes: int = 0
    total_bytes: int = 0


Teller = Callable[[Step], None]


def deploy(home: Path, model: str, *, order: dict[str, Any], wait_s: float, as_json: bool, verbose: bool) -> int:
    """Ask for a service; the exit code. `order` holds the other fields of the API's body; `wait_s` 0: do not wait.

    With `verbose` all that was not chosen is told, and why.
    """
    with AdminClient(find_place(home)) as client:
        catalogue = {each.id for each in parse(answers.ModelsAnswer, client.get("models")).models}
        body = {"model": model_reference(model, catalogue=catalogue), **order}
        reply = client.offer("services", body=body)
        answer = parse(answers.DeployAnswer, reply.text)
        if as_json:
            show_json(reply.text)
        else:
            _tell(answer, verbose=verbose)
        if not answer.accepted:
            return 1
        if any(decision.outcome == "waiting" for decision in answer.decisions):
            return 0
        if answer.dry_run or as_json or not wait_s:
            return 0
        with telling(answer.service.name) as tell:
            return wait_ready(client, answer.service.name, wait_s=wait_s, tell=tell)


def checked_rate(rate_rps: float | None) -> float | None:
    """The rate, if JSON has a word for it; the API checks the rest. Raises BadInput."""
    if rate_rps is not None and not isfinite(rate_rps):
        raise BadInput(f"--rate is {rate_rps}", remedy="give requests a second, such as 12")
    return rate_rps


def wait_ready(client: AdminClient, name: str, *, wait_s: float, tell: Teller) -> int:
    """As `follow_ready`; then says how to use it. Ctrl-C leaves it starting (130)."""
    try:
        code = follow_ready(client, name, wait_s=wait_s, tell=tell)
    except KeyboardInterrupt:
        remark(f"\n{name} goes on starting without you; `alliage status` shows it")
        return 130
    if code == 0:
        _greet(client, name)
    return code


def follow_ready(client: AdminClient, name: str, *, wait_s: float, tell: Teller) -> int:
    """Until the service is ready (0) or is seen not to become so (1); raises AlliageError after `wait_s`."""
    deadline_s = time.monotonic() + wait_s
    heard_s = time.monotonic()
    while time.monotonic() < deadline_s:
        try:
            code = _look(client, name, tell)
            heard_s = time.monotonic()
        except (NotRunning, Unavailable):
            code = None
            if time.monotonic() - heard_s > LOST_S_MAX:
                raise
        if code is not None:
            return code
        time.sleep(POLL_S)
    remedy = "it goes on in the background; see `alliage status` and `alliage logs`"
    raise AlliageError(f"{name} is not ready after {format_seconds(wait_s)}", remedy=remedy)


def _look(client: AdminClient, name: str, tell: Teller) -> int | None:
    """One look: an exit code when it is over, None while it goes on."""
    try:
        service = parse(answers.ServiceAnswer, client.get("services", name))
    except NotFound as error:
        raise NotFound(f"{name} was deleted while it started") from error
    found = parse(answers.ReplicasAnswer, client.get("replicas")).replicas
    replicas = [each for each in found if each.service == name]
    if service.phase == "ready" and service.replicas_ready >= service.min_replicas:
        tell(Step(words="ready"))
        return 0
    if service.phase == "idle" and not service.min_replicas:
        tell(Step(words="idle: the first request starts it"))
        return 0
    if service.phase in ("unserved", "deleting"):
        show(parse(answers.ExplainAnswer, client.get("services", name, "explain")).text)
        return 1
    failing = next((each for each in replicas if each.failures >= FAILURES_TOLD and each.phase == "backoff"), None)
    if failing is not None:
        message = f"the engine of {failing.id} ended {failing.failures} times in a row: {failing.note}"
        raise AlliageError(message, remedy=f"see `alliage logs {failing.id}`; `alliage delete {name}` gives up")
    tell(step_of(replicas))
    return None


def step_of(replicas: list[answers.ReplicaAnswer]) -> Step:
    """The slowest replica's step."""
    order = ("backoff", "bound", "fetching", "starting")
    slow = [each for phase in order for each in replicas if each.phase == phase]
    if not slow:
        return Step(words="waiting for a replica")
    first = slow[0]
    if fetching(first) and first.live is not None:
        return Step(words="fetching", done_bytes=first.live.fetched_bytes, total_bytes=first.live.total_bytes)
    words = {"backoff": f"waiting to start again ({first.note})", "bound": "about to start"}
    return Step(words=words.get(first.phase, first.phase))


@contextmanager
def telling(name: str) -> Iterator[Teller]:
    """Shows steps: a live line on a terminal, else a line at each change of words."""
    console = stderr()
    if console.is_terminal:
        with _live(name) as tell:
            yield tell
        return
    last = ""

    def line(step: Step) -> None:
        nonlocal last
        if step.words != last:
            last = step.words
            total = f" {format_bytes(step.total_bytes)}" if step.total_bytes else ""
            remark(f"{name}: {step.words}{total}")

    yield line


@contextmanager
def _live(name: str) -> Iterator[Teller]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - slow

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True) as progress:
        task = progress.add_task(printable(name), total=None)

        def tell(step: Step) -> None:
            sizes = f" {format_bytes(step.done_bytes)} of {format_bytes(step.total_bytes)}" if step.total_bytes else ""
            total = step.total_bytes or None
            words = printable(f"{name}: {step.words}{sizes}")  # a note holds an engine's last words
            progress.update(task, description=words, completed=step.done_bytes, total=total)

        yield tell


def _tell(answer: answers.DeployAnswer, *, verbose: bool) -> None:
    """What was decided."""
    if answer.decisions:
        full = "\n\n".join(decision.text for decision in answer.decisions)
        show(full if verbose else answer.text)
        if not verbose and len(answer.text) < len(full):
            remark("in full: --verbose" if answer.dry_run else f"in full: `alliage explain {answer.service.name}`")
    if answer.error is not None and not answer.decisions:
        show(answer.error.message)
    if answer.dry_run:
        remark("nothing was changed (--dry-run)")
    elif not answer.accepted:
        remark("nothing was deployed")
    elif not answer.decisions:
        remark(f"{answer.service.name} has all the replicas it asked for")


def _greet(client: AdminClient, name: str) -> None:
    gateway = parse(answers.StatusAnswer, client.get("status")).gateway_url
    remark(f"{name} is ready at {gateway}/v1")
    remark(f"  try: alliage chat {name}")
