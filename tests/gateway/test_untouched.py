"""What clients send beyond the fields that are read reaches the engine as it came, byte for byte, on every path."""

import json

import pytest

from alliage.catalog.records import Task
from alliage.fleet.routing import RoutingTable
from alliage.gateway.endpoints import RELAYED
from tests.gateway.house import house, post, route, run, table, upstream
from tests.gateway.upstream import Call, Engine, stream_of

_PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8=", "detail": "low"}}
_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}}
_MORE: dict[str, object] = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "h\u00e9 \U0001f600"}, _PICTURE]}],
    "tools": [_TOOL],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": {}}},
    "logprobs": True,
    "top_logprobs": 3,
    "n": 2,
    "seed": 18446744073709551615,
    "temperature": 0.10,
    "unknown_to_everybody": {"deep": [[[{"x": None}]]], "1e400": "1E+2"},
}
_SPELLED = (
    b'  {"model" : "m", "seed":1e0 , "big":123456789012345678901234567890, "x":1.50,\n\t"y":"\\u00e9\\/" , "z":{} }\r\n'
)
"""As no encoder would write it again."""


def _table(engine: Engine) -> RoutingTable:
    return table(1, route("m", upstream("a", engine.port), tasks=tuple(Task)))


@pytest.mark.parametrize("path", [endpoint.path.decode() for endpoint in RELAYED])
def test_a_body_reaches_the_engine_as_it_came(path: str) -> None:
    """Tools, pictures, guided output, log-probabilities, several answers, seeds, and what nobody knows."""

    async def main() -> None:
        async def hear(call: Call) -> None:
            await call.answer(b'{"as":"it came", "1e0":1e0}')

        async with Engine(hear) as engine, house(_table(engine)) as place:
            for ascii_only in (True, False):
                body = json.dumps({"model": "m", **_MORE}, ensure_ascii=ascii_only).encode()
                assert (await place.ask(post(body, path))).body == b'{"as":"it came", "1e0":1e0}'
                assert engine.calls[-1].body == body
            assert (await place.ask(post(_SPELLED, path))).status == 200
            assert engine.calls[-1].body == _SPELLED
            assert {call.path for call in engine.calls} == {path}

    run(main())


@pytest.mark.parametrize("path", [endpoint.path.decode() for endpoint in RELAYED if not endpoint.streams])
def test_a_stream_of_another_api_is_not_asked_for_usage(path: str) -> None:
    """`stream_options` belong to chat and text completions: elsewhere nothing is put in, and nothing is taken out."""
    events = (b'event: x\ndata: {"choices":[],"usage":{"output_tokens":3}}\n\n', b": ping\n\n", b"data: [DONE]\n\n")

    async def main() -> None:
        async with Engine(stream_of(events)) as engine, house(_table(engine)) as place:
            body = json.dumps({"model": "m", "stream": True, **_MORE}).encode()
            assert (await place.ask(post(body, path))).body == b"".join(events)
            assert engine.calls[-1].body == body

    run(main())


def test_options_of_a_stream_stay_beside_the_question_for_usage() -> None:
    """The one thing that is added; what the client asked of its stream is still asked, each member as it was spelled."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("a", engine.port)))) as place:
            options = b'{"continuous_usage_stats":false ,"other":1.50}'
            body = b'{"model":"m","seed":1e0,"stream":true,"stream_options":%b}' % options
            assert (await place.ask(post(body))).status == 200
            assert b'"seed":1e0' in engine.calls[-1].body
            assert b'"continuous_usage_stats":false,"other":1.50,"include_usage":true' in engine.calls[-1].body

    run(main())
