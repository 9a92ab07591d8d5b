"""Which replicas the gateway reaches: what it tells control, whom it prefers, and what it does with those that are lost."""

import asyncio

from alliage.gateway.continuing import read_said
from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import House, chat_body, house, post, route, run, table, until, upstream
from tests.gateway.test_continuing import reciting, text_of
from tests.gateway.upstream import Call, Engine, chat, event

_QUICK = GatewayLimits(
    reach_every_s=0.02,
    reach_s=0.3,
    reach_answer_s=0.1,
    lost_s=0.05,
    heartbeat_s=3600,
    hold_s=5,
    upstream_connect_s=0.5,
    drain_s=2,
)


async def _tells(place: House, *names: str) -> None:
    """Wait until these are told to be out of reach."""
    await until(lambda: place.control.reports[-1].unreachable == names, f"{names} are out of reach")


def test_a_doubted_replica_is_tried_until_it_is_reached() -> None:
    """Control doubts both: the one that is there is never told; the other is, at once, and no longer when it is back."""

    async def main() -> None:
        gone = Engine()
        async with Engine() as there:
            async with gone:
                both = (upstream("a", there.port, doubted=True), upstream("b", gone.port, doubted=True))
            async with house(table(1, route("m", *both)), _QUICK) as place:
                await _tells(place, "b")
                assert (await place.metrics())["alliage_gateway_unreachable"] == 1
                for _ in range(4):
                    assert (await place.chat()).status == 200
                assert (await place.metrics())['alliage_gateway_retried_total{service="m"}'] == 0
                async with gone:
                    await _tells(place)
                assert not any("a" in each.unreachable for each in place.control.reports)

    run(main())


def test_a_gateway_that_reaches_nobody_says_so() -> None:
    """All of them are told; requests still try, in case that it is wrong."""

    async def main() -> None:
        async with Engine() as one, Engine() as two:
            both = (upstream("a", one.port, doubted=True), upstream("b", two.port, doubted=True))
        async with house(table(1, route("m", *both)), _QUICK) as place:
            await _tells(place, "a", "b")
            asking = asyncio.create_task(place.chat())
            async with one:
                assert (await asking).status == 200
                await _tells(place, "b")

    run(main())


def test_a_replica_that_nobody_doubts_is_out_of_reach_after_two_misses() -> None:
    """A request finds that it is not there, the gateway's own try says so again; the request is answered by another."""

    async def main() -> None:
        gone = Engine()
        async with Engine() as there:
            async with gone:
                both = (upstream("a", gone.port), upstream("b", there.port))
            async with house(table(1, route("m", *both)), _QUICK) as place:
                assert (await place.chat()).status == 200
                await _tells(place, "a")
                async with gone:
                    await _tells(place)
                await place.control.swap(table(2, route("m", both[1])))
                assert place.control.reports[-1].unreachable == ()

    run(main())


def test_a_doubt_alone_changes_nothing_for_who_is_answered() -> None:
    """Control loses the agent in the middle of a stream: the connection, and those that are kept, go on."""

    async def main() -> None:
        go = asyncio.Event()

        async def behave(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("a"))
            await go.wait()
            await call.chunk(event("b"))
            await call.end_stream()

        async with Engine() as engine, house(table(1, route("m", upstream("a", engine.port))), _QUICK) as place:
            await place.chat()
            engine.behave = behave
            wire = await place.dial()
            await wire.send(post(chat_body(stream=True)))
            await wire.head()
            await wire.chunk()
            await place.control.swap(table(2, route("m", upstream("a", engine.port, doubted=True))))
            assert engine.calls[0].connection == engine.calls[1].connection
            go.set()
            assert await wire.chunk() == event("b")
            assert await wire.chunk() == b""
            engine.behave = chat
            assert (await place.chat()).status == 200
            assert engine.calls[2].connection == engine.calls[0].connection

    run(main())


async def falls_silent(call: Call) -> None:
    """Two letters, then nothing more, until whoever asked is gone."""
    await call.begin_stream()
    for letter in "de":
        await call.chunk(event(letter))
    await call.gone.wait()


def test_a_stream_on_a_machine_that_is_lost_is_gone_on_with() -> None:
    """Nothing comes and nothing breaks, as when a machine is off: neither control nor we reach it, so another goes on."""

    async def main() -> None:
        async with Engine(falls_silent) as lost, Engine(reciting) as other:
            a, b = upstream("a", lost.port, engine="llama.cpp"), upstream("b", other.port, engine="llama.cpp")
            async with house(table(1, route("m", a, b)), _QUICK) as place:
                asking = asyncio.create_task(place.chat(stream=True))
                await until(lambda: bool(lost.calls), "it was asked")
                lost.deafen()
                doubted = upstream("a", lost.port, engine="llama.cpp", doubted=True)
                place.control.push(table(2, route("m", doubted, b)))
                answer = await asyncio.wait_for(asking, 10)
                assert text_of(answer.body) == "defghij"
                await place.at_rest()

    run(main())


def test_a_machine_that_only_accepts_connections_is_out_of_reach() -> None:
    """Its kernel goes on, its programs stand still: what it was answering is gone on with; when it goes on itself it is reached."""

    async def main() -> None:
        async with Engine(falls_silent) as frozen, Engine(reciting) as other:
            a, b = upstream("a", frozen.port, engine="llama.cpp"), upstream("b", other.port, engine="llama.cpp")
            async with house(table(1, route("m", a, b)), _QUICK) as place:
                asking = asyncio.create_task(place.chat(stream=True))
                await until(lambda: bool(frozen.calls), "it was asked")
                frozen.frozen = asyncio.Event()
                doubted = upstream("a", frozen.port, engine="llama.cpp", doubted=True)
                place.control.push(table(2, route("m", doubted, b)))
                answer = await asyncio.wait_for(asking, 10)
                assert text_of(answer.body) == "defghij"
                await _tells(place, "a")
                frozen.frozen.set()
                frozen.frozen = None
                await _tells(place)
                await place.at_rest()

    run(main())


def test_one_that_is_only_slow_to_answer_a_try_is_reached() -> None:
    """What it streams meanwhile to others is an answer: nobody takes a busy engine for a machine that stands still."""

    async def main() -> None:
        async def streams(call: Call) -> None:
            await call.begin_stream()
            while not call.gone.is_set():
                await call.chunk(event("x"))
                await asyncio.sleep(0.01)

        async with Engine(streams) as busy, house(table(1, route("m", upstream("a", busy.port))), _QUICK) as place:
            wire = await place.dial()
            await wire.send(post(chat_body(stream=True)))
            await wire.head()
            busy.frozen = asyncio.Event()
            known = busy.connections
            await place.control.swap(table(2, route("m", upstream("a", busy.port, doubted=True))))
            await until(lambda: busy.connections > known + 2, "it was tried three times")
            assert not any(each.unreachable for each in place.control.reports)
            busy.frozen.set()

    run(main())


def test_what_a_lost_machine_had_not_begun_to_answer_is_asked_elsewhere() -> None:
    """The same for a request whose prompt it was still reading, also when control has taken it from the table by then."""

    async def main() -> None:
        async def silent(call: Call) -> None:
            await call.gone.wait()

        async with Engine(silent) as lost, Engine() as other:
            b = upstream("b", other.port)
            async with house(table(1, route("m", upstream("a", lost.port), b)), _QUICK) as place:
                asking = asyncio.create_task(place.chat())
                await until(lambda: bool(lost.calls), "it was asked")
                lost.deafen()
                place.control.push(table(2, route("m", upstream("a", lost.port, doubted=True), b)))
                await _tells(place, "a")
                place.control.push(table(3, route("m", b)))
                assert (await asyncio.wait_for(asking, 10)).status == 200
                await place.at_rest()

    run(main())


def test_who_says_only_that_it_begins_has_not_begun() -> None:
    """A head and nothing more, as engines send while they read the prompt: another is asked, the client sees one answer."""

    async def main() -> None:
        async def head_only(call: Call) -> None:
            await call.begin_stream()
            await asyncio.sleep(0.01)
            call.cut()

        async with Engine(head_only) as one, Engine() as other:
            both = (upstream("a", one.port), upstream("b", other.port))
            async with house(table(1, route("m", *both)), _QUICK) as place:
                answer = await place.chat(stream=True)
                assert answer.status == 200
                said = read_said(answer.body)
                assert said is not None
                assert said.text == "abcde"
                assert len(one.calls) == 1

    run(main())
