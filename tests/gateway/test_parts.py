"""The process's own work: much of it is done in parts, all of it, once, with other work between; some of it waits for a lull."""

import asyncio

from alliage.fleet.ids import ReplicaId
from alliage.gateway.flights import Flights
from alliage.gateway.parts import in_parts, lull


def test_each_is_done_once_and_others_have_their_turn() -> None:
    """In order; a few at once, thousands in eight parts."""

    async def main(count: int) -> int:
        done: list[int] = []
        turns = 0
        is_over = False

        async def other() -> None:
            nonlocal turns
            while not is_over:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        await in_parts(range(count), done.append)
        is_over = True
        await beside
        assert done == list(range(count))
        return turns

    assert [asyncio.run(main(count)) for count in (0, 1, 64)] == [0, 0, 0]
    assert asyncio.run(main(65)) == 1
    assert asyncio.run(main(5000)) == 7


def test_a_lull_is_when_no_request_is_in_work() -> None:
    """Now, or when the last one ends, for all who wait; the next request begins another wait."""

    async def main() -> list[str]:
        flights, seen = Flights(lambda _: None), list[str]()
        one, other = ReplicaId("one"), ReplicaId("other")

        async def wait(name: str) -> None:
            await lull(flights)
            seen.append(name)

        await wait("none")
        flights.take(one)
        flights.take(other)
        waiting = [asyncio.create_task(wait(name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        flights.give_back(one)
        await asyncio.sleep(0)
        seen.append("one is left")
        flights.give_back(other)
        await asyncio.gather(*waiting)
        flights.take(one)
        later = asyncio.create_task(wait("c"))
        await asyncio.sleep(0)
        seen.append("again")
        flights.give_back(one)
        await later
        return seen

    assert asyncio.run(main()) == ["none", "one is left", "a", "b", "again", "c"]


def test_a_lull_is_not_waited_for_long() -> None:
    """A request that stays holds up nothing, however often something waits, and its end finds nobody."""

    async def main() -> None:
        flights, one = Flights(lambda _: None), ReplicaId("one")
        flights.take(one)
        for _ in range(3):
            await lull(flights)
        assert flights.counts == {one: 1}
        flights.give_back(one)
        assert flights.none_left() is None

    asyncio.run(asyncio.wait_for(main(), 3))
