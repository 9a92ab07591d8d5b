"""An answer that one replica began and another goes on with: to the letter, once, under the first one's names."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.fleet.keys import Role
from alliage.gateway.continuing import Joining, continuation_of, read_said
from alliage.gateway.limits import GatewayLimits
from alliage.units import KIB
from tests.gateway.house import House, house, post, route, run, table, until, upstream
from tests.gateway.upstream import DONE, Call, Engine, event, usage_event


def chat(**more: Any) -> dict[str, Any]:
    """A request for a stream."""
    return {"model": "m", "stream": True, "messages": [{"role": "user", "content": "abc"}], **more}


def body_of(**more: Any) -> bytes:
    """The same as bytes."""
    return json.dumps(chat(**more)).encode()


def text_of(stream: bytes) -> str:
    """All text of a stream."""
    said = read_said(stream)
    assert said is not None
    return said.text


ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
STOPPED = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


@given(st.text(min_size=1, max_size=40), st.data())
def test_the_two_streams_are_one_text(text: str, data: st.DataObject) -> None:
    """Cut anywhere, blanks at the seam included, whether the second engine says them again or not."""
    cut = data.draw(st.integers(1, len(text)))
    begun, rest = text[:cut], text[cut:]
    what = continuation_of(body_of(), ROLE + b"".join(event(letter) for letter in begun))
    assert what is not None
    assert what.asked["messages"][-1]["content"] == begun.rstrip() or not begun.strip()
    blanks = begun[len(begun.rstrip()) :] if data.draw(st.booleans()) else ""
    joining = Joining(what, says_usage=False)
    stream = ROLE + b"".join(event(letter) for letter in blanks + rest) + STOPPED + DONE
    pieces = [stream[at : at + 7] for at in range(0, len(stream), 7)]
    joined = b"".join(joining.feed(piece) for piece in pieces)
    said = read_said(joined)
    if blanks or not rest[:1].isspace():  # else nobody can tell whether the blank is new
        assert said is not None
        assert begun + said.text == text
    assert joined.endswith(DONE)


def test_the_first_names_stay_and_no_second_turn_is_opened() -> None:
    """`id`, `created` and `model` are those of the first event; the second role chunk is dropped."""
    first = event("a", id="first", created=7, model="m1")
    what = continuation_of(body_of(), first)
    assert what is not None
    second = ROLE + event("b", id="second", created=9, model="m2") + STOPPED + DONE
    events = [
        json.loads(line[6:]) for line in Joining(what, says_usage=False).feed(second).splitlines() if line.startswith(b"data: {")
    ]  # fmt: skip
    assert {(each["id"], each["created"], each["model"]) for each in events} == {("first", 7, "m1")}
    assert [each["choices"][0]["delta"] for each in events] == [{"content": "b"}, {}]


def test_what_is_left_of_the_limit_is_asked_for_and_the_prompt_billed_once() -> None:
    """Three of ten tokens were said: seven more; the second prompt holds what was said, the usage does not."""
    said = event("a") + event("b") + event("c")
    what = continuation_of(body_of(max_tokens=10, max_completion_tokens=9), said)
    assert what is not None
    assert (what.asked["max_tokens"], what.asked["max_completion_tokens"]) == (7, 6)
    joining = Joining(what, says_usage=True)
    told = joining.feed(event("d") + STOPPED + usage_event(prompt=8, completion=1) + DONE)
    assert (joining.prompt_tokens, joining.completion_tokens) == (5, 4)
    assert b'"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9}' in told
    assert b'"usage"' not in Joining(what, says_usage=False).feed(usage_event() + DONE)


def test_a_limit_that_is_reached_or_a_finish_that_was_told_needs_no_engine() -> None:
    """The stream is only ended, with the reason."""
    full = continuation_of(body_of(max_tokens=2), event("a") + event("b"))
    over = continuation_of(body_of(), event("a") + STOPPED)
    assert full is not None
    assert over is not None
    assert (full.finish, over.finish) == ("length", "stop")
    assert Joining(full, says_usage=False).ending("length").endswith(DONE)


def test_a_stop_string_over_the_seam_still_stops() -> None:
    """Its beginning was said before, its end comes now: nothing more is said, and the reason is `stop`."""
    what = continuation_of(body_of(stop=["cde"]), event("ab") + event("c"))
    assert what is not None
    joining = Joining(what, says_usage=False)
    assert text_of(event("x") + joining.feed(event("d"))) == "xd"
    told = joining.feed(event("e") + event("f"))
    assert joining.is_over
    assert read_said(told) is not None
    assert b'"finish_reason":"stop"' in told
    assert b"f" not in told.replace(b"finish_reason", b"").split(b"[DONE]")[0].split(b'"delta"')[-1]


@pytest.mark.parametrize(
    "more",
    [
        {"n": 2},
        {"tools": [{"type": "function"}]},
        {"logprobs": True},
        {"response_format": {"type": "json_object"}},
        {"guided_regex": "a"},
        {"messages": "hello"},
        {"messages": [{"role": "assistant", "content": [{"type": "text"}]}]},
    ],
)
def test_what_is_no_plain_text_is_not_continued(more: dict[str, Any]) -> None:
    """Several answers, tools, guided output, log-probabilities, and what cannot be understood."""
    assert continuation_of(body_of(**more), event("a")) is None


@pytest.mark.parametrize(
    "passed",
    [
        b"",
        b"data: [DONE]\n\n",
        b"data: {not json}\n\n",
        event(choices=[{"index": 0, "delta": {"reasoning_content": "hm"}}]),
        event(choices=[{"index": 0, "delta": {"tool_calls": [{"id": "x"}]}}]),
        event(choices=[{"index": 1, "delta": {"content": "b"}}]),
    ],
)
def test_what_was_said_and_is_no_plain_text_is_not_continued(passed: bytes) -> None:
    """Thinking text, tool calls, another answer than the first; nothing at all."""
    assert continuation_of(body_of(), passed) is None


def test_a_beginning_of_the_clients_own_is_kept() -> None:
    """The client's unfinished assistant message and what was said are one message."""
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "ab"}]
    what = continuation_of(body_of(messages=messages), event("c"))
    assert what is not None
    assert what.asked["messages"] == [messages[0], {"role": "assistant", "content": "abc"}]


def test_engines_are_told_how_to_go_on() -> None:
    """VLLM must not open a new turn; one that nothing is known of is not asked."""
    what = continuation_of(body_of(), event("a"))
    assert what is not None
    vllm, llama = what.body_for("vllm"), what.body_for("llama.cpp")
    assert vllm is not None
    assert llama is not None
    assert json.loads(vllm)["continue_final_message"] is True
    assert json.loads(vllm)["add_generation_prompt"] is False
    assert "continue_final_message" not in json.loads(llama)
    assert what.body_for("mindie") is None


async def reciting(call: Call) -> None:
    """An engine that goes on with the alphabet from the last letter there is, and dies after `f`."""
    said = call.json["messages"][-1]["content"]
    await call.begin_stream()
    await call.chunk(ROLE)
    for letter in "abcdefghij"[ord(said[-1]) - ord("a") + 1 :]:
        await call.chunk(event(letter, id="c" if len(call.json["messages"]) == 1 else "another"))
        await asyncio.sleep(0.005)
        if letter == "f" and len(call.json["messages"]) == 1:
            call.cut()
            return
    await call.chunk(STOPPED)
    await call.chunk(usage_event(prompt=9, completion=4))
    await call.chunk(DONE)
    await call.end_stream()


@asynccontextmanager
async def two(first: Engine, second: Engine, engine: str = "llama.cpp") -> AsyncIterator[House]:
    """A gateway before two replicas of one service."""
    both = (upstream("one", first.port, engine=engine), upstream("two", second.port, engine=engine))
    async with house(table(1, route("m", *both))) as place:
        yield place


def test_a_stream_survives_its_replica() -> None:
    """The engine dies after some letters; the other says the rest: one id, all letters once, usage once, all counted."""

    async def main() -> None:
        async with Engine(reciting) as one, Engine(reciting) as other, two(one, other) as place:
            answer = await place.ask(post(body_of(stream_options={"include_usage": True})))
            assert answer.status == 200
            assert text_of(answer.body) == "defghij"
            assert (
                len({json.loads(line[6:])["id"] for line in answer.body.splitlines() if line.startswith(b"data: {")})
                == 1
            )
            assert answer.body.endswith(DONE)
            assert b'"usage":{"prompt_tokens":6,"completion_tokens":7,"total_tokens":13}' in answer.body
            (again,) = other.calls
            assert again.json["messages"][-1] == {"role": "assistant", "content": "def"}
            await place.at_rest()
            metrics = await place.metrics()
            assert metrics['alliage_gateway_continued_total{service="m"}'] == 1
            assert metrics['alliage_gateway_broken_total{service="m"}'] == 0
            assert metrics['alliage_gateway_tokens_total{kind="output",service="m"}'] == 7

    run(main())


def test_a_stream_of_a_chosen_replica_ends_with_it() -> None:
    """Another could say the rest, but what is measured of one replica would be told of two: an error event, and nobody else is asked."""

    async def main() -> None:
        async with Engine(reciting) as one, Engine(reciting) as other:
            replicas = [upstream(f"m-{each.port}", each.port, engine="llama.cpp") for each in (one, other)]
            async with house(table(1, route("m", *replicas), role=Role.ADMIN)) as place:
                answer = await place.ask(post(body_of(), extra=f"X-Alliage-Replica: m-{one.port}\r\n"))
                assert text_of(answer.body.split(b"event: error")[0]).startswith("def")
                assert b"upstream_failed" in answer.body
                assert other.calls == []
                await place.at_rest()
                assert (await place.metrics())['alliage_gateway_broken_total{service="m"}'] == 1

    run(main())


def test_a_client_that_did_not_ask_for_usage_is_told_none() -> None:
    """Neither the first's nor the second's."""

    async def main() -> None:
        async with Engine(reciting) as one, Engine(reciting) as other, two(one, other) as place:
            answer = await place.ask(post(body_of()))
            assert text_of(answer.body) == "defghij"
            assert b"usage" not in answer.body

    run(main())


def test_without_another_that_can_go_on_it_ends_with_an_error() -> None:
    """Beside engines that nothing is known of: what there was, and the error event."""

    async def main() -> None:
        async with Engine(reciting) as one, Engine(reciting) as other, two(one, other, engine="") as place:
            answer = await place.ask(post(body_of()))
            assert b'"code":"upstream_failed"' in answer.body
            assert not other.calls

    run(main())


def test_a_second_death_and_a_refusal_are_survived_too() -> None:
    """The second one dies as well, the third refuses: the fourth says the rest."""

    async def refusing(call: Call) -> None:
        await call.answer(b"{}", status="500 Internal Server Error")

    async def main() -> None:
        async def dying(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("f"))
            await asyncio.sleep(0.01)
            call.cut()

        async def cut_short(call: Call) -> None:
            await call.begin_stream()
            for letter in "de":
                await call.chunk(event(letter))
                await asyncio.sleep(0.01)
            call.cut()

        async with Engine(cut_short) as one, Engine(dying) as two_, Engine(refusing) as three, Engine(reciting) as four:
            engines = [(str(n), each.port) for n, each in enumerate((one, two_, three, four))]
            replicas = [upstream(name, port, engine="llama.cpp") for name, port in engines]
            async with house(table(1, route("m", *replicas))) as place:
                answer = await place.ask(post(body_of()))
                assert text_of(answer.body) == "defghij"
                assert [len(each.calls) for each in (one, two_, three, four)] == [1, 1, 1, 1]
                await place.at_rest()
                assert (await place.metrics())['alliage_gateway_continued_total{service="m"}'] == 1

    run(main())


def test_a_finish_that_was_told_is_only_ended() -> None:
    """The engine dies between the finish reason and the end: nobody else is asked."""

    async def main() -> None:
        async def nearly(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("d") + STOPPED)
            await asyncio.sleep(0.01)
            call.cut()

        async with Engine(nearly) as one, Engine(reciting) as other, two(one, other) as place:
            answer = await place.ask(post(body_of()))
            assert text_of(answer.body) == "d"
            assert answer.body.endswith(DONE)
            assert not other.calls

    run(main())


async def _dies_with(call: Call, engine: Engine) -> None:
    """Three letters, then it is gone."""
    await call.begin_stream()
    for letter in "def":
        await call.chunk(event(letter))
        await asyncio.sleep(0.005)
    engine.deafen()
    call.cut()


def test_a_stream_waits_for_another_replica() -> None:
    """Its only one is gone: it is held over tables that bring none, then gone on with by an engine of another make."""

    async def main() -> None:
        dying = Engine()
        dying.behave = lambda call: _dies_with(call, dying)
        async with dying, Engine(reciting) as other:
            first = table(1, route("m", upstream("one", dying.port, engine="llama.cpp")))
            async with house(first) as place:
                asking = asyncio.create_task(place.ask(post(body_of(stream_options={"include_usage": True}))))
                await place.holds(1)
                await place.control.swap(table(2, route("m", waiting="it is starting")))
                await place.holds(1)
                await until(lambda: place.control.traffic().held == 1, "control is told that one waits")
                assert place.control.traffic().in_flight == 0
                place.control.push(table(3, route("m", upstream("two", other.port, engine="vllm"))))
                answer = await asyncio.wait_for(asking, 5)
                assert text_of(answer.body) == "defghij"
                assert answer.body.endswith(DONE)
                assert b'"code":' not in answer.body
                await place.at_rest()
                assert (await place.metrics())["alliage_gateway_kept_bytes"] == 0

    run(main())


def test_a_stream_waits_no_longer_than_it_may() -> None:
    """After hold_s it ends with the error event that says what happened."""

    async def main() -> None:
        dying = Engine()
        dying.behave = lambda call: _dies_with(call, dying)
        async with dying:
            limits = GatewayLimits(hold_s=0.2, drain_s=2)
            only = upstream("one", dying.port, engine="llama.cpp")
            async with house(table(1, route("m", only)), limits) as place:
                answer = await asyncio.wait_for(place.ask(post(body_of())), 5)
                assert b'"code":"upstream_failed"' in answer.body
                await place.at_rest()
                assert (await place.metrics())['alliage_gateway_broken_total{service="m"}'] == 1

    run(main())


def test_an_engine_that_cut_a_stream_and_is_well_goes_on_with_it_itself() -> None:
    """It is the only one; it is asked again once it was reached again, and never without end."""

    async def main() -> None:
        async def stubborn(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("d"))
            await asyncio.sleep(0.005)
            call.cut()

        limits = GatewayLimits(reach_every_s=0.02, drain_s=2)
        async with Engine(reciting) as alone:
            first = table(1, route("m", upstream("a", alone.port, engine="vllm")))
            async with house(first, limits) as place:
                assert text_of((await place.ask(post(body_of()))).body) == "defghij"
                alone.behave = stubborn
                answer = await asyncio.wait_for(place.ask(post(body_of())), 10)
                assert b'"code":"upstream_failed"' in answer.body
                assert len(alone.calls) < 15

    run(main())


def test_what_is_kept_of_all_streams_is_bounded() -> None:
    """There is room for one: the other, which began later, ends with an error when its engine dies; nothing stays."""

    async def main() -> None:
        go = asyncio.Event()

        async def behave(call: Call) -> None:
            if len(call.json["messages"]) > 1:
                await reciting(call)
                return
            await call.begin_stream()
            await call.chunk(event("d" * 1000))
            await call.chunk(event("e"))
            await go.wait()
            call.cut()

        limits = GatewayLimits(kept_bytes_max=6 * KIB, drain_s=2)
        async with Engine(behave) as one, Engine(behave) as other:
            both = [upstream(name, port, engine="llama.cpp") for name, port in (("a", one.port), ("b", other.port))]
            async with house(table(1, route("m", *both)), limits) as place:
                first, second = await place.dial(), await place.dial()
                for wire in (first, second):
                    await wire.send(post(body_of()))
                    await wire.head()
                    begun = b""
                    while not begun.endswith(event("e")):
                        begun += await wire.chunk()
                    assert KIB < (await place.metrics())["alliage_gateway_kept_bytes"] <= 6 * KIB
                go.set()
                whole, broken = b"", b""
                while piece := await first.chunk():
                    whole += piece
                while piece := await second.chunk():
                    broken += piece
                assert text_of(event("e") + whole) == "efghij"
                assert b'"code":"upstream_failed"' in broken
                await place.at_rest()
                assert (await place.metrics())["alliage_gateway_kept_bytes"] == 0

    run(main())
