"""Requests against a cloud whose gateway and control are killed at random, and what the ledger says at the end."""

import asyncio
import random
import shutil
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from time import monotonic

from alliage.app.home import Home, open_home
from tests.storm.asked import TENANTS, Asked, Kind, Saw
from tests.storm.between import between
from tests.storm.client import ask
from tests.storm.cloud import MARK_S, Child, Cloud, eventually
from tests.storm.judge import Verdict, judge
from tests.storm.ledger import judge_sums, read_ledger

_KINDS = (Kind.STREAM,) * 8 + (Kind.WHOLE,) * 5 + (Kind.LEAVES, Kind.DIES, Kind.SILENT, Kind.SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A storm. `bug` is one of `between`, or "wiped": the journals go with the gateway.

    Kills come a moment after about so many requests have ended since the last one, so a slow machine has as many as a fast one;
    0: none.
    """

    requests: int
    seed: int
    clients: int = 32
    gateway_every: int = 500
    control_every: int = 1500
    """It takes seconds to start, and is to be there for some of the time."""
    slack_s: float = 2.0
    """What a busy machine may delay a progress mark."""
    bug: str = ""


@dataclass(slots=True, kw_only=True)
class Kills:
    """How often each was killed."""

    gateway: int = 0
    control: int = 0
    gateway_s: float = 0.0
    """When the gateway was killed last."""


def requests(plan: Plan) -> list[Asked]:
    """What is asked, by the seed."""
    chance = random.Random(plan.seed)
    return [
        Asked(
            id=f"storm-{plan.seed}{plan.bug}-{number}",
            tenant=chance.choice(TENANTS),
            kind=chance.choice(_KINDS),
            tokens=chance.randint(4, 40),
        )
        for number in range(plan.requests)
    ]


async def blow(cloud: Cloud, plan: Plan) -> tuple[Verdict, Kills]:
    """One storm over a cloud, which may have seen others: what they left in the ledger is not judged again, its sums are."""
    before = {charge.record.id for charge in read_ledger(cloud.home.database).charges}
    asked = requests(plan)
    cloud.asked.clear()
    cloud.asked.update({each.id: each for each in asked})
    async with AsyncExitStack() as stack:
        home = cloud.home
        if plan.bug in {"early", "twice"}:
            home = open_home(cloud.home.root.parent / plan.bug)
            home.settings.write_bytes(cloud.home.settings.read_bytes())
            await stack.enter_async_context(between(home.control_socket, cloud.home.control_socket, plan.bug))
        gateway = cloud.gateway_of(home)
        stack.push_async_callback(gateway.kill)
        await gateway.start()
        kills = await _blow(plan, asked, cloud, gateway, home)
        await _settle(cloud, gateway, home)
    ledger = read_ledger(cloud.home.database)
    charges = [charge for charge in ledger.charges if charge.record.id not in before]
    verdict = judge(asked, charges, interval_s=MARK_S + plan.slack_s)
    return replace(verdict, wrong=(*verdict.wrong, *judge_sums(ledger))), kills


async def _blow(plan: Plan, asked: list[Asked], cloud: Cloud, gateway: Child, home: Home) -> Kills:  # noqa: C901 - the parts of one storm
    """Ask for all, and kill meanwhile."""
    waiting = iter(asked)
    kills = Kills()
    ended = 0
    is_over = False

    async def client() -> None:
        nonlocal ended
        for each in waiting:
            await ask(cloud.port, cloud.keys[each.tenant], each, monotonic)
            if each.saw is Saw.CUT:
                each.ended_s = kills.gateway_s  # it may be noticed late
            else:
                ended += 1

    async def comes(chance: random.Random, every: int) -> bool:
        """Any instant after so many requests; False when all have ended. Whoever kills starts again too, so it is not cut off."""
        due = ended + chance.randint(every // 3, every * 5 // 3)
        while (ended < due or not every) and not is_over:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.005)
        await asyncio.sleep(chance.uniform(0, 0.1))
        return not is_over

    async def kill_gateway() -> None:
        chance = random.Random(f"{plan.seed}-gateway")
        while await comes(chance, plan.gateway_every):
            kills.gateway += 1
            kills.gateway_s = monotonic()
            await gateway.kill()
            if plan.bug == "wiped":
                shutil.rmtree(home.usage, ignore_errors=True)
            await gateway.start()

    async def kill_control() -> None:
        chance = random.Random(f"{plan.seed}-control")
        while await comes(chance, plan.control_every):
            kills.control += 1
            await cloud.control.kill()
            await asyncio.sleep(chance.uniform(0, 0.3))
            await cloud.control.start()

    killers = [asyncio.create_task(kill_gateway()), asyncio.create_task(kill_control())]
    async with asyncio.TaskGroup() as group:
        for _ in range(plan.clients):
            group.create_task(client())
    is_over = True
    await asyncio.gather(*killers)
    return kills


async def _settle(cloud: Cloud, gateway: Child, home: Home) -> None:
    """Let control take everything: journals of the dead go first, then a gateway that ends takes its own away."""

    async def alone() -> bool:
        return len(list(home.usage.iterdir())) == 1

    while True:
        await cloud.serves()
        await eventually(alone, f"control has taken the journals of the dead in {home.usage}")
        await gateway.end()
        if not any(home.usage.iterdir()):
            return
        await gateway.start()
