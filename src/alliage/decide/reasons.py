"""Reasons as data: what was chosen, what was rejected, and what would change the answer. A face renders them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from alliage.fleet.ids import ServiceName
from alliage.fleet.replicas import Recipe


class ReasonCode(StrEnum):
    """Each code's facts are named beside it; `faces/reasons.py` has a sentence for every one (a test holds it)."""

    FITS = "fits"
    """node, device, cores, memory_bytes, free_bytes"""
    LESS_ROOM = "less_room"
    """node, device, free (cores), free_bytes, than (the device that was chosen): it fits too, but with less to spare"""
    SMALLER_SIZE = "smaller_size"
    """concurrency, context_tokens, than_concurrency, than_context_tokens: it fits too, but does less"""
    NO_NODE = "no_node"
    """(no facts) no node has joined or all are unreachable"""
    NODE_UNREACHABLE = "node_unreachable"
    """node"""
    NODE_LOST = "node_lost"
    """node, silent_s, gateways, or retired (1: the fleet file has it no more): nobody reaches it; of a stop also replica"""
    CORDONED = "cordoned"
    """node, device ("": the whole node), draining (1 or 0)"""
    DRAINED = "drained"
    """replica, node, device ("": the whole node): it makes way because an admin empties the node or device"""
    FORMAT_UNSERVED = "format_unserved"
    """engine, format, formats"""
    STACK_UNSERVED = "stack_unserved"
    """engine, chip, stack: in decisions that an older Alliage stored; now `no_engine`"""
    TASK_UNSERVED = "task_unserved"
    """engine, task"""
    ENGINE_MISSING = "engine_missing"
    """engine, node"""
    CHIP_UNKNOWN = "chip_unknown"
    """chip, node"""
    MEMORY_SHORT = "memory_short"
    """node, device, needed_bytes, free_bytes, total_bytes, weight_bytes, kv_bytes"""
    CORES_SHORT = "cores_short"
    """node, device, needed, free, total, holders (names of the services that have the rest)"""
    NO_ENGINE = "no_engine"
    """chip, stack: no engine of the catalogue runs there"""
    DEVICES_SHORT = "devices_short"
    """weight_bytes, kv_bytes, context_tokens, concurrency, device_bytes (usable of one), devices (most that may share), needed,
    chip, node ("": any)"""
    DEVICES_TAKEN = "devices_taken"
    """node, chip, needed, free, total, holders (names of the services that have the rest)"""
    MORE_DEVICES = "more_devices"
    """chip, devices, than_devices: it fits too, but takes more of them"""
    PRECISION_UNSERVED = "precision_unserved"
    """engine, chip, precision, instead (what to use; may be empty)"""
    PRECISION_UNKNOWN = "precision_unknown"
    """engine, chip, precision: no source says whether it is served there"""
    FACT_UNKNOWN = "fact_unknown"
    """what: a fact without which nothing can be said"""
    SPEED_UNKNOWN = "speed_unknown"
    """recipe: no speed is known for it yet, so the objective could not be checked"""
    OBJECTIVE_MISSED = "objective_missed"
    """ttft_s, tpot_s (those that were asked): it is too slow for them even with one request at a time"""
    KEEPS_OBJECTIVE = "keeps_objective"
    """users, ttft_s, tpot_s: so many requests at once are predicted to get their first token and the others so fast"""
    CARRIES_LESS = "carries_less"
    """users (0: its speed is not known), devices, than_users, than_devices: it fits too, but keeps the objective for fewer a device"""
    ENGINE_ENDED = "engine_ended"
    """replica, starts, failures, retry_after_s, last_words"""
    NOT_WANTED = "not_wanted"
    """replica, service, cause (an Unwanted; decisions that an older Alliage stored have none); of `failed` also last_words, of
    `replaced` also instead"""
    STOP_SERVICE = "stop_service"
    """service, device, cores: a change that would make room"""
    FREE_DEVICES = "free_devices"
    """service, devices, node: a change that would make room"""
    ADD_DEVICES = "add_devices"
    """node, chip, devices (so many it would take at least), has: a change that would make room"""
    ADD_MEMORY = "add_memory"
    """node, missing_bytes: a change that would make room"""
    LOSE_MEMORY = "lose_memory"
    """device, below_bytes, instead: with less free memory than this, the choice would be another"""
    INSTALL_ENGINE = "install_engine"
    """engine, node: a change that would make it servable"""
    CARRIES = "carries"
    """demand_rps, rate_rps (of one replica), count (of the replicas there): what the plan reckons with"""
    NOT_PLANNED = "not_planned"
    """instead (way and nodes): it would fit too, but by the plan another is cheaper, or others need this more"""
    RESIDENCY = "residency"
    """node, site, residency: it may not live there"""
    NO_HOME = "no_home"
    """residency, known (the names that nodes have; may be empty): no node is where it may live"""
    RECIPE_FAILED = "recipe_failed"
    """node, recipe, last_words: it failed there, and is not tried again until somebody asks"""
    DEMAND_UNMET = "demand_unmet"
    """missing_rps, missing_replicas: what a service that runs lacks by the plan"""
    BY_PLAN = "by_plan"
    """why (a `decide.solve.reasons.WhyCode`) and its facts: what the plan's programme says"""
    UNCORDON = "uncordon"
    """node, device ("": the whole node): a change that would make room"""


class Unwanted(StrEnum):
    """Why nobody wants a replica any more; each has its words in `faces/reasons.py`."""

    DELETED = "deleted"
    FAILED = "failed"
    """Its engine ended again and again, and another way was taken."""
    DEVICE_GONE = "device_gone"
    """Its device, or a core of it, is no longer there."""
    FEWER = "fewer"
    """The service is to have fewer where it stood."""
    REPLACED = "replaced"
    """The plan has the service run in another way, or elsewhere."""
    DISPLACED = "displaced"
    """The plan gives what it had to others."""
    IDLE = "idle"
    """Nobody asks for the service, and it may have none then."""


Facts = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A code and its facts."""

    code: ReasonCode
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An option that was looked at and not taken. `option` reads `ENGINE on CHIP at NODE`, as far as it got."""

    option: str
    reason: Reason


class Outcome(StrEnum):
    PLACED = "placed"
    REFUSED = "refused"
    STOPPED = "stopped"
    RESTARTED = "restarted"
    GIVEN_UP = "given_up"
    """Its recipe failed too often there; another way is taken."""
    SHORT = "short"
    """It runs, but cannot be given all that is asked."""
    WAITING = "waiting"
    """It is asked for, and starts when a node joins where it may live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision about one service, as stored: why this, what else, what would change it."""

    at_s: float
    service: ServiceName
    outcome: Outcome
    recipe: Recipe | None
    where: str
    """`NODE` and what of it, such as `laptop/cpu0 cores 1`; "" when refused."""
    because: tuple[Reason, ...]
    rejected: tuple[Rejected, ...]
    would_change: tuple[Reason, ...]
