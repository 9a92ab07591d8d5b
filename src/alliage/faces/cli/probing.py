"""`probe`: a short bounded load on one replica through the gateway; its figures go to the admin API as measurements."""

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from alliage.errors import AlliageError, BadInput, NotFound
from alliage.faces.admin import answers
from alliage.faces.admin.measurement_answers import MeasurementAnswer, MeasurementsAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.deploying import follow_ready, telling
from alliage.faces.cli.load import Loaded, LoadOrder, Target, run_load
from alliage.faces.cli.load_figures import figures_of
from alliage.faces.cli.measured_table import measured_table
from alliage.faces.cli.place import find_place
from alliage.faces.cli.prompts import Sized, prompts, words_for
from alliage.faces.cli.reference import model_reference
from alliage.faces.cli.screen import remark, show, show_json, show_value, stderr
from alliage.faces.cli.trust import gateway_trust
from alliage.faces.telling import printable
from alliage.fleet.replicas import recipe_words

SIZING_WORDS: Final = (8, 32)
ALONE_WITHIN_S: Final = 4.0
"""Gateways tell what is in flight once a second: so long a replica may look busy with what ended already."""
POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOrder:
    """What to measure. `concurrency` None: what the recipe is made for; `replica` None: any, if they are all alike."""

    concurrency: int | None
    seconds: float
    input_tokens: int
    output_tokens: int
    replica: str | None
    wait_s: float


def list_measured(home: Path, name: str | None, *, as_json: bool) -> int:
    """Print all measurements that are kept, or those of one model or service."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("measurements")
    if as_json and name is None:
        show_json(raw)
        return 0
    found = parse(MeasurementsAnswer, raw).measurements
    mine = [each for each in found if name in (None, each.model, each.service)]
    if as_json:
        show_value({"measurements": [each.model_dump() for each in mine]}, indent=2)
    elif mine:
        show(measured_table(mine, now_s=time.time()))
    else:
        remark("nothing was measured yet" + (f" of {name}" if name else "") + "; `alliage probe SERVICE` does it")
    return 0


def probe(home: Path, name: str, order: ProbeOrder, *, as_json: bool) -> int:
    """Measure a service, or a model by a service that is made for that and deleted. The exit code; 130 after Ctrl-C."""
    try:
        with AdminClient(find_place(home)) as client:
            client.get("keys")  # measuring is for admins: who is none hears so before anything is deployed
            services = parse(answers.ServicesAnswer, client.get("services")).services
            if any(each.name == name for each in services):
                return _probe_service(client, name, order, as_json=as_json)
            with _deployed_for_this(client, name) as service:
                return 1 if service is None else _probe_service(client, service, order, as_json=as_json)
    except KeyboardInterrupt:
        remark("\nstopped; nothing more was measured")
        return 130


@contextmanager
def _deployed_for_this(client: AdminClient, model: str) -> Iterator[str | None]:
    """The name of a service of this model, which is deleted however it ends; None where it cannot be served."""
    catalogue = {each.id for each in parse(answers.ModelsAnswer, client.get("models")).models}
    name = f"probe-{secrets.token_hex(3)}"
    before = signal.signal(signal.SIGTERM, _as_ctrl_c)  # ends as Ctrl-C does: with the service deleted
    try:
        body = {"model": model_reference(model, catalogue=catalogue), "name": name}
        answer = parse(answers.DeployAnswer, client.offer("services", body=body).text)
        if not answer.accepted:
            for decision in answer.decisions:
                show(decision.text)
            remark(f"{model} cannot be served here, so it cannot be measured")
            yield None
            return
        remark(f"no service is called {model}: deployed it as {name} for this probe")
        yield name
    finally:
        with contextlib.suppress(NotFound):
            client.delete("services", name)
            remark(f"{name} was for this probe alone and is being deleted")
        signal.signal(signal.SIGTERM, before)


def _as_ctrl_c(_number: int, _frame: object) -> None:
    """Hand it to whoever answers Ctrl-C now: asyncio does so by cancelling, not by an error in the midst of a task."""
    signal.raise_signal(signal.SIGINT)


def _probe_service(client: AdminClient, name: str, order: ProbeOrder, *, as_json: bool) -> int:
    service = parse(answers.ServiceAnswer, client.get("services", name))
    if "chat" not in service.model.tasks:
        tasks = ", ".join(service.model.tasks)
        raise BadInput(f"{name} does not chat (it does: {tasks})", remedy="probe a service that answers chats")
    if service.phase != "ready" or not service.replicas_ready:
        with telling(name) as tell:
            code = follow_ready(client, name, wait_s=order.wait_s, tell=tell)
        if code:
            return code
    replica = choose(name, parse(answers.ReplicasAnswer, client.get("replicas")).replicas, order.replica)
    loads = _loads(replica, order)
    gateway = parse(answers.StatusAnswer, client.get("status")).gateway_url
    trust = gateway_trust(client.place.home)
    target = Target(gateway_url=gateway, key=client.place.key, service=name, replica=replica.id, trust=trust)
    _wait_alone(client, replica.id)
    measured: list[MeasurementAnswer] = []
    words = _warm_up(target, order)
    for concurrency in loads:
        load = LoadOrder(concurrency=concurrency, seconds=order.seconds, words=words, output_tokens=order.output_tokens)
        loaded = _run(target, load, f"{name}: {concurrency} at once")
        if _tell_failures(loaded):
            remark(f"not recorded: a load with failures is no measurement of {replica.id}")
            break
        _wait_alone(client, replica.id)
        body = {"replica": replica.id, **asdict(figures_of(loaded.answers, concurrency))}
        measured.append(parse(MeasurementAnswer, client.post("services", name, "measurements", body=body)))
    _show(name, replica.id, measured, as_json=as_json)
    return 0 if len(measured) == len(loads) else 1


def choose(name: str, every: Sequence[answers.ReplicaAnswer], wanted: str | None) -> answers.ReplicaAnswer:
    """The service's replica to measure: the one that is wanted, else any where all run by one recipe.

    Raises BadInput where they do not, NotFound where there is none.
    """
    ready = [each for each in every if each.service == name and each.phase == "ready"]
    told = "; ".join(f"{each.id} ({_recipe_words(each)})" for each in ready) or "none"
    if wanted is not None:
        ready = [each for each in ready if each.id == wanted]
        if not ready:
            raise NotFound(f"{name} has no ready replica {wanted!r}", remedy=f"ready replicas: {told}")
    if not ready:
        raise NotFound(f"{name} has no ready replica", remedy=f"see `alliage explain {name}`")
    if len({_recipe_words(each) for each in ready}) > 1:
        raise BadInput(
            f"the replicas of {name} run by different recipes: {told}", remedy="say which one to measure: --replica ID"
        )
    if len(ready) > 1:
        remark(f"measuring {ready[0].id} of {len(ready)} replicas that run alike")
    return ready[0]


def _recipe_words(replica: answers.ReplicaAnswer) -> str:
    recipe = replica.recipe
    devices = recipe.tensor_parallel * recipe.pipeline_parallel
    words = recipe_words(recipe.engine, recipe.precision, chip=recipe.chip, devices=devices, cores=recipe.cores)
    return f"{words} at {replica.node}" if recipe.cores else words


def _loads(replica: answers.ReplicaAnswer, order: ProbeOrder) -> list[int]:
    """One at a time, then as many as the recipe is made for; raises BadInput for requests that it cannot hold."""
    recipe = replica.recipe
    if order.input_tokens + order.output_tokens > recipe.context_tokens:
        raise BadInput(
            f"{order.input_tokens} + {order.output_tokens} tokens do not fit into the {recipe.context_tokens} "
            f"that a request of {replica.id} may hold",
            remedy="give smaller --input-tokens and --output-tokens",
        )
    return sorted({1, order.concurrency if order.concurrency is not None else recipe.concurrency})


def _wait_alone(client: AdminClient, replica: str) -> None:
    """Until nobody's request is in flight there; raises AlliageError: figures of a shared replica say nothing of it."""
    deadline_s = time.monotonic() + ALONE_WITHIN_S
    while True:
        every = parse(answers.ReplicasAnswer, client.get("replicas")).replicas
        busy = next((each.in_flight for each in every if each.id == replica), None)
        if busy is None:
            raise NotFound(f"{replica} has gone while it was measured", remedy="probe again")
        if not busy:
            return
        if time.monotonic() > deadline_s:
            message = f"{replica} answers {busy} other requests: what is measured now would not be its speed"
            raise AlliageError(message, remedy="probe again when it is idle, or another one: --replica ID")
        time.sleep(POLL_S)


def _warm_up(target: Target, order: ProbeOrder) -> int:
    """Find how many words make the prompt, then ask once as it will be asked; raises AlliageError for no answer."""
    sized = [_one(target, words, 2) for words in SIZING_WORDS]
    words = words_for(order.input_tokens, *sized)
    _one(target, words, order.output_tokens)
    return words


def _one(target: Target, words: int, output_tokens: int) -> Sized:
    """One request that is not measured."""
    load = LoadOrder(concurrency=1, seconds=0.0, words=words, output_tokens=output_tokens)
    loaded = _run(target, load, f"{target.service}: warming up")
    if not loaded.answers:
        why = next(iter(loaded.failures), "nothing came")
        remedy = f"see `alliage logs {target.replica}`"
        raise AlliageError(f"{target.replica} did not answer: {why}", remedy=remedy)
    return Sized(words=words, tokens=loaded.answers[0].prompt_tokens)


def _run(target: Target, load: LoadOrder, title: str) -> Loaded:
    """The load, shown while it runs: a bar on a terminal, else a line for each that takes long."""
    sources = prompts(secrets.randbits(64))  # each probe other ones: the engine may still hold the last probe's
    console = stderr()
    if not console.is_terminal:
        if load.seconds:
            remark(f"{title} for {load.seconds:g} s")
        return asyncio.run(run_load(target, load, sources, lambda _answers, _elapsed_s: None))
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - slow

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(printable(title), total=load.seconds or None)

        def tell(count: int, elapsed_s: float) -> None:
            words = printable(f"{title}, {count} answers")
            shown.update(task, description=words, completed=min(elapsed_s, load.seconds))

        return asyncio.run(run_load(target, load, sources, tell))


def _tell_failures(loaded: Loaded) -> bool:
    """Whether there were any, said with how often."""
    for why, count in loaded.failures.items():
        remark(f"{count} of {count + len(loaded.answers)} requests failed: {why}")
    return bool(loaded.failures)


def _show(name: str, replica: str, measured: list[MeasurementAnswer], *, as_json: bool) -> None:
    if as_json:
        told: list[dict[str, Any]] = [each.model_dump() for each in measured]
        show_value({"service": name, "replica": replica, "measurements": told}, indent=2)
    elif measured:
        show(measured_table(measured, now_s=time.time()))
        remark(f"recorded: the recipe of {replica} is measured now")
