"""Rehearsed engines on real sockets: what they answer, when, how they fail, and who may come back to them."""

import asyncio
import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest

from alliage.control.observed import EngineState
from alliage.fleet.ids import ReplicaId
from alliage.rehearsal.messages import Fault, FaultKind, Shut
from tests.rehearsal.scene import Scene, a_scene, dialled, order, played, post, said
from tests.speed.test_batching import pace


def chat(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A body."""
    return {"model": "chat", "messages": [{"role": "user", "content": text}], **more}


@played
async def test_it_answers_as_openai_does_and_says_that_it_is_rehearsed() -> None:
    """Streamed and whole answers are the same text, with their usage; each head carries the label."""
    async with a_scene() as scene:
        told = await scene.open("a")
        streamed = await post(told, chat(stream=True, max_tokens=9, stream_options={"include_usage": True}))
        whole = await post(told, chat(max_tokens=9))
        assert b"X-Alliage-Rehearsal: true" in streamed.split(b"\r\n\r\n")[0]
        assert b"X-Alliage-Rehearsal: true" in whole.split(b"\r\n\r\n")[0]
        answer = json.loads(whole.split(b"\r\n\r\n")[1])
        assert said(streamed) == answer["choices"][0]["message"]["content"]
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
        assert b'"completion_tokens":9' in streamed
        assert said(streamed).count(":") == 9


@played
async def test_what_was_begun_is_gone_on_from_to_the_letter() -> None:
    """A last message of the assistant is a beginning, wherever it was cut."""
    async with a_scene() as scene:
        told = await scene.open("a")
        whole = said(await post(told, chat(stream=True, max_tokens=20)))
        for cut in (1, 7, 23):
            begun = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": whole[:cut]}]
            rest = said(await post(told, {"messages": begun, "stream": True, "max_tokens": 30}))
            assert (whole[:cut] + rest).startswith(whole)


@pytest.mark.parametrize(
    ("body", "key", "path", "status"),
    [
        (chat(), "wrong", "/v1/chat/completions", 401),
        ({"messages": []}, "secret", "/v1/chat/completions", 400),
        (chat(n=2), "secret", "/v1/chat/completions", 400),
        (chat(max_tokens=0), "secret", "/v1/chat/completions", 400),
        (chat("x" * 20_000), "secret", "/v1/chat/completions", 400),
        ({"model": "chat"}, "secret", "/v1/completions", 400),
        (chat(), "secret", "/v1/nothing", 404),
    ],
)
@played
async def test_what_cannot_be_answered_gets_an_error(body: dict[str, Any], key: str, path: str, status: int) -> None:
    """In OpenAI's shape, and the connection is good for the next request."""
    async with a_scene() as scene:
        answer = await post(await scene.open("a"), body, key=key, path=path)
        assert answer.startswith(b"HTTP/1.1 %d" % status)
        assert json.loads(answer.split(b"\r\n\r\n")[1])["error"]["message"]


@played
async def test_each_replica_has_its_own_address_and_death() -> None:
    """One dies in the middle of a stream: that connection breaks off and its end is told; the others go on."""
    async with a_scene() as scene:
        one, other = await scene.open("one", slow=8.0), await scene.open("other")
        assert one.port != other.port
        asking = asyncio.create_task(post(one, chat(stream=True, max_tokens=60)))
        await asyncio.sleep(0.2)
        scene.line.send(Fault(replica=ReplicaId("one"), kind=FaultKind.DIE))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asking
        await scene.until(lambda: scene.told["one"].state is EngineState.ENDED)
        assert "made to die" in scene.told["one"].why
        with pytest.raises(ConnectionError):
            await post(one, chat())
        assert said(await post(other, chat(stream=True, max_tokens=3))).count(":") == 3
        assert (await scene.open("one", attempt=2)).state is EngineState.READY


@played
async def test_a_hung_replica_says_nothing_more_and_a_slow_one_less() -> None:
    """Connections to the hung one are accepted and not answered; the slow one takes so many times as long."""
    async with a_scene() as scene:
        told, quick = await scene.open("hung"), await scene.open("quick")
        scene.line.send(Fault(replica=ReplicaId("hung"), kind=FaultKind.HANG))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await post(told, chat(max_tokens=1))
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await post(quick, chat(max_tokens=8, ignore_eos=True))
        alone_s = loop.time() - began_s
        scene.line.send(Fault(replica=ReplicaId("quick"), kind=FaultKind.SLOW, factor=6.0))
        began_s = loop.time()
        await post(quick, chat(max_tokens=8, ignore_eos=True))
        assert loop.time() - began_s > 2 * alone_s


@played
async def test_a_hung_replica_leaves_open_what_is_open() -> None:
    """Who was being answered waits; who comes is let in and waits too."""
    async with a_scene() as scene:
        told = await scene.open("a", slow=8.0)
        asking = asyncio.create_task(post(told, chat(stream=True, max_tokens=60)))
        await asyncio.sleep(0.2)
        scene.line.send(Fault(replica=ReplicaId("a"), kind=FaultKind.HANG))
        await scene.open("b")  # orders are obeyed one after the other
        coming = asyncio.create_task(post(told, chat()))
        await asyncio.wait([asking, coming], timeout=0.3)
        assert not asking.done()
        assert not coming.done()
        for each in (asking, coming):
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await each


@played
async def test_the_next_agent_finds_what_runs() -> None:
    """The line ends, another is dialled: all replicas are told with their addresses and keys, and answer still."""
    async with a_scene() as scene:
        told = await scene.open("a")
        scene.line.close()
        again = Scene(scene.socket, await dialled(scene.socket))
        listening = asyncio.create_task(again.listen())
        await again.until(lambda: "a" in again.told)
        assert again.told["a"] == told
        assert said(await post(told, chat(stream=True, max_tokens=2))).count(":") == 2
        again.line.close()
        await listening


@played
async def test_orders_may_come_twice_and_a_shut_replica_is_gone() -> None:
    """The same attempt opens nothing new; shut, it tells so and does not listen any more."""
    async with a_scene() as scene:
        told = await scene.open("a")
        scene.line.send(order("a"))
        scene.line.send(Shut(replica=ReplicaId("nobody")))
        scene.line.send(Shut(replica=ReplicaId("a")))
        await scene.until(lambda: scene.told["a"].state is EngineState.STOPPED)
        assert scene.told["a"].port == told.port
        with pytest.raises(ConnectionError):
            await post(told, chat())


@played
async def test_nobody_is_answered_while_the_model_is_loaded() -> None:
    """It listens, says that it is not well yet, and refuses requests until then."""
    async with a_scene() as scene:
        scene.line.send(order("a", wanted=replace(pace(), load_s=1.5)))
        await scene.until(lambda: "a" in scene.told)
        assert scene.told["a"].state is EngineState.STARTING
        answer = await post(scene.told["a"], chat())
        assert answer.startswith(b"HTTP/1.1 503")
        await scene.until(lambda: scene.told["a"].state is EngineState.READY)


@played
async def test_a_client_that_leaves_frees_its_place() -> None:
    """Where one slot is there, the next one is answered as soon as the first has gone."""
    async with a_scene() as scene:
        told = await scene.open("a", wanted=replace(pace(), load_s=0.01, slots=1), slow=5.0)
        reader, writer = await asyncio.open_connection(told.host, told.port)
        body = json.dumps(chat(stream=True, max_tokens=2000, ignore_eos=True)).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer secret\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await reader.readuntil(b"0:")
        writer.close()
        assert said(await post(told, chat(stream=True, max_tokens=2))).count(":") == 2
