"""Stress workloads by kind, over any hosts.

What stays arrives until 1.3 times the devices (or the CPU) were asked for; what leaves arrives so that 1.1 times the
devices are asked for once it is steady, for six mean lifetimes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from alliage.decide.packing.shapes import Host, Shape, Typical
from alliage.errors import BadInput
from alliage.replay.openb.popularity import Pod, find_typical
from alliage.replay.openb.trace import capacity_milli, device_milli
from alliage.replay.stress import mixes
from alliage.replay.stress.mixes import Mix
from alliage.replay.stress.workload import Event, Workload

DEMAND_PERCENT: Final = 130
OFFERED_PERCENT: Final = 110
LIFETIMES: Final = 6
HEARD_PERCENT: Final = 20
"""How much of a drifting workload its statistics are taken from: its beginning."""
REQUESTS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The mix at the start and at the end (between them it drifts), whether requests leave, and what is told."""

    first: mixes.Maker
    last: mixes.Maker
    leaves: bool = False
    told: mixes.Maker | None = None
    tells: bool = True


_PLANS: Final = {
    "gangs": _Plan(first=mixes.gangs, last=mixes.gangs),
    "fractions": _Plan(first=mixes.fractions, last=mixes.fractions),
    "mixed": _Plan(first=mixes.singles, last=mixes.singles),
    "cpu-heavy": _Plan(first=mixes.cpu_heavy, last=mixes.cpu_heavy),
    "pins": _Plan(first=mixes.pins, last=mixes.pins),
    "departures": _Plan(first=mixes.singles, last=mixes.singles, leaves=True),
    "pins-departures": _Plan(first=mixes.pins, last=mixes.pins, leaves=True),
    "drift": _Plan(first=mixes.fractions, last=mixes.gangs),
    "drift-departures": _Plan(first=mixes.fractions, last=mixes.singles, leaves=True),
    "wrong-statistics": _Plan(first=mixes.singles, last=mixes.singles, told=mixes.fractions),
    "gangs-unforeseen": _Plan(first=mixes.gangs, last=mixes.gangs, told=mixes.singles),
    "no-statistics": _Plan(first=mixes.singles, last=mixes.singles, tells=False),
}
KINDS: Final = tuple(_PLANS)


def generate(kind: str, hosts: Sequence[Host], seed: int) -> Workload:
    """The workload of that kind. Raises BadInput for a kind there is none of, or hosts without a device."""
    if kind not in _PLANS:
        raise BadInput(f"there is no stress workload {kind!r}", remedy=f"kinds: {', '.join(KINDS)}")
    if not any(host.devices for host in hosts):
        raise BadInput("none of the hosts has a device", remedy="give hosts with devices")
    plan, dice = _PLANS[kind], Random(f"{kind}/{seed}")  # noqa: S311 - a seeded draw, not a secret
    able = [host for host in hosts if host.devices]
    first = plan.first(able, dice)
    last = first if plan.last is plan.first else plan.last(able, dice)
    pods, events = _leaving(hosts, first, last, dice) if plan.leaves else _staying(hosts, first, last, dice)
    told = plan.told(able, dice) if plan.told else None
    typical = (_typical_of(told) if told else _heard(pods, drifts=last is not first)) if plan.tells else ()
    numbers = {shape: at for at, shape in enumerate(dict.fromkeys((*first.shapes, *last.shapes)))}
    return Workload(
        kind=kind,
        seed=seed,
        hosts=tuple(hosts),
        shapes=tuple(numbers),
        requests=tuple(numbers[shape] for shape in pods),
        events=tuple(events),
        typical=typical,
    )


def _staying(hosts: Sequence[Host], first: Mix, last: Mix, dice: Random) -> tuple[list[Shape], list[Event]]:
    """Requests until they asked for 1.3 times the devices or the CPU; `at` is the part that has arrived."""
    devices, cpu = capacity_milli(tuple(hosts)), sum(host.cpu_milli for host in hosts)
    pods: list[Shape] = []
    asked_devices = asked_cpu = 0
    part = 0.0
    while part < 1:
        _check_length(pods)
        pods.append(_draw(first, last, part, dice))
        asked_devices += device_milli(pods[-1])
        asked_cpu += pods[-1].cpu_milli
        part = max(asked_devices / devices, asked_cpu / cpu if cpu else 0.0) * 100 / DEMAND_PERCENT
    return pods, [Event(at / len(pods), at, leaves=False) for at in range(len(pods))]


def _leaving(hosts: Sequence[Host], first: Mix, last: Mix, dice: Random) -> tuple[list[Shape], list[Event]]:
    """Requests at random times, each for a random time; gaps are such that the demand stays where it should."""
    wanted = capacity_milli(tuple(hosts)) * OFFERED_PERCENT / 100
    pods: list[Shape] = []
    events: list[Event] = []
    now = 0.0
    while now < LIFETIMES:
        _check_length(pods)
        shape = _draw(first, last, now / LIFETIMES, dice)
        demand = (1 - now / LIFETIMES) * _mean_demand(first) + now / LIFETIMES * _mean_demand(last)
        events += (Event(now, len(pods), leaves=False), Event(now + dice.expovariate(1.0), len(pods), leaves=True))
        pods.append(shape)
        now += dice.expovariate(1.0) * demand / wanted
    ordered = sorted(events, key=lambda event: (event.at, event.leaves, event.request))
    return pods, [event for event in ordered if event.at < LIFETIMES]


def _check_length(pods: Sequence[Shape]) -> None:
    if len(pods) >= REQUESTS_MAX:
        raise BadInput(f"the hosts take more than {REQUESTS_MAX} requests", remedy="give fewer hosts")


def _draw(first: Mix, last: Mix, part: float, dice: Random) -> Shape:
    mix = last if first is not last and dice.random() < part else first
    return dice.choices(mix.shapes, mix.weights)[0]


def _mean_demand(mix: Mix) -> float:
    pairs: Iterator[tuple[Shape, float]] = zip(mix.shapes, mix.weights, strict=True)
    return sum(device_milli(shape) * weight for shape, weight in pairs) / sum(mix.weights)


def _heard(pods: Sequence[Shape], *, drifts: bool) -> tuple[Typical, ...]:
    heard = pods[: max(1, len(pods) * HEARD_PERCENT // 100)] if drifts else pods
    return find_typical(Pod(shape) for shape in heard)


def _typical_of(mix: Mix) -> tuple[Typical, ...]:
    pairs = zip(mix.shapes, mix.weights, strict=True)
    return find_typical(Pod(shape) for shape, weight in pairs for _ in range(int(weight)))
