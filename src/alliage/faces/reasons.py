"""Reasons in plain words: one sentence for every ReasonCode. Words only, no decisions; `decisions.py` has whole decisions."""

from typing import Final, assert_never

from alliage.decide.reasons import Facts, Reason, ReasonCode, Unwanted
from alliage.decide.solve.reasons import Why, WhyCode
from alliage.faces.plan_words import readable, words
from alliage.faces.where import shortened
from alliage.units import format_bytes, format_seconds

_UNKNOWN: Final = "an unknown number of"


def sentence(reason: Reason) -> str:
    """A reason as one clause without a full stop. A fact that an older Alliage did not store reads as unknown."""
    return shortened(_sentence(reason))


def _sentence(reason: Reason) -> str:  # noqa: C901, PLR0912, PLR0915 - one case a code, and nothing else
    facts = reason.facts
    match reason.code:
        case ReasonCode.FITS:
            text = f"it fits: {_size(facts, 'memory_bytes')} of the {_size(facts, 'free_bytes')} free on {_word(facts, 'device')}"
            text += f", and {_count(facts, 'cores', 'core')}" if facts.get("cores") else ""
        case ReasonCode.LESS_ROOM:
            text = f"it would fit too, but {_word(facts, 'device')} has less to spare than {_word(facts, 'than')}"
        case ReasonCode.SMALLER_SIZE:
            text = _smaller(facts)
        case ReasonCode.NO_NODE:
            text = "no node has joined, or none can be reached"
        case ReasonCode.NODE_UNREACHABLE:
            text = f"node {_word(facts, 'node')} cannot be reached now"
        case ReasonCode.NODE_LOST:
            text = _node_lost(facts)
        case ReasonCode.CORDONED:
            text = f"{_closed(facts)} is {'being drained' if facts.get('draining') else 'cordoned'}: nothing new is placed there"
        case ReasonCode.DRAINED:
            text = f"{_word(facts, 'replica')} makes way: {_closed(facts)} is being drained"
        case ReasonCode.FORMAT_UNSERVED:
            text = f"{_word(facts, 'engine')} does not read {_word(facts, 'format')} files (it reads {_word(facts, 'formats')})"
        case ReasonCode.STACK_UNSERVED:
            text = f"{_word(facts, 'engine')} does not run on {_word(facts, 'chip')} (software stack {_word(facts, 'stack')})"
        case ReasonCode.TASK_UNSERVED:
            text = f"{_word(facts, 'engine')} cannot do {_word(facts, 'task')}"
        case ReasonCode.ENGINE_MISSING:
            text = f"{_word(facts, 'engine')} is not installed on {_word(facts, 'node')}"
        case ReasonCode.CHIP_UNKNOWN:
            text = f"{_word(facts, 'node')} has a chip that the catalogue does not know ({_word(facts, 'chip')})"
        case ReasonCode.MEMORY_SHORT:
            text = _memory_short(facts)
        case ReasonCode.CORES_SHORT:
            text = _cores_short(facts)
        case ReasonCode.NO_ENGINE:
            text = f"no engine of the catalogue runs on it (software stack {_word(facts, 'stack')})"
        case ReasonCode.DEVICES_SHORT:
            text = _devices_short(facts)
        case ReasonCode.DEVICES_TAKEN:
            text = _devices_taken(facts)
        case ReasonCode.MORE_DEVICES:
            text = f"it would fit too, but take {_count(facts, 'devices', 'device')} where {_word(facts, 'than_devices')} will do"
        case ReasonCode.PRECISION_UNSERVED:
            instead = f": use {facts['instead']}" if facts.get("instead") else ""
            text = f"{_word(facts, 'engine')} does not serve {_word(facts, 'precision')} on {_word(facts, 'chip')}{instead}"
        case ReasonCode.PRECISION_UNKNOWN:
            text = f"no source says whether {_word(facts, 'engine')} serves {_word(facts, 'precision')} on {_word(facts, 'chip')}"
        case ReasonCode.FACT_UNKNOWN:
            text = f"the {_word(facts, 'what')} is not known"
        case ReasonCode.SPEED_UNKNOWN:
            text = f"its speed is not known yet ({_word(facts, 'recipe')}), so the latency goal could not be checked"
        case ReasonCode.KEEPS_OBJECTIVE:
            text = f"{_count(facts, 'users', 'request')} at once are predicted to get {_objective(facts)}"
        case ReasonCode.CARRIES_LESS:
            text = _carries_less(facts)
        case ReasonCode.OBJECTIVE_MISSED:
            text = f"it is too slow for {_objective(facts)}, even with one request at a time"
        case ReasonCode.ENGINE_ENDED:
            text = _engine_ended(facts)
        case ReasonCode.NOT_WANTED:
            text = _unwanted(facts)
        case ReasonCode.STOP_SERVICE:
            text = f"deleting service {_word(facts, 'service')} would free {_freed(facts)} on {_word(facts, 'device')}"
        case ReasonCode.FREE_DEVICES:
            text = f"deleting service {_word(facts, 'service')} would free {_count(facts, 'devices', 'device')} on {_word(facts, 'node')}"
        case ReasonCode.ADD_DEVICES:
            text = f"{_word(facts, 'devices')} {_word(facts, 'chip')} on {_word(facts, 'node')}, where {_word(facts, 'has')} can be used, would hold it"
        case ReasonCode.ADD_MEMORY:
            text = f"{_size(facts, 'missing_bytes')} more free memory on {_word(facts, 'node')} would make room"
        case ReasonCode.LOSE_MEMORY:
            text = f"with less than {_size(facts, 'below_bytes')} free on {_word(facts, 'device')} it would be {_word(facts, 'instead')}"
        case ReasonCode.INSTALL_ENGINE:
            text = f"installing {_word(facts, 'engine')} on {_word(facts, 'node')} would make it servable"
        case ReasonCode.UNCORDON:
            kind = "device" if facts.get("device") else "node"
            text = f"`alliage {kind} uncordon {facts.get('device') or _word(facts, 'node')}` would make room"
        case ReasonCode.CARRIES:
            each = (
                f"each carries {_rate(facts, 'rate_rps')}" if facts.get("rate_rps") else "what one carries is not known"
            )
            text = f"{_rate(facts, 'demand_rps')} are asked for, and {each}: {_count(facts, 'count', 'replica')} there by the plan"
        case ReasonCode.NOT_PLANNED:
            text = f"it would fit too, but the plan of the whole fleet has it by {readable(_word(facts, 'instead'))}"
        case ReasonCode.RESIDENCY:
            text = f"it may live only in {_word(facts, 'residency')}, and {_word(facts, 'node')} is at {_word(facts, 'site')}"
        case ReasonCode.NO_HOME:
            text = _no_home(facts)
        case ReasonCode.RECIPE_FAILED:
            text = f"it failed on {_word(facts, 'node')} before ({_word(facts, 'last_words')}); asking again with `alliage deploy` tries it again"
        case ReasonCode.DEMAND_UNMET:
            text = _unmet(facts)
        case ReasonCode.BY_PLAN:
            text = _by_plan(facts)
        case _:
            assert_never(reason.code)
    return text


def _objective(facts: Facts) -> str:
    """`a first token within 1 s and 40 ms a token`: of the two, what was asked."""
    asked = []
    if isinstance(first := facts.get("ttft_s"), int | float):
        asked.append(f"a first token within {format_seconds(first)}")
    if isinstance(each := facts.get("tpot_s"), int | float):
        asked.append(f"{format_seconds(each)} a token")
    return " and ".join(asked) or "the objective"


def _by_plan(facts: Facts) -> str:
    """What the plan's programme says, in its own words."""
    code = next((each for each in WhyCode if each == facts.get("why")), None)
    if code is None:
        return "the plan of the whole fleet has it so"
    return words(Why(code=code, facts={name: value for name, value in facts.items() if name != "why"}))


def _carries_less(facts: Facts) -> str:
    will_do = f"{_count(facts, 'than_devices', 'device')} keep the objective for {_word(facts, 'than_users')}"
    if not facts.get("users"):
        return f"it fits too, but its speed is not known, where {will_do}"
    users, devices = _count(facts, "users", "request"), _count(facts, "devices", "device")
    return f"it would keep the objective too, but for {users} at once on {devices}, where {will_do}"


def _rate(facts: Facts, name: str) -> str:
    value = facts.get(name)
    return f"{float(value):.3g} requests/s" if value is not None else "an unknown rate"


def _unmet(facts: Facts) -> str:
    lacking = []
    if facts.get("missing_rps"):
        lacking.append(f"{_rate(facts, 'missing_rps')} find no room")
    if facts.get("missing_replicas"):
        lacking.append(f"{_count(facts, 'missing_replicas', 'replica')} of the least number are missing")
    return " and ".join(lacking) or "something is missing"


def _memory_short(facts: Facts) -> str:
    needed = (
        f"{_size(facts, 'needed_bytes')} (weights {_size(facts, 'weight_bytes')}, KV cache {_size(facts, 'kv_bytes')})"
    )
    return (
        f"it needs {needed}, but {_word(facts, 'device')} has {_size(facts, 'free_bytes')} free "
        f"of {_size(facts, 'total_bytes')}"
    )


def _devices_short(facts: Facts) -> str:
    size = f"{_size(facts, 'weight_bytes')} of weights + {_size(facts, 'kv_bytes')} of KV cache"
    each = f"{_word(facts, 'context_tokens')} tokens x {_word(facts, 'concurrency')}"
    most = (
        f"{_size(facts, 'device_bytes')} are usable on a device and {_count(facts, 'devices', 'device')} may share it"
    )
    return f"it needs {_count(facts, 'needed', 'device')}: {size} at {each}, {most}"


def _devices_taken(facts: Facts) -> str:
    holders = str(facts.get("holders", ""))
    held = f"; the rest is held by {holders}" if holders else ""
    free = f"{_word(facts, 'free')} of {_word(facts, 'total')} {_word(facts, 'chip')} free"
    return f"it needs {_count(facts, 'needed', 'device')}, but {_word(facts, 'node')} has {free}{held}"


def _cores_short(facts: Facts) -> str:
    holders = str(facts.get("holders", ""))
    held = f"; the rest is held by {holders}" if holders else ""
    needed = _count(facts, "needed", "core")
    return f"it needs {needed}, but {_word(facts, 'device')} has {_word(facts, 'free')} free of {_word(facts, 'total')}{held}"


def _smaller(facts: Facts) -> str:
    size = f"{_count(facts, 'concurrency', 'request')} at once with {_word(facts, 'context_tokens')} tokens each"
    than = f"{_word(facts, 'than_concurrency')} with {_word(facts, 'than_context_tokens')}"
    return f"it would fit too, but serve only {size}, where there is room for {than}"


def _unwanted(facts: Facts) -> str:
    """Why nobody wants a replica; an older Alliage did not say."""
    replica, service = _word(facts, "replica"), _word(facts, "service")
    match facts.get("cause"):
        case Unwanted.DELETED:
            text = f"service {service} was deleted"
        case Unwanted.FAILED:
            text = f"its engine ended again and again ({_word(facts, 'last_words')}), and another way is taken"
        case Unwanted.DEVICE_GONE:
            text = "its device is not there any more"
        case Unwanted.FEWER:
            text = f"{service} is to have fewer replicas there"
        case Unwanted.REPLACED:
            text = f"{service} is to run by {readable(_word(facts, 'instead'))} instead"
        case Unwanted.DISPLACED:
            text = "the plan of the whole fleet gives its place to what counts for more"
        case Unwanted.IDLE:
            text = f"nobody asks for {service} now"
        case _:
            text = "its service was deleted or asks for fewer replicas"
    return f"{replica} is not wanted any more: {text}"


def _engine_ended(facts: Facts) -> str:
    again = facts.get("retry_after_s")
    later = f"; the next start is after {format_seconds(float(again))}" if again else ""
    words = str(facts.get("last_words", ""))
    said = f": {words}" if words else ""
    times = f" ({facts['failures']} times in a row)" if int(facts.get("failures", 1)) > 1 else ""
    return f"the engine of {_word(facts, 'replica')} ended by itself{times}{later}{said}"


def _node_lost(facts: Facts) -> str:
    """Who says so: its agent by its silence, and the gateways where they could be asked."""
    if facts.get("retired"):
        return f"node {_word(facts, 'node')} was rehearsed, and the fleet file has it no more"
    silent_s = facts.get("silent_s")
    silence = f" for {format_seconds(float(silent_s))}" if silent_s is not None else ""
    asked = f", and {_count(facts, 'gateways', 'gateway')} cannot reach it either" if facts.get("gateways") else ""
    return f"node {_word(facts, 'node')} is lost: its agent has been silent{silence}{asked}"


def _no_home(facts: Facts) -> str:
    """What it waits for, and what there is, since the name may be a slip."""
    known = str(facts.get("known", "")) or "none, for no node has joined"
    return (
        f"it may live only in {_word(facts, 'residency')}, and no node is at a site, in a region or under a tag of that "
        f"name; it starts when one joins (names there are: {known})"
    )


def _closed(facts: Facts) -> str:
    """The node or the device that is cordoned."""
    return f"device {facts['device']}" if facts.get("device") else f"node {_word(facts, 'node')}"


def _freed(facts: Facts) -> str:
    return _count(facts, "cores", "core") if facts.get("cores") else "memory"


def _word(facts: Facts, name: str) -> str:
    return str(facts.get(name, "unknown"))


def _size(facts: Facts, name: str) -> str:
    return format_bytes(int(facts[name])) if name in facts else "an unknown amount"


def _count(facts: Facts, name: str, noun: str) -> str:
    number = facts.get(name, _UNKNOWN)
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
