"""Which engines are asked for which path: those whose file says that they serve it; where none does, a 501 says what they do serve."""

import asyncio
from dataclasses import replace

import pytest

from alliage.catalog.records import ApiPath, Task
from alliage.fleet.keys import Role
from alliage.fleet.routing import REHEARSED, REPLICA_HEADER, RoutingTable
from alliage.gateway.endpoints import ENDPOINTS, RELAYED
from alliage.gateway.problems import Problem
from alliage.gateway.serving import Serving
from tests.gateway.house import chat_body, house, post, route, run, table, upstream
from tests.gateway.test_choosing import timed, turns
from tests.gateway.upstream import Engine

SERVES = {
    "llama.cpp": (ApiPath.CHAT, ApiPath.COMPLETIONS, ApiPath.MESSAGES),
    "mindie": (ApiPath.CHAT,),
    REHEARSED: (ApiPath.CHAT, ApiPath.RESPONSES),
}


def mixed(*ports: tuple[str, int], version: int = 1, role: Role = Role.USER) -> RoutingTable:
    """One service on several engines."""
    upstreams = (upstream(f"m-{engine}", port, engine=engine) for engine, port in ports)
    return replace(table(version, route("m", *upstreams), role=role), serves=SERVES)


def test_every_path_of_the_catalogue_has_its_endpoint() -> None:
    """What a file may name is what can be asked for, and the other way round."""
    assert [endpoint.path.decode() for endpoint in RELAYED] == list(ApiPath)
    assert all(ENDPOINTS[endpoint.path] is endpoint for endpoint in RELAYED)


def test_only_engines_that_serve_it_are_asked() -> None:
    """Of three engines one serves Messages; one of which nothing is said is asked all the same."""
    serving = Serving(SERVES)
    lean, rich = upstream("a", 1, engine="mindie"), upstream("b", 2, engine="llama.cpp")
    other, rehearsed = upstream("c", 3, engine="own"), replace(rich, is_rehearsed=True)
    everyone = (lean, rich, other, rehearsed)
    assert serving.among(everyone, ENDPOINTS[b"/v1/chat/completions"]) is everyone
    assert serving.among(everyone, ENDPOINTS[b"/v1/messages"]) == [rich, other]
    assert serving.among(everyone, ENDPOINTS[b"/v1/responses"]) == [other, rehearsed]
    assert Serving().among(everyone, ENDPOINTS[b"/rerank"]) is everyone


def test_the_refusal_names_engines_and_what_they_serve() -> None:
    """A rehearsed engine is called that, whichever it stands for; nothing is promised by asking again."""
    rehearsed = replace(upstream("a", 1, engine="llama.cpp"), is_rehearsed=True)
    upstreams = (rehearsed, upstream("b", 2, engine="mindie"))
    problem: Problem = Serving(SERVES).refusal("m", upstreams, ENDPOINTS[b"/v1/messages"])
    assert (problem.status, problem.code) == (501, "not_served")
    assert problem.message == (
        "No engine of 'm' serves /v1/messages: mindie serves /v1/chat/completions; "
        "rehearsed serves /v1/chat/completions, /v1/responses."
    )
    assert problem.headers == b"X-Should-Retry: false\r\n"


def test_where_some_serve_it_they_get_all_of_it() -> None:
    """Eight requests go to the one that can, also while the other is idle; an admin who names the other one hears why not."""

    async def main() -> None:
        async with Engine() as lean, Engine() as rich:
            both = mixed(("mindie", lean.port), ("llama.cpp", rich.port), role=Role.ADMIN)
            async with house(both) as place:
                body = chat_body()
                answers = await asyncio.gather(*(place.ask(post(body, "/v1/completions")) for _ in range(8)))
                assert {answer.status for answer in answers} == {200}
                assert (len(lean.calls), len(rich.calls)) == (0, 8)
                named = await place.ask(post(body, "/v1/completions", extra=f"{REPLICA_HEADER}: m-mindie\r\n"))
                assert (named.status, named.code) == (501, "not_served")
                await place.at_rest()

    run(main())


def test_where_none_serves_it_it_is_a_501_and_the_connection_stays() -> None:
    """Nobody is asked; the same connection is used again."""

    async def main() -> None:
        async with Engine() as lean, house(mixed(("mindie", lean.port))) as place:
            wire = await place.dial()
            await wire.send(post(chat_body(), "/v1/messages") + post(chat_body()))
            refused, answered = await wire.answer(), await wire.answer()
            assert (refused.status, answered.status) == (501, 200)
            assert "mindie serves /v1/chat/completions" in refused.json["error"]["message"]
            assert [call.path for call in lean.calls] == ["/v1/chat/completions"]

    run(main())


def test_one_that_serves_it_is_waited_for() -> None:
    """While nothing runs nobody knows what will serve: the request is held, and answered when it can be."""

    async def main() -> None:
        async with Engine() as rich, house(table(1, route("m", waiting="soon"))) as place:
            asking = asyncio.create_task(place.ask(post(chat_body(), "/v1/messages")))
            await place.holds(1)
            place.control.push(mixed(("llama.cpp", rich.port), version=2))
            assert (await asking).status == 200

    run(main())


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/embeddings"])
def test_a_model_of_another_task_is_told_so(path: str) -> None:
    """A model that embeds does not chat, whatever its engine serves, nor the other way round."""

    async def main() -> None:
        other = Task.CHAT if path.endswith("embeddings") else Task.EMBED
        async with Engine() as engine, house(table(1, route("m", upstream("a", engine.port), tasks=(other,)))) as place:
            answer = await place.ask(post(chat_body(), path))
            assert answer.status == 400
            assert not engine.calls

    run(main())


def test_what_only_counts_tokens_leaves_no_prompt_behind() -> None:
    """A prompt that was counted somewhere is not taken to be held there: the chat with it goes to who waited longest."""

    def both(one: Engine, two: Engine) -> RoutingTable:
        return table(1, route("m", timed("a", one), timed("b", two)))

    async def main() -> None:
        body = turns("x" * 20_000)
        async with Engine() as one, Engine() as two, house(both(one, two)) as place:
            assert (await place.ask(post(body, "/v1/messages/count_tokens"))).status == 200
            assert (await place.ask(post(body))).status == 200
            assert (len(one.calls), len(two.calls)) == (1, 1)
            assert (await place.ask(post(body))).status == 200
            chats = [engine for engine in (one, two) if engine.calls[-1].path == "/v1/chat/completions"]
            assert [len(engine.calls) for engine in chats] == [2]

    run(main())
