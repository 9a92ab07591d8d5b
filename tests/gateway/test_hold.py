"""Tables that come, change and go: requests wait for engines, streams outlive routes, control may be away."""

import asyncio

from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine, event


def test_a_request_waits_for_its_service_to_start() -> None:
    """A request for a starting service is answered when the table brings an engine; the metrics show it waiting."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", waiting="fetching 12 of 90 MB"))) as place:
            asking = asyncio.create_task(place.chat())
            await place.holds(1)
            await place.control.swap(table(2, route("m", waiting="loading")))
            assert not asking.done()
            place.control.push(table(3, route("m", upstream("m-1", engine.port))))
            assert (await asyncio.wait_for(asking, 5)).status == 200
            await place.at_rest()

    run(main())


def test_waiting_ends_with_503_and_why() -> None:
    """After hold_s the client is told what it waited for and when to try again, however many tables came between."""

    async def main() -> None:
        limits = GatewayLimits(hold_s=0.3, drain_s=2)
        async with house(table(1, route("m", waiting="loading weights")), limits) as place:
            asking = asyncio.create_task(place.chat())
            for version in range(2, 6):
                await place.control.swap(table(version, route("m", waiting="loading weights")))
                await asyncio.sleep(0.02)
            answer = await asyncio.wait_for(asking, 5)
            assert (answer.status, answer.code) == (503, "service_unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert "loading weights" in answer.json["error"]["message"]
            await place.at_rest()

    run(main())


def test_a_refused_service_says_so_at_once() -> None:
    """What cannot be served now is not waited for; a service that is gone while waited for is a 404."""

    async def main() -> None:
        async with house(table(1, route("m", refusal="It needs 90 GiB and no device has them."))) as place:
            answer = await asyncio.wait_for(place.chat(), 5)
            assert (answer.status, answer.json["error"]["message"]) == (503, "It needs 90 GiB and no device has them.")
            assert "retry-after" in answer.headers
            await place.control.swap(table(2, route("m")))
            assert (await place.chat()).status == 503
            await place.control.swap(table(3, route("m", waiting="soon")))
            asking = asyncio.create_task(place.chat())
            await place.holds(1)
            place.control.push(table(4))
            assert (await asyncio.wait_for(asking, 5)).status == 404

    run(main())


def test_without_a_table_requests_wait_for_one() -> None:
    """A gateway that has not heard from control yet holds requests, then judges their keys by the first table."""

    async def main() -> None:
        async with Engine() as engine, house(None) as place:
            right = asyncio.create_task(place.chat())
            wrong = asyncio.create_task(place.ask(post(chat_body(), key="wrong")))
            none = await place.ask(post(chat_body(), key=None))
            assert none.status == 401
            await asyncio.sleep(0.05)
            assert not right.done()
            assert not wrong.done()
            await until(lambda: bool(place.control.hellos), "hello")
            place.control.push(table(1, route("m", upstream("m-1", engine.port))))
            assert (await asyncio.wait_for(right, 5)).status == 200
            assert (await asyncio.wait_for(wrong, 5)).code == "invalid_api_key"

    run(main())


def test_a_held_client_may_leave() -> None:
    """A client that goes while it waits is forgotten, and no engine is asked for it later."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", waiting="soon"))) as place:
            wire = await place.dial()
            await wire.send(post(chat_body()))
            await place.holds(1)
            wire.writer.close()
            await place.at_rest()
            await place.control.swap(table(2, route("m", upstream("m-1", engine.port))))
            assert not engine.calls

    run(main())


def test_a_stream_outlives_its_route() -> None:
    """A new table sends new requests elsewhere while a stream ends where it began; its end is reported to control."""

    async def main() -> None:
        go = asyncio.Event()

        async def behave(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("a"))
            await go.wait()
            await call.chunk(event("b"))
            await call.end_stream()

        async with (
            Engine(behave) as old,
            Engine() as new,
            house(table(1, route("m", upstream("old", old.port)))) as place,
        ):
            wire = await place.dial()
            await wire.send(post(chat_body(stream=True)))
            await wire.head()
            assert await wire.chunk() == event("a")
            await place.control.swap(table(2, route("m", upstream("new", new.port))))
            assert place.control.reports[-1].in_flight == {"old": 1}
            assert (await place.chat()).status == 200
            assert len(new.calls) == 1
            go.set()
            assert await wire.chunk() == event("b")
            assert await wire.chunk() == b""
            await until(lambda: not place.control.reports[-1].in_flight, "the old replica is reported empty", 0.5)
            await until(lambda: not old.open, "the connection to the old replica is not kept")

    run(main())


def test_a_key_that_is_revoked_stops_working() -> None:
    """A new table's keys count from the next request on, also on a connection that was let in before."""

    async def main() -> None:
        async with house(table(1)) as place:
            wire = await place.dial()
            await wire.send(get("/v1/models"))
            assert (await wire.answer()).status == 200
            await place.control.swap(table(2, keys=("other",)))
            await wire.send(get("/v1/models"))
            assert (await wire.answer()).code == "invalid_api_key"

    run(main())


def test_control_may_be_away() -> None:
    """With control gone the last table serves; when it is back the gateway dials it and takes its table."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            await place.control.stop()
            assert (await place.chat()).status == 200
            assert await place.health() == {"status": "ok", "table_version": 1, "control": "away"}
            assert (await place.metrics())["alliage_gateway_control_connected"] == 0
            await place.control.start()
            await until(lambda: len(place.control.hellos) == 2, "the gateway dialled again", 5)
            await place.control.swap(table(9))
            assert await place.health() == {"status": "ok", "table_version": 9, "control": "connected"}

    run(main())


def test_control_hears_a_heartbeat() -> None:
    """Reports come without any request, and an idle replica's in the same moment as its last answer."""

    async def main() -> None:
        limits = GatewayLimits(heartbeat_s=0.05, drain_s=2)
        async with house(table(1), limits) as place:
            seen = len(place.control.reports)
            await until(lambda: len(place.control.reports) > seen + 3, "heartbeats")
            assert place.control.hellos[0].door == "test"

    run(main())


def test_the_stop_lets_answers_end() -> None:
    """On stop idle connections close, who waits is told no, a stream ends whole, and no new connection is taken."""

    async def main() -> None:
        go = asyncio.Event()

        async def behave(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("a"))
            await go.wait()
            await call.chunk(event("b"))
            await call.end_stream()

        async with Engine(behave) as engine:
            routes = route("m", upstream("m-1", engine.port)), route("late", waiting="soon")
            async with house(table(1, *routes), GatewayLimits(linger_s=0.2, drain_s=5)) as place:
                idle, held, wire = await place.dial(), await place.dial(), await place.dial()
                await idle.send(get("/health"))
                await idle.answer()
                await held.send(post(chat_body("late")))
                await wire.send(post(chat_body(stream=True)))
                await wire.head()
                assert await wire.chunk() == event("a")
                place.stop.set()
                assert await idle.closed()
                assert (await held.answer()).status == 503
                assert await held.closed()
                try:
                    late = await place.dial()
                    assert await late.closed()
                except OSError:
                    pass
                assert not place.done.done()
                go.set()
                assert await wire.chunk() == event("b")
                assert await wire.chunk() == b""
                assert await wire.closed()
                await asyncio.wait_for(place.done, 2)

    run(main())


def test_the_stop_does_not_wait_for_ever() -> None:
    """After drain_s what is still in work is cut off, and the engine is told by its closed connection."""

    async def behave(call: Call) -> None:
        await call.gone.wait()

    async def main() -> None:
        async with Engine(behave) as engine:
            async with house(table(1, route("m", upstream("m-1", engine.port))), GatewayLimits(drain_s=0.2)) as place:
                wire = await place.dial()
                await wire.send(post(chat_body()))
                await until(lambda: bool(engine.calls), "the engine was asked")
                place.stop.set()
                assert await wire.closed()
                await asyncio.wait_for(place.done, 2)
            await until(engine.calls[0].gone.is_set, "the engine's connection is closed")

    run(main())


def test_a_refusing_control_is_asked_again() -> None:
    """A control of another version refuses the gateway, which goes on with what it has and asks again later."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            await place.control.stop()
            place.control.refuses = "protocol 1 is too old"
            await place.control.start()
            await until(lambda: len(place.control.hellos) >= 3, "the gateway asks again and again")
            assert (await place.chat()).status == 200
            place.control.refuses = ""
            await until(lambda: bool(place.control.reports), "reports", 5)
            await place.control.swap(table(2))

    run(main())


def test_a_line_that_brings_nonsense_is_left() -> None:
    """What is no message ends the line, not the gateway."""

    async def main() -> None:
        async with house(table(1)) as place:
            place.control.nonsense()
            await until(lambda: len(place.control.hellos) == 2, "the gateway dialled again", 5)
            assert (await place.health())["table_version"] == 1

    run(main())


def test_what_its_only_replica_did_not_answer_waits_for_another() -> None:
    """It dies with the request; the table says that another is coming, then brings it, under the same name."""

    async def main() -> None:
        dying = Engine()

        async def dies(call: Call) -> None:
            dying.deafen()
            call.cut()

        dying.behave = dies
        async with dying, Engine() as other, house(table(1, route("m", upstream("m-1", dying.port)))) as place:
            asking = asyncio.create_task(place.chat())
            await place.holds(1)
            await place.control.swap(table(2, route("m", waiting="its engine ended and is tried again soon")))
            await place.holds(1)
            place.control.push(table(3, route("m", upstream("m-1", other.port, key="another"))))
            assert (await asyncio.wait_for(asking, 5)).status == 200
            await place.at_rest()

    run(main())


def test_what_cannot_be_served_any_more_is_not_waited_for() -> None:
    """Its only replica died, and no chip can serve it now: who waits is told so."""

    async def main() -> None:
        async with Engine() as engine:
            port = engine.port
        async with house(table(1, route("m", upstream("m-1", port)))) as place:
            asking = asyncio.create_task(place.chat())
            await place.holds(1)
            place.control.push(table(2, route("m", refusal="It needs 90 GiB and no device has them.")))
            assert (await asyncio.wait_for(asking, 5)).status == 502

    run(main())
