"""The loop's clock put forward: an hour without control, seen in a moment, and a step of minutes; and a gateway that stood still."""

import asyncio
import os
import time

from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine, chat

_HOUR_S = 3600.0


class _Hasty(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward: all that was due until then is due at once."""

    ahead_s = 0.0

    def time(self) -> float:
        """The loop's clock."""
        return super().time() + self.ahead_s


class _Stands(asyncio.Protocol):
    """An engine that answers at once, and then has the loop stand still: its answer is not read before deadlines are looked at."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The gateway came."""
        self._descriptor = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Its request."""
        assert data.startswith((b"POST /v1/chat/completions ", b"GET /health "))
        os.write(self._descriptor, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        time.sleep(0.8 if data.startswith(b"POST") else 0.15)


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


def test_a_jump_forward_ends_nothing() -> None:
    """After five minutes in one step what came meanwhile would not be read yet: an idle connection is served on, new ones too."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _Hasty)
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            idle = await place.dial()
            await idle.send(get("/health"))
            assert (await idle.answer()).status == 200
            loop.ahead_s += 300.0
            await place.control.counts_again()  # deadlines were looked at
            await idle.send(post(chat_body()))
            assert (await idle.answer()).status == 200
            assert (await place.chat()).status == 200
            await place.at_rest()

    with asyncio.Runner(loop_factory=_Hasty) as runner:
        runner.run(main())


def test_an_answer_that_came_while_the_gateway_stood_still_is_passed_on() -> None:
    """It stands still for longer than an engine may take: that is not held against the engine, whose answer lies there unread."""

    async def main() -> None:
        limits = GatewayLimits(upstream_head_s=0.4, drain_s=2.0)
        loop = asyncio.get_running_loop()
        async with await loop.create_server(_Stands, "127.0.0.1", 0) as engine:
            port = engine.sockets[0].getsockname()[1]
            async with house(table(1, route("m", upstream("m-1", port))), limits) as place:
                assert (await place.chat()).body == b"{}"
                await place.at_rest()

    run(main())


def test_a_try_that_was_answered_while_the_gateway_stood_still_reached_it() -> None:
    """A replica that control doubts, and that answers at once, is not told to be out of reach: control would give it up."""

    async def main() -> None:
        limits = GatewayLimits(reach_every_s=0.02, reach_s=0.3, reach_answer_s=0.1, drain_s=2.0)
        loop = asyncio.get_running_loop()
        async with await loop.create_server(_Stands, "127.0.0.1", 0) as engine:
            port = engine.sockets[0].getsockname()[1]
            async with house(table(1, route("m", upstream("m-1", port, doubted=True))), limits) as place:
                await place.control.counts_again()
                assert not any(each.unreachable for each in place.control.reports)

    run(main())


def test_a_request_that_came_while_the_gateway_stood_still_gets_its_time() -> None:
    """The engine's time for it begins when it is asked, not when the gateway last looked at its clock."""

    async def slowly(call: Call) -> None:
        await asyncio.sleep(0.1)
        await chat(call)

    async def main() -> None:
        limits = GatewayLimits(upstream_head_s=0.8, drain_s=2.0)
        async with (
            Engine(slowly) as engine,
            house(table(1, route("m", upstream("m-1", engine.port))), limits) as place,
        ):
            for _ in range(3):
                wire = await place.dial()
                await wire.send(post(chat_body()))
                time.sleep(0.9)  # noqa: ASYNC251  # the gateway is on this loop
                assert (await wire.answer()).status == 200
            await place.at_rest()

    run(main())
