"""Control's side of the gateways, with bare lines in a gateway's place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alliage.fleet.ids import ReplicaId, ServiceName
from alliage.fleet.traffic import ReplicaTraffic, Traffic
from alliage.link.doors import DoorHub
from alliage.link.line import AnsweredLine, DialledLine, dial
from alliage.link.messages import PROTOCOL, GatewayHello, GatewayReport, LogPiece, NewTable
from tests.link.listening import listening
from tests.link.tables import a_table
from tests.runtimes.scene import until


@asynccontextmanager
async def _hub(tmp_path: Path) -> AsyncIterator[tuple[DoorHub, Path, list[int]]]:
    changes: list[int] = []
    hub = DoorHub(on_change=lambda: changes.append(1), monotonic_s=lambda: 42.0)

    async def answer(line: AnsweredLine) -> None:
        hello = await line.receive()
        assert isinstance(hello, GatewayHello)
        await hub.answer(hello, line)

    async with listening(tmp_path / "c", answer):
        yield hub, tmp_path / "c", changes


async def _join(path: Path, door: str = "d", **in_flight: int) -> DialledLine:
    line = await dial(path)
    line.send(GatewayHello(protocol=PROTOCOL, door=door))
    line.send(_said(0, **in_flight))
    return line


def _said(version: int, **in_flight: int) -> GatewayReport:
    return GatewayReport(table_version=version, in_flight={ReplicaId(name): n for name, n in in_flight.items()})


def test_every_door_gets_each_table_and_late_ones_the_newest(tmp_path: Path) -> None:
    """A push reaches all that are there; a newcomer gets the last one at once."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _):
            first, second = await _join(path, "one"), await _join(path, "two")
            await until(lambda: len(hub.observe()) == 2, 5)
            for version in (1, 2):
                hub.push(a_table(version))
            for line in (first, second):
                assert [await line.receive() for _ in (1, 2)] == [NewTable(table=a_table(v)) for v in (1, 2)]
            late = await _join(path, "late")
            assert await late.receive() == NewTable(table=a_table(2))
            for line in (first, second, late):
                line.close()

    asyncio.run(play())


def test_doors_are_observed_while_they_are_there(tmp_path: Path) -> None:
    """The last report of each, with the time it was heard; gone with its line."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, changes):
            line = await _join(path, r=3)
            await until(lambda: bool(hub.observe()), 5)
            (report,) = hub.observe()
            assert (report.door, report.table_version, report.in_flight, report.heard_s) == ("d", 0, {"r": 3}, 42.0)
            line.close()
            await until(lambda: hub.observe() == (), 5)
            assert len(changes) == 2
            hub.push(a_table(1))

    asyncio.run(play())


def test_only_news_wake_control(tmp_path: Path) -> None:
    """Another count is kept without a call; an idle replica and another table call."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, changes):
            line = await _join(path, r=3)
            line.send(_said(0, r=2))
            await until(lambda: [report.in_flight for report in hub.observe()] == [{"r": 2}], 5)
            assert len(changes) == 1
            line.send(_said(0, r=0))
            await until(lambda: len(changes) == 2, 5)
            line.send(_said(1))
            await until(lambda: len(changes) == 3, 5)
            line.close()

    asyncio.run(play())


def test_a_second_line_of_a_door_takes_the_firsts_place(tmp_path: Path) -> None:
    """The older line is closed; the door stays observed by the newer one."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _):
            first = await _join(path, r=1)
            await until(lambda: bool(hub.observe()), 5)
            second = await _join(path, r=2)
            assert await first.receive() is None
            await until(lambda: [report.in_flight for report in hub.observe()] == [{"r": 2}], 5)
            hub.push(a_table(1))
            assert await second.receive() == NewTable(table=a_table(1))
            first.close()
            second.close()

    asyncio.run(play())


def test_a_door_that_says_what_an_agent_says_is_cut_off(tmp_path: Path) -> None:
    """Only reports come from a gateway; anything else ends its line."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _):
            line = await _join(path)
            line.send(LogPiece(request=1, text="", end=True))
            assert await line.receive() is None
            await until(lambda: hub.observe() == (), 5)
            line.close()

    asyncio.run(play())


def test_traffic_that_is_not_told_is_as_it_was_told_last(tmp_path: Path) -> None:
    """A light report changes counts and keeps what was counted before, with the time of counting."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, _):
            line = await _join(path)
            seen, one = {ServiceName("s"): Traffic(asked=3)}, {ReplicaId("r"): ReplicaTraffic(answered=2)}
            line.send(GatewayReport(table_version=0, in_flight={}, counted_s=7.0, traffic=seen, replicas=one))
            line.send(GatewayReport(table_version=1, in_flight={}, counted_s=8.0))
            await until(lambda: [report.table_version for report in hub.observe()] == [1], 5)
            (report,) = hub.observe()
            assert (report.counted_s, report.traffic, report.replicas) == (7.0, seen, one)
            line.close()

    asyncio.run(play())


def test_who_waits_and_what_is_out_of_reach_wakes_control(tmp_path: Path) -> None:
    """The first that waits for a service, and each other set of replicas out of reach or slow; more that wait, and more traffic, do not."""

    async def play() -> None:
        async with _hub(tmp_path) as (hub, path, changes):
            line = await _join(path)
            for asked, (held, unreachable) in enumerate([(0, ()), (1, ()), (2, ()), (2, ("r",)), (0, ("r",))]):
                seen = {ServiceName("s"): Traffic(asked=asked, held=held)}
                gone = tuple(map(ReplicaId, unreachable))
                line.send(GatewayReport(table_version=0, in_flight={}, traffic=seen, replicas={}, unreachable=gone))
            await until(
                lambda: [each.traffic[ServiceName("s")].asked for each in hub.observe() if each.traffic] == [4], 5
            )
            assert len(changes) == 4  # the hello's report, one waits, one is out of reach, none waits
            assert hub.observe()[0].unreachable == {"r"}
            for is_slow in (False, True, True):
                slow = {ReplicaId("r"): ReplicaTraffic(is_slow=is_slow, step_s=0.1)}
                line.send(
                    GatewayReport(
                        table_version=0, in_flight={}, traffic={}, replicas=slow, unreachable=(ReplicaId("r"),)
                    )
                )
            await until(lambda: any(each.is_slow for each in hub.observe()[0].replicas.values()), 5)
            assert len(changes) == 5  # it became slow, once
            line.close()

    asyncio.run(play())
