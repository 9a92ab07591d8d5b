"""Answers as Rich tables, one function a noun. No asking, no printing."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from alliage.faces.admin import answers
from alliage.faces.telling import printable
from alliage.faces.where import shortened
from alliage.units import format_bytes, format_seconds

_STYLES = {
    "ready": "green",
    "starting": "yellow",
    "fetching": "yellow",
    "bound": "yellow",
    "draining": "yellow",
    "deleting": "yellow",
    "stopping": "yellow",
    "resting": "dim",
    "dozing": "dim",
    "asleep": "dim",
    "waking": "yellow",
    "backoff": "red",
    "idle": "dim",
    "unserved": "red",
    "unreachable": "red",
    "lost": "red",
    "cordoned": "yellow",
}


def services_table(services: Iterable[answers.ServiceAnswer], *, now_s: float) -> Table:
    """Name, phase, replicas that are ready of those that are wanted, requests a second seen and expected, model, goal, tenant, age."""
    table = _table("SERVICE", "PHASE", "READY", "REQ/S", "MODEL", "GOAL", "TENANT", "AGE")
    for each in services:
        model = f"{each.model.id} {each.model.precision}"
        ready = f"{each.replicas_ready}/{each.replicas_wanted}{asleep_words(each.replicas_asleep)}"
        numbers = (ready, _rates(each))
        _row(table, each.name, _phase(each.phase), *numbers, model, _goal(each), each.tenant, _age(each, now_s))
    return table


def asleep_words(count: int) -> str:
    """What stands behind the number of those that are ready."""
    return f", {count} asleep" if count else ""


def _rates(service: answers.ServiceAnswer) -> str:
    """`3.1 of 12`: seen lately, of what is planned for; `unknown` while no gateway has counted."""
    seen = "unknown" if service.seen_rps is None else f"{service.seen_rps:.3g}"
    return f"{seen} of {service.expected_rps:.3g}" if service.expected_rps else seen


def service_notes(services: Iterable[answers.ServiceAnswer]) -> list[str]:
    """A line for each service that is not ready and can say why."""
    return [f"{each.name}: {each.why}" for each in services if each.why]


def replicas_table(replicas: Iterable[answers.ReplicaAnswer], *, now_s: float) -> Table:
    """Id, phase, where, engine, how its speed is known, memory, requests, age, and what there is to say."""
    table = _table("REPLICA", "PHASE", "WHERE", "ENGINE", "SPEED", "MEMORY", "BUSY", "AGE", "NOTE")
    for each in replicas:
        where = shortened(" + ".join(_place(binding) for binding in each.bindings)) or each.node
        busy = f"{each.in_flight}/{each.recipe.concurrency}"
        memory = format_bytes(each.asleep_bytes or each.recipe.memory_bytes)
        note = fetching(each) or each.note or ("its weights are in the node's memory" if each.asleep_bytes else "")
        how = (each.recipe.engine, each.recipe.evidence)
        _row(table, each.id, _phase(each.phase), where, *how, memory, busy, _age(each, now_s), note)
    return table


def fetching(replica: answers.ReplicaAnswer) -> str:
    """How much of the model's files is here, while they come; else ""."""
    live = replica.live
    if replica.phase != "fetching" or live is None or not live.total_bytes:
        return ""
    return f"fetching {format_bytes(live.fetched_bytes)} of {format_bytes(live.total_bytes)}"


def nodes_table(nodes: Iterable[answers.NodeAnswer]) -> Table:
    """One row a device, or for devices that are given whole and are alike one for all of them: what is bound, what is free."""
    table = _table("NODE", "PHASE", "DEVICE", "CHIP", "MODEL", "BOUND", "MEMORY BOUND", "FREE NOW", "ENGINES")
    for node in nodes:
        engines = ", ".join(f"{each.engine} {each.version}".strip() for each in node.engines) or "none"
        told = f"rehearsed: {engines}" if node.rehearsed else engines
        for alike in _alike(node.devices):
            first = alike[0]
            name = first.id if len(alike) == 1 else f"{first.id} to {alike[-1].id.rpartition('/')[2]}"
            bound = f"{sum(1 for each in alike if each.bound_bytes)}/{len(alike)}"
            if first.cores:
                bound = f"{len(first.cores_bound)}/{len(first.cores)} cores"
            memory_bytes = sum(each.memory_bytes for each in alike)
            memory = f"{format_bytes(sum(each.bound_bytes for each in alike))} of {format_bytes(memory_bytes)}"
            known = [each.free_bytes for each in alike if each.free_bytes is not None]
            free = format_bytes(sum(known)) if len(known) == len(alike) else "unknown"
            model = first.facts.get("model", first.chip_name)
            _row(table, node.id, _node_phase(node, first), name, first.chip, model, bound, memory, free, told)
        if not node.devices:
            _row(table, node.id, _node_phase(node, None), "none", "", "", "", "", "", told)
    return table


def _node_phase(node: answers.NodeAnswer, device: answers.DeviceAnswer | None) -> Text:
    """`ready`, `ready, cordoned`, `lost, draining`: for a row of its devices what holds for these."""
    is_draining = node.draining if device is None else device.draining
    is_cordoned = node.cordoned if device is None else device.cordoned
    taken_out = "draining" if is_draining else "cordoned" if is_cordoned else ""
    if not taken_out:
        return _phase(node.phase)
    return Text(f"{node.phase}, {taken_out}", style=_STYLES["draining"])


def devices_table(devices: Iterable[answers.DeviceAnswer]) -> Table:
    """One row a device, whether it takes anything new, what is bound, what is free."""
    table = _table("DEVICE", "STATE", "CHIP", "MODEL", "MEMORY BOUND", "FREE NOW")
    for each in devices:
        state = "draining" if each.draining else "cordoned" if each.cordoned else "open"
        memory = f"{format_bytes(each.bound_bytes)} of {format_bytes(each.memory_bytes)}"
        free = format_bytes(each.free_bytes) if each.free_bytes is not None else "unknown"
        _row(table, each.id, _phase(state), each.chip, each.facts.get("model", each.chip_name), memory, free)
    return table


def _alike(devices: Sequence[answers.DeviceAnswer]) -> list[list[answers.DeviceAnswer]]:
    """Neighbours that are given whole, of one chip and size; a device that is shared by cores is alone."""
    groups: list[list[answers.DeviceAnswer]] = []
    for device in devices:
        last = groups[-1][-1] if groups else None
        is_like = (
            last is not None
            and not device.cores
            and (last.chip, last.memory_bytes) == (device.chip, device.memory_bytes)
            and (last.cordoned, last.draining) == (device.cordoned, device.draining)
        )
        if is_like:
            groups[-1].append(device)
        else:
            groups.append([device])
    return groups


def models_table(models: Iterable[answers.ModelAnswer]) -> Table:
    """What can be deployed by name."""
    table = _table("MODEL", "PARAMETERS", "ACTIVE", "CONTEXT", "PRECISION", "SIZE", "TASKS", "LICENCE", "SOURCE")
    for each in models:
        active = counted(each.active_parameters) if each.active_parameters != each.parameters else "all"
        size = format_bytes(each.size_bytes) if each.size_bytes else "at the hub"
        numbers = (counted(each.parameters), active, f"{each.context_tokens:,}", each.precision, size)
        _row(table, each.id, *numbers, ", ".join(each.tasks), each.licence, each.source)
    return table


def counted(parameters: int) -> str:
    """`8.19B`, `135M`: three digits; `unknown` for 0."""
    if not parameters:
        return "unknown"
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}" if parameters < 999.5 * size else f"{parameters / size:.0f}{unit}"
    return str(parameters)


def history_table(seen: Sequence[answers.ObservationAnswer], *, now_s: float) -> Table:
    """What happened, the oldest first."""
    table = _table("AGO", "WHAT")
    for each in reversed(seen):
        _row(table, ago(now_s - each.at_s), each.what)
    return table


def status_lines(status: answers.StatusAnswer) -> list[str]:
    """The head of `status`: version, gateway, gateways, and what is wrong."""
    doors = f"{len(status.doors)} connected" if status.doors else "none connected"
    if len(status.doors) > 1:
        doors += f": {', '.join(sorted(each.door.rpartition('-')[0] for each in status.doors))}"
    lines = [f"Alliage {status.version}", f"gateway  {status.gateway_url}/v1 ({doors})"]
    return lines + [f"problem  {each}" for each in status.problems]


def _goal(service: answers.ServiceAnswer) -> str:
    """What was asked: how fast, how much, where."""
    goals = (("first token", service.objective.ttft_s), ("a token", service.objective.tpot_s))
    asked = [f"{name} {format_seconds(seconds)}" for name, seconds in goals if seconds is not None]
    asked += [f"rate {service.rate_rps:g}/s"] if service.rate_rps is not None else []
    asked += [f"in {' or '.join(service.residency)}"] if service.residency else []
    return ", ".join(asked) or "none"


def _place(binding: answers.BindingAnswer) -> str:
    noun = "core" if len(binding.cores) == 1 else "cores"
    return f"{binding.device} {noun} {core_ranges(binding.cores)}" if binding.cores else binding.device


def core_ranges(cores: Sequence[int]) -> str:
    """`(0, 1, 2, 5)` -> `0-2,5`."""
    runs = groupby(enumerate(sorted(cores)), key=lambda pair: pair[1] - pair[0])
    ends = [[core for _, core in run] for _, run in runs]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in ends)


def ago(seconds: float) -> str:
    """Whole units, as ages are read: `5 s`, `12 min`, `3 h`, `9 d`."""
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 172_800)):
        if seconds < limit:
            return f"{max(0, int(seconds)) // size} {unit}"
    return f"{int(seconds) // 86_400} d"


def _age(noun: answers.ServiceAnswer | answers.ReplicaAnswer, now_s: float) -> str:
    return ago(now_s - noun.created_s)


def _phase(phase: str) -> Text:
    return Text(phase, style=_STYLES.get(phase, ""))


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of texts, as all tables here look."""
    table = _table(*columns)
    for row in rows:
        _row(table, *row)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _row(table: Table, *cells: str | Text) -> None:
    table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in cells))
