"""Descriptors: what a process gets, how many clients that is, and a gateway process with hardly any."""

import asyncio

import pytest

from alliage.gateway.descriptors import KEPT_FREE, places
from tests.gateway.house import House, get, route, run, table, upstream
from tests.gateway.process import gateway
from tests.gateway.upstream import Engine


@pytest.mark.parametrize(
    ("most", "wanted", "fit"), [(20_000, 12_000, 12_000), (1_048_576, 12_000, 12_000), (1024, 12_000, 341), (64, 5, 5)]
)
def test_clients_that_fit(most: int, wanted: int, fit: int) -> None:
    """10,000 clients of whom 4,000 have an engine fit 20,000 descriptors; where there are few, a part is for others."""
    assert places(most, wanted) == fit
    assert fit * 3 // 2 <= max(most - KEPT_FREE, most // 2)


def test_there_is_always_a_place() -> None:
    """Whatever the limit."""
    assert [places(most, 5) for most in (0, 1, 2)] == [1, 1, 1]


async def _status(place: House) -> int:
    """Of one more connection, which stays; 0 where it was closed without a word."""
    wire = await place.dial()
    try:
        await wire.send(get("/health"))
        return (await wire.answer()).status
    except (OSError, asyncio.IncompleteReadError):
        return 0


def test_a_gateway_with_few_descriptors_says_so_and_serves() -> None:
    """Of 64 it takes 21 clients, tells the next no, closes the rest, does not run hot, and serves when they are gone."""

    async def main() -> None:
        async with (
            Engine() as engine,
            gateway(table(1, route("m", upstream("m-1", engine.port))), descriptors=64) as place,
        ):
            assert '"most": 64' in place.log
            assert '"connections_max": 21' in place.log
            told = [await _status(place) for _ in range(21)]
            assert told == [200] * 21
            told = [await _status(place) for _ in range(12)]
            assert told == [503] * 12
            before_s = place.cpu_s
            told = [await _status(place) for _ in range(70)]
            assert set(told) == {503, 0}
            await asyncio.sleep(0.3)
            assert place.cpu_s - before_s < 0.25  # a loop that accepts in vain would take all of it
            place.hang_up()
            for _ in range(500):
                if await _status(place) == 200:
                    break
            assert (await place.chat()).status == 200

    run(main())
