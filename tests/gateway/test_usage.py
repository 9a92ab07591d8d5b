"""One usage record a request, however it ends, with the tokens of its engine or counted ones that say so."""

import asyncio
import json
from dataclasses import replace

import pytest

from alliage.fleet.ids import KeyId
from alliage.fleet.usage import Ending, Origin, UsageRecord
from alliage.gateway.limits import GatewayLimits
from alliage.units import KIB
from tests.gateway.house import House, chat_body, house, post, route, run, table, until, upstream
from tests.gateway.upstream import DONE, Call, Engine, chat, event, stream_of, usage_event

_OFTEN = GatewayLimits(drain_s=2, usage_tell_s=0.02, usage_mark_s=0.02, hold_s=0.2, heartbeat_s=0.02)
_ORIGIN = Origin(model="m", recipe="m-q4", engine="llama.cpp", chip="cpu-x86", site="here")
_ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
_STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


async def records(place: House, number: int) -> list[UsageRecord]:
    """Wait until the ledger has so many, and see that it stays so."""
    await until(lambda: len(place.control.usage) >= number, f"{number} records")
    await place.control.counts_again()
    assert len(place.control.usage) == number
    return sorted(place.control.usage.values(), key=lambda each: each.began_s)


async def record(place: House) -> UsageRecord:
    """The only one."""
    return (await records(place, 1))[0]


def test_a_finished_request_leaves_all_that_is_known_of_it() -> None:
    """Who, what, where, how long, and the engine's own count: of a stream with its two times, of JSON without."""

    async def main() -> None:
        async with Engine() as engine:
            replica = replace(upstream("m-1", engine.port), origin=_ORIGIN, is_rehearsed=True)
            async with house(table(1, route("m", replica)), _OFTEN) as place:
                await place.ask(post(chat_body(stream=True), extra="X-Request-Id: mine-1\r\n"))
                await place.chat()
                stream, whole = await records(place, 2)
                assert (stream.request, stream.tenant, stream.key, stream.service) == (
                    "mine-1",
                    "house",
                    KeyId("k"),
                    "m",
                )
                assert (stream.endpoint, stream.replica, stream.origin) == ("/v1/chat/completions", "m-1", _ORIGIN)
                assert stream.is_rehearsed
                assert (stream.prompt_tokens, stream.output_tokens, stream.status) == (3, 4, 200)
                assert stream.ending is Ending.FINISHED
                assert not stream.is_estimated
                assert not stream.is_continued
                assert stream.ttft_s is not None
                assert stream.tpot_s is not None
                assert 0 < stream.ttft_s < stream.duration_s
                assert (whole.prompt_tokens, whole.output_tokens, whole.ttft_s, whole.tpot_s) == (3, 5, None, None)
                assert whole.request.startswith("req-")
                assert stream.id != whole.id

    run(main())


def test_cached_tokens_are_told_where_the_engine_tells_them() -> None:
    """In the last event of a stream and in JSON."""
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 6}}

    async def behave(call: Call) -> None:
        if call.json.get("stream"):
            await stream_of([event("a"), event(choices=[], usage=usage), DONE])(call)
        else:
            await call.answer(json.dumps({"choices": [], "usage": usage}).encode())

    async def main() -> None:
        async with Engine(behave) as engine, house(table(1, route("m", upstream("a", engine.port))), _OFTEN) as place:
            await place.chat(stream=True)
            await place.chat()
            for each in await records(place, 2):
                assert (each.prompt_tokens, each.cached_tokens, each.output_tokens) == (9, 6, 2)

    run(main())


def test_what_an_engine_refuses_leaves_a_record_without_tokens() -> None:
    """Its status tells. What the gateway itself refuses leaves none."""

    async def refuse(call: Call) -> None:
        await call.answer(b'{"error":{}}', status="400 Bad Request")

    async def main() -> None:
        async with Engine(refuse) as engine:
            routes = route("m", upstream("a", engine.port)), route("gone", refusal="There is no room for it.")
            async with house(table(1, *routes), _OFTEN) as place:
                assert (await place.chat()).status == 400
                assert (await place.chat("gone")).status == 503
                assert (await place.chat("none")).status == 404
                (bad,) = await records(place, 1)
                assert (bad.status, bad.ending, bad.replica, bad.is_estimated) == (400, Ending.FINISHED, "a", False)
                assert (bad.prompt_tokens, bad.output_tokens) == (0, 0)

    run(main())


def test_a_client_that_leaves_is_billed_what_was_passed_to_it() -> None:
    """The events so far, without the one that only says whose turn it is; nothing where its answer had not begun."""
    seen = asyncio.Event()

    async def behave(call: Call) -> None:
        if call.json["messages"][0]["content"] == "wait":
            seen.set()
            await call.gone.wait()
            return
        await call.begin_stream()
        await call.chunk(_ROLE + b"".join(event(letter) for letter in "abcdef"))
        await call.gone.wait()

    async def main() -> None:
        async with Engine(behave) as engine, house(table(1, route("m", upstream("a", engine.port))), _OFTEN) as place:
            wire = await place.dial()
            await wire.send(post(chat_body(stream=True)))
            await wire.head()
            await wire.chunk()
            wire.writer.close()
            one = await record(place)
            assert (one.ending, one.status, one.output_tokens, one.is_estimated) == (Ending.CANCELLED, 499, 6, True)
            assert one.prompt_tokens > 0
            wire = await place.dial()
            await wire.send(post(json.dumps({"model": "m", "messages": [{"content": "wait"}]}).encode()))
            await seen.wait()
            wire.writer.close()
            _, two = await records(place, 2)
            assert (two.ending, two.prompt_tokens, two.output_tokens) == (Ending.CANCELLED, 0, 0)

    run(main())


def test_an_answer_whose_engine_fails_is_billed_what_was_passed() -> None:
    """It ends with an error event, as failed; an engine that had told its usage is believed."""
    told = False

    async def behave(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(_ROLE + event("a") + event("b") + (usage_event(7, 2) if told else b""))
        call.cut()

    async def main() -> None:
        nonlocal told
        async with Engine(behave) as engine, house(table(1, route("m", upstream("a", engine.port))), _OFTEN) as place:
            await place.chat(stream=True)
            told = True
            await place.chat(stream=True, logprobs=True)  # nobody goes on with such a one
            counted, known = await records(place, 2)
            assert (counted.ending, counted.output_tokens, counted.is_estimated) == (Ending.FAILED, 2, True)
            assert (known.ending, known.prompt_tokens, known.output_tokens) == (Ending.FAILED, 7, 2)
            assert not known.is_estimated

    run(main())


def test_a_continued_answer_is_one_record() -> None:
    """Of the replica that ended it, with the tokens of both; a request that was only tried elsewhere is not continued."""

    async def dies(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(_ROLE + event("a") + event("b"))
        call.cut()

    async def goes_on(call: Call) -> None:
        await stream_of([_ROLE, event("c"), _STOP, usage_event(5, 1), DONE])(call)

    async def refuses(call: Call) -> None:
        call.cut()

    async def main() -> None:
        async with Engine(dies) as first, Engine(goes_on) as second:
            a, b = upstream("a", first.port, engine="llama.cpp"), upstream("b", second.port, engine="llama.cpp")
            async with house(table(1, route("m", a, b)), _OFTEN) as place:
                await place.chat(stream=True)
                one = await record(place)
                assert (one.replica, one.is_continued, one.ending) == ("b", True, Ending.FINISHED)
                assert (one.prompt_tokens, one.output_tokens, one.is_estimated) == (3, 3, False)
        async with Engine(refuses) as first, Engine(chat) as second:
            a, b = upstream("a", first.port), upstream("b", second.port)
            async with house(table(1, route("m", a, b)), _OFTEN) as place:
                await place.chat(stream=True)
                one = await record(place)
                assert (one.replica, one.is_continued, one.output_tokens) == ("b", False, 4)

    run(main())


def test_the_record_is_written_before_the_client_sees_the_end() -> None:
    """`[DONE]` tells a client that it is over: an engine that then never ends its stream changes nothing."""

    async def behave(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(_ROLE + event("a") + _STOP + usage_event(7, 1) + DONE)
        await call.gone.wait()

    async def main() -> None:
        async with Engine(behave) as engine, house(table(1, route("m", upstream("a", engine.port))), _OFTEN) as place:
            wire = await place.dial()
            await wire.send(post(chat_body(stream=True)))
            await wire.head()
            while not (await wire.chunk()).endswith(DONE):
                pass
            one = await record(place)
            assert (one.ending, one.prompt_tokens, one.output_tokens) == (Ending.FINISHED, 7, 1)
            wire.writer.close()
            await place.at_rest()
            await records(place, 1)

    run(main())


def test_records_wait_for_control_and_are_told_until_taken() -> None:
    """Told and not taken, then the line lost: the same records, journal and place again; taken, they are never told again."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("a", engine.port))), _OFTEN) as place:
            place.control.takes_usage = False
            for _ in range(3):
                await place.chat()
            await until(lambda: any(told.records for told in place.control.told), "usage is told")
            await place.control.stop()
            await place.chat()
            before = [each for told in place.control.told for each in told.records]
            place.control.told.clear()
            place.control.takes_usage = True
            await place.control.start()
            await records(place, 4)
            again = [each for told in place.control.told for each in told.records]
            assert again[: len(before)] == before
            assert len({each.id.rpartition("-")[0] for each in again}) == 1
            assert len(again) == 4
            assert [told.upto for told in place.control.told] == sorted(told.upto for told in place.control.told)

    run(main())


async def _fill(place: House) -> int:
    """Ask until nothing more is written down, and some more; how many were answered."""
    served = 0
    while "usage" not in await place.health():
        wire = await place.dial()
        await wire.send(post(chat_body(), extra=f"X-Request-Id: {'x' * 120}\r\n") * 100)
        for _ in range(100):
            served += (await wire.answer()).status == 200
        wire.writer.close()
    for _ in range(5):
        served += (await place.chat()).status == 200
    return served


def test_a_full_journal_stops_no_request_and_breaks_no_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """Beyond its bound requests are served, not written down and counted; health and metrics say so; what was open gets its record."""
    go_on = asyncio.Event()

    async def behave(call: Call) -> None:
        if not call.json.get("stream"):
            await chat(call)
            return
        await call.begin_stream()
        await call.chunk(event("a"))
        await go_on.wait()
        await call.chunk(usage_event(3, 1) + DONE)
        await call.end_stream()

    async def main() -> None:
        limits = replace(_OFTEN, usage_bytes_max=256 * KIB)
        async with Engine(behave) as engine, house(table(1, route("m", upstream("a", engine.port))), limits) as place:
            place.control.takes_usage = False
            wire = await place.dial()
            await wire.send(post(chat_body(stream=True), extra="X-Request-Id: promised\r\n"))
            await wire.head()
            served = await _fill(place)
            metrics = await place.metrics()
            unwritten = int(metrics["alliage_gateway_usage_unwritten_total"])
            assert unwritten > 0
            assert metrics["alliage_gateway_usage_full"] == 1
            go_on.set()
            while await wire.chunk():
                pass
            place.control.takes_usage = True
            place.control.nonsense()  # the line breaks: all is told again on the next
            usage = place.control.usage
            await until(lambda: len(usage) + unwritten == served + 1, "each has a record or is counted as one without")
            promised = [each for each in usage.values() if each.request == "promised"]
            assert [(each.ending, each.output_tokens) for each in promised] == [(Ending.FINISHED, 1)]
            await until(lambda: "usage is written down again" in capsys.readouterr().out, "there is room again")
            await place.chat()
            await until(lambda: len(usage) + unwritten == served + 2, "it is written down again")
            assert "usage" not in await place.health()

    run(main())
