"""Much to do is done in parts: all of it, once, with other work between."""

import asyncio

from alliage.gateway.parts import in_parts


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
