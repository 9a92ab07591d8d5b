"""The loop's clock put forward: an hour without control, seen in a moment, and a step of minutes."""

import asyncio

from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import chat_body, get, house, post, route, table, until, upstream
from tests.gateway.upstream import Engine

_HOUR_S = 3600.0


class _Hasty(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward: all that was due until then is due at once."""

    ahead_s = 0.0

    def time(self) -> float:
        """The loop's clock."""
        return super().time() + self.ahead_s


def test_an_hour_without_control() -> None:
    """Keys and routes of the last table stay as they were; a revocation counts as soon as control is back to tell of it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _Hasty)
        async with Engine() as engine:
            routes = (route("m", upstream("m-1", engine.port)),)
            async with house(table(1, *routes), GatewayLimits(drain_s=2)) as place:
                assert (await place.chat()).status == 200
                await place.control.stop()
                for _ in range(12):
                    loop.ahead_s += _HOUR_S / 12
                    await asyncio.sleep(0.01)
                    assert (await place.chat()).status == 200
                    assert (await place.ask(post(chat_body(), key="stranger"))).status in {401, 429}
                assert (await place.ask(get("/health", key=None))).json["control"] == "away"
                place.control._table = table(2, *routes, keys=("new",))
                await place.control.start()
                await until(lambda: place.control.reports[-1].table_version == 2, "the new table")
                assert (await place.chat()).status in {401, 429}
                assert (await place.ask(post(chat_body(), key="new"))).status == 200

    with asyncio.Runner(loop_factory=_Hasty) as runner:
        runner.run(main())


def test_a_jump_forward_ends_what_is_over_and_nothing_else() -> None:
    """After five minutes in one step an idle connection is closed, and new ones are served as before."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _Hasty)
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            idle = await place.dial()
            await idle.send(get("/health"))
            assert (await idle.answer()).status == 200
            loop.ahead_s += 300.0
            assert await idle.closed()
            assert (await place.chat()).status == 200
            await place.at_rest()

    with asyncio.Runner(loop_factory=_Hasty) as runner:
        runner.run(main())
