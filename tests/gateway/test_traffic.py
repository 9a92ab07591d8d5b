"""What the gateway tells control it saw: each request once, each figure of what came over real sockets."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.fleet.ids import ServiceName
from alliage.fleet.services import Objective
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.stats import ReplicaStats
from tests.gateway.house import House, chat_body, house, post, route, run, table, until, upstream
from tests.gateway.upstream import DONE, Behaviour, Call, Engine, chat, event, usage_event

_OFTEN = GatewayLimits(heartbeat_s=0.02, hold_s=0.2, drain_s=2)
_EASY = Objective(ttft_s=1e9, tpot_s=1e9)
_FIRST_IN_NO_TIME = Objective(ttft_s=1e-12, tpot_s=None)
_TOKENS_IN_NO_TIME = Objective(ttft_s=1e9, tpot_s=1e-12)


async def _told(place: House, asked: int) -> None:
    """Wait until control was told of all, and that they were so many."""
    await place.at_rest()
    await place.control.counts_again()
    assert place.control.traffic().asked == asked


def test_each_request_is_counted_where_it_ends() -> None:
    """Two streams and an answer of JSON: their tokens, two times to the first token; what named no service is nobody's."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port))), _OFTEN) as place:
            for stream in (True, True, False):
                assert (await place.chat(stream=stream)).status == 200
            assert (await place.chat("none")).status == 404
            await _told(place, 3)
            said, one = place.control.traffic(), place.control.replica("m-1")
            assert (said.answered, said.failed, said.continued) == (3, 0, 0)
            assert (said.tokens_counted, said.input_tokens, said.output_tokens) == (3, 9, 13)
            assert (said.first_tokens, said.paced) == (2, 2)
            assert 0 < said.tpot_s < said.ttft_s + said.tpot_s
            assert (said.kept, said.missed) == (0, 0)
            assert one is not None
            assert (one.answered, one.failed, one.input_tokens, one.output_tokens) == (3, 0, 9, 13)
            assert (one.first_tokens, one.decode_tokens, one.in_flight) == (2, 6, 0)
            assert 0 < one.decode_s + one.ttft_s < one.busy_s
            assert one.began_s > 0
            assert set(place.control.counted.traffic or {}) == {"m"}

    run(main())


@pytest.mark.parametrize(
    ("objective", "stream", "kept", "missed"),
    [
        (_EASY, True, 1, 0),
        (_FIRST_IN_NO_TIME, True, 0, 1),
        (_TOKENS_IN_NO_TIME, True, 0, 1),
        (_FIRST_IN_NO_TIME, False, 0, 0),
    ],
)
def test_an_objective_is_kept_or_missed(objective: Objective, *, stream: bool, kept: int, missed: int) -> None:
    """By the first token and by the pace; an answer that is no stream shows neither."""

    async def main() -> None:
        async with Engine() as engine:
            routes = route("m", upstream("m-1", engine.port), objective=objective)
            async with house(table(1, routes), _OFTEN) as place:
                await place.chat(stream=stream)
                await _told(place, 1)
                assert (place.control.traffic().kept, place.control.traffic().missed) == (kept, missed)
                metrics = await place.metrics()
                assert metrics['alliage_gateway_objective_kept_total{service="m"}'] == kept
                assert metrics['alliage_gateway_objective_missed_total{service="m"}'] == missed
                assert metrics['gen_ai_server_time_to_first_token_seconds_count{service="m"}'] == stream
                assert metrics['gen_ai_server_time_per_output_token_seconds_count{service="m"}'] == stream

    run(main())


def test_a_failure_misses_the_objective_and_a_client_that_left_in_time_does_not() -> None:
    """An engine's 500 and a broken stream are failures of service and replica; a wrong request is nobody's."""

    async def main() -> None:
        async def broken(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("a"))
            call.cut()

        async def failing(call: Call) -> None:
            await call.answer(b"{}", status="500 Internal Server Error")

        async def refusing(call: Call) -> None:
            await call.answer(b"{}", status="400 Bad Request")

        async def silent(call: Call) -> None:
            await call.gone.wait()

        async with Engine(broken) as engine:
            routes = route("m", upstream("m-1", engine.port), objective=_EASY)
            async with house(table(1, routes), _OFTEN) as place:
                for behave in (broken, failing, refusing):
                    engine.behave = behave
                    await place.chat(stream=True)
                engine.behave = silent
                wire = await place.dial()
                await wire.send(post(chat_body(stream=True)))
                await until(lambda: len(engine.calls) == 4, "the engine was asked")
                wire.writer.close()
                await _told(place, 4)
                said, one = place.control.traffic(), place.control.replica("m-1")
                assert (said.answered, said.failed, said.kept, said.missed) == (0, 2, 0, 2)
                assert one is not None
                assert (one.answered, one.failed) == (0, 2)

    run(main())


def test_a_head_and_a_comment_are_no_first_token() -> None:
    """Engines send the head of a stream, some also comments, long before they say anything."""

    async def main() -> None:
        go = asyncio.Event()

        async def behave(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(b": still reading\n\n")
            await go.wait()
            await call.chunk(event("a"))
            await call.chunk(usage_event(completion=1) + DONE)
            await call.end_stream()

        async with Engine(behave) as engine:
            routes = route("m", upstream("m-1", engine.port))
            async with house(table(1, routes), _OFTEN) as place:
                wire = await place.dial()
                await wire.send(post(chat_body(stream=True)))
                await wire.head()
                assert await wire.chunk() == b": still reading\n\n"
                await until(lambda: place.control.traffic().in_flight == 1, "it is told in flight")
                assert place.control.traffic().first_tokens == 0
                go.set()
                await _told(place, 1)
                assert (place.control.traffic().first_tokens, place.control.traffic().paced) == (1, 0)

    run(main())


def test_a_request_that_waits_is_told_at_once() -> None:
    """Control hears of the first one without waiting for the heartbeat; of a service that has no replica at all."""

    async def main() -> None:
        limits = GatewayLimits(heartbeat_s=3600, hold_s=60, drain_s=2)
        async with Engine() as engine, house(table(1, route("m", waiting="none runs")), limits) as place:
            asking = asyncio.create_task(place.chat())
            await until(lambda: place.control.traffic().held == 1, "control hears that one waits", 5)
            assert place.control.traffic().asked == 1
            place.control.push(table(2, route("m", upstream("m-1", engine.port))))
            assert (await asking).status == 200
            await until(lambda: place.control.traffic().held == 0, "and that it waits no more", 5)

    run(main())


def test_what_left_is_told_once_more_and_forgotten() -> None:
    """A replica and a service that are no longer in the table and idle; those that are still busy stay."""

    async def main() -> None:
        go = asyncio.Event()

        async def slow(call: Call) -> None:
            await go.wait()
            await chat(call)

        async with Engine() as engine, Engine(slow) as other:
            routes = route("m", upstream("m-1", engine.port)), route("n", upstream("n-1", other.port))
            async with house(table(1, *routes), _OFTEN) as place:
                await place.chat()
                asking = asyncio.create_task(place.chat("n"))
                await until(lambda: place.control.replica("n-1") is not None, "both are told of")
                place.control.push(table(2, route("m", upstream("m-2", engine.port))))
                await until(lambda: place.control.replica("m-1") is None, "the idle replica is forgotten")
                assert place.control.traffic().asked == 1
                assert place.control.traffic("n").in_flight == 1
                assert place.control.replica("n-1") is not None
                go.set()
                assert (await asking).status == 200
                await until(lambda: place.control.replica("n-1") is None, "so is the other")
                assert "n" not in (place.control.counted.traffic or {})
                told = [(each.traffic or {}).get(ServiceName("n")) for each in place.control.reports]
                assert any(each is not None and each.answered == 1 for each in told)

    run(main())


def test_a_new_gateway_process_counts_from_its_own_beginning() -> None:
    """Its sums are others than those of the process before it, though they have the same names."""

    async def began() -> float:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port))), _OFTEN) as place:
            await place.chat()
            await _told(place, 1)
            return place.control.traffic().began_s

    async def main() -> None:
        assert await began() < await began()

    run(main())


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=20), st.floats(0, 200))
def test_busy_time_is_the_sum_of_the_times_in_flight(requests: list[tuple[float, float]], now_s: float) -> None:
    """However requests overlap, and whenever it is read."""
    events = [(at, 1) for at, _ in requests] + [(at + lasts, -1) for at, lasts in requests]
    stats = ReplicaStats()
    for at, step in sorted(each for each in events if each[0] <= now_s):
        (stats.enter if step == 1 else stats.leave)(at)
    said = stats.traffic(now_s)
    busy_s = sum(min(now_s, at + lasts) - at for at, lasts in requests if at <= now_s)
    assert said.busy_s == pytest.approx(busy_s, abs=1e-6)
    assert said.in_flight == sum(at <= now_s < at + lasts for at, lasts in requests) or any(
        at + lasts == now_s for at, lasts in requests
    )


async def _cut(call: Call) -> None:
    call.cut()


async def _cut_later(call: Call) -> None:
    await call.begin_stream()
    await call.chunk(event("a"))
    await asyncio.sleep(0)
    call.cut()


async def _error(call: Call) -> None:
    await call.answer(b"{}", status="503 Service Unavailable")


_KINDS: tuple[Behaviour, ...] = (chat, _cut, _cut_later, _error)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(range(4)), st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_no_count_leaks(script: list[tuple[int, bool, bool]]) -> None:
    """Whatever engines do and clients leave: at rest nothing is in flight, held or kept, and each request ended once."""

    async def main() -> None:
        async def behave(call: Call) -> None:
            await _KINDS[int(call.json["seed"])](call)

        async with Engine(behave) as one, Engine(behave) as two:
            both = (upstream("a", one.port, engine="llama.cpp"), upstream("b", two.port, engine="llama.cpp"))
            async with house(table(1, route("m", *both)), _OFTEN) as place:

                async def client(kind: int, stream: bool, leaves: bool) -> None:  # noqa: FBT001
                    wire = await place.dial()
                    await wire.send(post(chat_body(stream=stream, seed=kind)))
                    if leaves:
                        await asyncio.sleep(0)
                        wire.writer.close()
                    else:
                        await wire.answer()
                        wire.writer.close()

                await asyncio.gather(*(client(*each) for each in script))
                await place.alone()
                await place.at_rest()
                metrics = await place.metrics()
                await place.control.counts_again()
                said = place.control.traffic()
                assert metrics["alliage_gateway_kept_bytes"] == said.in_flight == said.held == 0
                ended = {name: value for name, value in metrics.items() if 'requests_total{service="m"' in name}
                left = sum(value for name, value in ended.items() if "499" in name)
                assert said.asked == sum(ended.values())
                assert said.asked == said.answered + said.failed + left
                for name in ("a", "b"):
                    replica = place.control.replica(name)
                    assert replica is None or replica.in_flight == 0

    run(main())
