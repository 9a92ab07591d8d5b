"""Which engine the gateway sends a request to: where its beginning is, only where its route allows, and nothing is left over."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from alliage.decide.routing.board import Board
from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry, RoutingTable, Tempo, Upstream
from alliage.fleet.services import Objective
from alliage.gateway.choosing import Choosing
from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import KEY, House, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine, chat, event

TEMPO = Tempo(
    request_s=0.0, prompt_token_s=1e-3, prompt_pair_s=0.0, step_s=0.01, step_request_s=1e-4, step_held_s=0.0,
    step_tokens=2048, kv_tokens=100_000,
)  # fmt: skip
OTHER_KEY = "alliage-other-key"


def timed(name: str, double: Engine, engine: str = "") -> Upstream:
    """A replica whose speed is known."""
    return replace(upstream(name, double.port, engine=engine), tempo=TEMPO)


def turns(*texts: str, **more: object) -> bytes:
    """A chat's body."""
    messages = [{"role": "user", "content": text} for text in texts]
    return json.dumps({"model": "m", "messages": messages, **more}).encode()


def two_tenants(version: int, *upstreams: Upstream) -> RoutingTable:
    """A table with a key of `house` and one of `other`."""
    first = table(version, replace(route("m", *upstreams), objective=Objective(ttft_s=1.0, tpot_s=0.1)))
    other = KeyEntry(key=KeyId("o"), tenant="other", role=Role.USER)
    return replace(first, keys={**first.keys, hashlib.sha256(OTHER_KEY.encode()).hexdigest(): other})


@asynccontextmanager
async def two_engines() -> AsyncIterator[tuple[Engine, Engine, House]]:
    """Alike, behind a gateway with two tenants."""
    async with Engine() as one, Engine() as two, house(two_tenants(1, timed("a", one), timed("b", two))) as place:
        yield one, two, place


def test_a_conversation_stays_where_its_beginning_is() -> None:
    """Each turn goes to the engine of the turn before, although the two take turns otherwise."""

    async def main() -> None:
        async with two_engines() as (one, two, place):
            said: list[str] = []
            for turn in range(6):
                said.append(f"{turn} " * 500)
                answer = await place.ask(post(turns(*said, stream=turn % 2 == 0)))
                assert answer.status == 200
            assert sorted((len(one.calls), len(two.calls))) == [0, 6]

    run(main())


def test_a_tenant_is_not_drawn_to_where_anothers_prompt_is() -> None:
    """The same text from another tenant goes to the engine whose turn it is: nothing tells where it was sent before."""

    async def main() -> None:
        async with two_engines() as (one, two, place):
            body = turns("the secret " * 500)
            for key in (KEY, OTHER_KEY):
                assert (await place.ask(post(body, key=key))).status == 200
            assert (len(one.calls), len(two.calls)) == (1, 1)

    run(main())


def test_neither_a_retry_nor_a_continuation_leaves_the_route() -> None:
    """Another service's engine, idle and faster, is never asked: what a route names is all that may answer, so residency holds."""

    async def dies(call: Call) -> None:
        call.cut()

    async def dies_while_it_speaks(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(event("a"))
        call.cut()

    async def main() -> None:
        async with Engine(dies) as ill, Engine(dies_while_it_speaks) as frail, Engine() as abroad, Engine() as home:
            away = replace(timed("away", abroad, engine="vllm"), tempo=replace(TEMPO, step_s=1e-6))
            first, second = timed("a", ill, engine="vllm"), timed("b", frail, engine="vllm")
            elsewhere = route("elsewhere", away)
            async with house(table(1, route("m", first), route("frail", second), elsewhere)) as place:
                assert (await place.chat()).code == "upstream_failed"
                broken = await place.chat("frail", stream=True)
                assert b"upstream_failed" in broken.body
                well = timed("well", home, engine="vllm")
                slow = replace(well, tempo=replace(TEMPO, step_s=5.0))
                await place.control.swap(table(2, route("m", first, slow), route("frail", second, slow), elsewhere))
                assert (await place.chat()).status == 200
                continued = await place.chat("frail", stream=True)
                assert continued.body.endswith(b"data: [DONE]\n\n")
                assert sum(call.path != "/tokenize" for call in home.calls) == 2  # the broken one is counted meanwhile
                assert not abroad.calls
                await at_rest(place)

    run(main())


async def at_rest(place: House) -> None:
    """Nothing is in flight or unread any more, for control's count and for the choice's."""
    await place.at_rest()
    unread = {name: value for name, value in (await place.metrics()).items() if "unread" in name}
    assert unread
    assert not any(unread.values()), unread


def test_nothing_is_left_over_after_errors_aborts_and_a_change_of_table() -> None:
    """An engine's error, clients that leave before the first token and after it while the replica was away: each counts once."""
    silent, spoken = asyncio.Event(), asyncio.Event()

    async def behave(call: Call) -> None:
        ask = call.json.get("user")
        if ask == "error":
            await call.answer(b'{"error":{"message":"no"}}', status="400 Bad Request")
        elif ask == "silent":
            silent.set()
            await call.gone.wait()
        elif ask == "speaks":
            await call.begin_stream()
            await call.chunk(event("a"))
            spoken.set()
            await call.gone.wait()
        else:
            await chat(call)

    async def main() -> None:
        async with Engine(behave) as engine:
            one = timed("a", engine)
            async with house(table(1, route("m", one)), GatewayLimits(drain_s=2.0, hold_s=5.0)) as place:
                assert (await place.ask(post(turns("x", user="error")))).status == 400
                leaving, staying = await place.dial(), await place.dial()
                await leaving.send(post(turns("x", user="silent", stream=True)))
                await silent.wait()
                await staying.send(post(turns("x", user="speaks", stream=True)))
                await spoken.wait()
                metrics = await place.metrics()
                assert metrics['alliage_gateway_in_flight{replica="a"}'] == 2
                await place.control.swap(table(2))
                await place.control.swap(table(3, route("m", one)))
                assert (await place.metrics())['alliage_gateway_in_flight{replica="a"}'] == 2
                leaving.writer.close()
                staying.writer.close()
                await until(lambda: all(call.gone.is_set() for call in engine.calls[1:]), "the engine was told")
                assert (await place.chat()).status == 200
                await at_rest(place)
                await place.control.swap(table(4))
                assert not any("unread" in name for name in await place.metrics())

    run(main())


def test_a_stream_runs_from_its_first_event_to_its_end() -> None:
    """A client that does not read makes it no sign of its engine."""
    board, there = Board(), timed("a", Engine())
    choosing = Choosing(board)
    assert choosing.among((there,), frozenset(), route("m", there), "", turns("hello"), True, 1.0) is there
    choosing.heard(b"", 200, b"")
    assert not board.lane(there).saying
    choosing.heard(event("a") + event("b"), 200, b"")
    stay = choosing.saying
    assert stay is not None
    assert list(board.lane(there).saying) == [stay]
    assert (stay.said, stay.is_unread, stay.is_vague) == (0, False, False)
    stay.marked = 2
    choosing.unread()
    assert (stay.marked, stay.is_unread) == (-1, True)
    choosing.end(5, 4, 2.0, was_continued=False)
    assert (choosing.saying, len(board.lane(there).saying)) == (None, 0)
