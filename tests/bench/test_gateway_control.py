"""The benchmark's stand-in of control: a gateway that holds to limits and tells its usage is answered as control would."""

import asyncio
from pathlib import Path

from alliage.fleet.ids import KeyId, ReplicaId
from alliage.fleet.limits import Use
from alliage.fleet.usage import UNKNOWN_ORIGIN, Ending, UsageRecord
from alliage.link.line import DialledLine, dial
from alliage.link.messages import PROTOCOL, GatewayHello, GatewayReport, NewLeases, NewTable, UsageTaken
from bench.gateway.control import REPLICAS, SERVICE, SLOW, VERSION, Control, standing_in
from tests.link.telling import told


def record(number: int) -> UsageRecord:
    """One finished request's."""
    return UsageRecord(
        id=f"record-{number}",
        request="r",
        tenant="tenant-0",
        project="main",
        key=KeyId("key-0"),
        service=SERVICE,
        endpoint="/v1/chat/completions",
        replica=ReplicaId("bench-0"),
        origin=UNKNOWN_ORIGIN,
        is_rehearsed=False,
        began_s=1.0,
        duration_s=0.1,
        ttft_s=None,
        tpot_s=None,
        prompt_tokens=20,
        cached_tokens=0,
        output_tokens=20,
        status=200,
        ending=Ending.FINISHED,
        is_continued=False,
        is_estimated=False,
    )


async def greet(control: Control) -> tuple[DialledLine, NewTable, NewLeases]:
    """Dial as a gateway does; what comes first."""
    line = await dial(control.path)
    line.send(GatewayHello(protocol=PROTOCOL, door="bench"))
    table, leases = await line.receive(), await line.receive()
    assert isinstance(table, NewTable)
    assert isinstance(leases, NewLeases)
    return line, table, leases


def test_a_gateway_gets_a_table_and_a_lease_of_each_of_its_scopes(tmp_path: Path) -> None:
    """Limits, leases and scopes of keys name the same; both services have all replicas."""

    async def run() -> None:
        async with standing_in(tmp_path / "control", 1) as control:
            line, new, leases = await greet(control)
            table = new.table
            assert set(leases.leases) == set(table.limits) == {one for key in table.keys.values() for one in key.scopes}
            assert {name: len(route.upstreams) for name, route in table.routes.items()} == dict.fromkeys(
                (SERVICE, SLOW), REPLICAS
            )
            line.close()

    asyncio.run(run())


def test_usage_that_is_told_again_is_taken_once_and_acknowledged_each_time(tmp_path: Path) -> None:
    """The figure of records in the table's head is what a ledger would hold."""

    async def run() -> None:
        async with standing_in(tmp_path / "control", 1) as control:
            line, _, _ = await greet(control)
            twice = told(1, record(0), record(1))
            size = len(twice.entries)
            once = told(2, record(2), at=size)
            for each, upto in ((twice, size), (twice, size), (once, size + len(once.entries))):
                line.send(each)
                taken = await line.receive()
                assert isinstance(taken, UsageTaken)
                assert (taken.number, taken.upto) == (each.number, upto)
            assert control.told.records == 3
            line.close()

    asyncio.run(run())


def test_a_report_with_use_says_that_limits_are_held_to(tmp_path: Path) -> None:
    """The head of the table says whether the gateway that was measured told its use."""

    async def run() -> None:
        async with standing_in(tmp_path / "control", 1) as control:
            line, new, _ = await greet(control)
            scope = next(iter(new.table.limits))
            line.send(GatewayReport(table_version=VERSION, in_flight={}))
            await control.taken.wait()
            before = control.told.use
            line.send(GatewayReport(table_version=VERSION, in_flight={}, use={scope: Use(requests=1)}))
            line.send(told(1))
            await line.receive()  # both were read
            assert (before, control.told.use) == (False, True)
            line.close()

    asyncio.run(run())
