"""Leases over real lines: dealt when gateways come, report and go, before the table that they belong to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

from alliage.control.used import Used
from alliage.fleet.limits import Lease, Limits, Scope, Use, service_scope, tenant_scope
from alliage.fleet.routing import RoutingTable
from alliage.link.doors import DoorHub
from alliage.link.leases import Leases
from alliage.link.line import AnsweredLine, DialledLine, dial
from alliage.link.messages import PROTOCOL, GatewayHello, GatewayReport, NewLeases, NewTable
from tests.link.listening import listening
from tests.link.tables import a_table
from tests.runtimes.scene import until

_T = tenant_scope("t")
_DAY_S = 86400.0


class _Ledger:
    """What was charged, as the test says."""

    def __init__(self) -> None:
        self.micros = 0

    def spent_micros(self, scope: Scope, since_s: float) -> int:
        """The same of every scope."""
        assert (scope, since_s % _DAY_S) == (_T, 0.0)
        return self.micros


class _Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.at_s = 10 * _DAY_S + 100.0

    def now_s(self) -> float:
        """Both clocks."""
        return self.at_s


def _limited(version: int, limits: Limits) -> RoutingTable:
    return replace(a_table(version), limits={_T: limits})


@asynccontextmanager
async def _hub(tmp_path: Path) -> AsyncIterator[tuple[DoorHub, Path, _Clock, _Ledger]]:
    clock, ledger = _Clock(), _Ledger()
    leases = Leases(ledger, now_s=clock.now_s, monotonic_s=clock.now_s)
    hub = DoorHub(on_change=lambda: None, monotonic_s=clock.now_s, leases=leases)

    async def answer(line: AnsweredLine) -> None:
        hello = await line.receive()
        assert isinstance(hello, GatewayHello)
        await hub.answer(hello, line)

    async with listening(tmp_path / "c", answer):
        yield hub, tmp_path / "c", clock, ledger


async def _join(path: Path, door: str) -> DialledLine:
    line = await dial(path)
    line.send(GatewayHello(protocol=PROTOCOL, door=door))
    return line


_TOLD = count(1)


async def _tell(hub: DoorHub, line: DialledLine, number: int, **use: int) -> None:
    """Report, and wait until control has heard it."""
    version = next(_TOLD)
    line.send(GatewayReport(table_version=version, in_flight={}, use={_T: Use(**use)} if use else {}, leases=number))
    await until(lambda: any(each.table_version == version for each in hub.observe()), 5)


async def _leases(line: DialledLine) -> tuple[int, Lease]:
    """The next leases, of the tenant; tables are passed over."""
    while isinstance(message := await asyncio.wait_for(line.receive(), 5), NewTable):
        pass
    assert isinstance(message, NewLeases)
    return message.number, message.leases[_T]


def test_leases_come_before_their_table_and_are_shared(tmp_path: Path) -> None:
    """One gateway has all; of two each has half, slots once the first obeys; who is left has all again."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _, _ledger):
            hub.push(_limited(1, Limits(requests_per_minute=60, parallel=8)))
            one = await _join(path, "one")
            first = await one.receive()
            assert isinstance(first, NewLeases)
            assert first.leases == {_T: Lease(requests_per_minute=60.0, parallel=8)}
            assert isinstance(await one.receive(), NewTable)
            await _tell(hub, one, first.number)
            two = await _join(path, "two")
            assert (await _leases(two))[1] == Lease(requests_per_minute=30.0, parallel=0)
            number, lower = await _leases(one)
            assert lower == Lease(requests_per_minute=30.0, parallel=4)
            await _tell(hub, one, number)
            number, lease = await _leases(two)
            assert lease == Lease(requests_per_minute=30.0, parallel=4)
            one.close()
            assert (await _leases(two))[1] == Lease(requests_per_minute=60.0, parallel=8)
            two.close()

    asyncio.run(play())


def test_two_gateways_share_the_slots_of_services(tmp_path: Path) -> None:
    """Four slots of one replica: all for one gateway, without a lease; two and two for two."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _, _ledger):
            hub.push(a_table(1))
            one = await _join(path, "one")
            assert isinstance(await one.receive(), NewTable)
            await _tell(hub, one, 0)
            two = await _join(path, "two")
            message = await one.receive()
            assert isinstance(message, NewLeases)
            assert message.leases == {service_scope("s"): Lease(parallel=2)}
            two.close()
            message = await one.receive()
            assert message == NewLeases(leases={}, number=message.number if isinstance(message, NewLeases) else 0)
            one.close()

    asyncio.run(play())


def test_demand_moves_leases_at_most_once_a_second(tmp_path: Path) -> None:
    """Reports within the second change nothing; the first after it gives most to who is asked."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, clock, _):
            hub.push(_limited(1, Limits(requests_per_minute=100)))
            one, two = await _join(path, "one"), await _join(path, "two")
            await _leases(one)
            number, half = await _leases(one)
            assert half.requests_per_minute == 50.0
            await _tell(hub, one, number)
            await _tell(hub, one, number, requests=40)
            await _tell(hub, one, number, requests=50)
            clock.at_s += 2.0
            await _tell(hub, one, number, requests=60)
            assert (await _leases(one))[1].requests_per_minute == 90.0
            assert [(await _leases(two))[1].requests_per_minute for _ in range(2)] == [50.0, 10.0]
            one.close()
            two.close()

    asyncio.run(play())


def test_money_is_what_the_ledger_and_the_gateways_say(tmp_path: Path) -> None:
    """What was told counts until it is booked; a new day begins anew; a gateway that comes back is not forgiven what it spent away."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, clock, ledger):
            ledger.micros = 300
            hub.push(_limited(1, Limits(day_micros=1000)))
            one = await _join(path, "one")
            number, lease = await _leases(one)
            assert lease == Lease(spend_until_micros=700, limit="day", resets_s=11 * _DAY_S)
            await _tell(hub, one, number)
            await _tell(hub, one, number, micros=100)
            clock.at_s += 2.0
            ledger.micros = 700  # 300 more than was told: another gateway's that ended
            await _tell(hub, one, number, micros=100)
            number, lease = await _leases(one)
            assert lease.spend_until_micros == 400
            one.close()
            one = await _join(path, "one")
            await _leases(one)  # as if it had spent nothing, until it tells
            await _tell(hub, one, number, micros=350)
            clock.at_s += 2.0
            await _tell(hub, one, number, micros=350)
            clock.at_s += 2.0
            await _tell(hub, one, number, micros=350)
            assert (await _leases(one))[1].spend_until_micros == 650
            ledger.micros = 0
            clock.at_s += _DAY_S
            await _tell(hub, one, number, micros=350)
            assert (await _leases(one))[1] == Lease(spend_until_micros=1350, limit="day", resets_s=12 * _DAY_S)
            one.close()

    asyncio.run(play())


def test_what_was_used_in_the_last_minute_is_told(tmp_path: Path) -> None:
    """Of all gateways, from the first report on; what is a minute old leaves, and what a gateway had before control began is not in it."""

    async def play() -> None:
        clock = _Clock()
        leases = Leases(_Ledger(), now_s=clock.now_s, monotonic_s=clock.now_s)
        hub = DoorHub(on_change=lambda: None, monotonic_s=clock.now_s, leases=leases)

        async def answer(line: AnsweredLine) -> None:
            hello = await line.receive()
            assert isinstance(hello, GatewayHello)
            await hub.answer(hello, line)

        async with listening(tmp_path / "c", answer):
            hub.push(_limited(1, Limits(requests_per_minute=100)))
            assert leases.used() == {}
            one, two = await _join(tmp_path / "c", "one"), await _join(tmp_path / "c", "two")
            await _tell(hub, one, 0, requests=500, tokens=9000, parallel=1)
            await _tell(hub, two, 0, requests=1)
            assert leases.used() == {_T: Used(requests_last_minute=0, tokens_last_minute=0, parallel=1)}
            await _tell(hub, one, 0, requests=507, tokens=9100, parallel=2)
            clock.at_s += 30.0
            await _tell(hub, two, 0, requests=3, tokens=40, parallel=3)
            assert leases.used() == {_T: Used(requests_last_minute=9, tokens_last_minute=140, parallel=5)}
            one.close()
            await until(lambda: len(hub.observe()) == 1, 5)
            assert leases.used() == {_T: Used(requests_last_minute=9, tokens_last_minute=140, parallel=3)}
            clock.at_s += 31.0
            assert leases.used() == {_T: Used(requests_last_minute=2, tokens_last_minute=40, parallel=3)}
            hub.push(a_table(2))
            assert leases.used() == {}
            two.close()

    asyncio.run(play())
