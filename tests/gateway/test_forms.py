"""Forms: what is read of them, whoever wrote them, and that what could be read in two ways is refused."""

import json

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.gateway.decoded import Ask
from alliage.gateway.endpoints import ENDPOINTS
from alliage.gateway.forms import HEAD_BYTES_MAX, PARTS_MAX, VALUE_BYTES_MAX, form_of, read_form
from alliage.gateway.problems import Problem
from alliage.gateway.request import Request
from tests.gateway.house import KEY, house, post, route, run, table, upstream
from tests.gateway.upstream import Call, Engine

KIND = b"multipart/form-data; boundary=xx"
PATH = "/v1/audio/transcriptions"


def part(name: str, value: bytes, more: str = "", quote: str = '"') -> bytes:
    """One part as browsers and clients write it."""
    head = f"Content-Disposition: form-data; name={quote}{name}{quote}{more}"
    return b"--xx\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(parts) + b"--xx--\r\n"


FILE = part("file", b"RIFF\r\n--x\r\n", '; filename="a.wav"\r\nContent-Type: audio/wav')


@settings(deadline=None)
@given(
    file=st.binary(max_size=200),
    model=st.text(min_size=1, max_size=30),
    prompt=st.text(max_size=20),
    streams=st.booleans(),
)
def test_forms_of_a_real_client_are_read(file: bytes, model: str, prompt: str, *, streams: bool) -> None:
    """Httpx's own forms, whatever is in the file and the fields."""
    data = {"model": model, "prompt": prompt, "stream": str(streams).lower()}
    sent = httpx2.Request("POST", "http://h", data=data, files={"file": ("a b.wav", file, "audio/wav")})
    ask = read_form(sent.read(), sent.headers["content-type"].encode())
    assert isinstance(ask, Ask), ask
    assert (ask.model, ask.stream) == (model, streams)


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"--xx", b"\r\n", b"--", b"-", b":", b"a", b'name="model"', FILE]), max_size=12))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    """No body can raise out of the reader."""
    assert isinstance(read_form(b"".join(pieces), KIND), Ask | Problem)


@pytest.mark.parametrize(
    ("body", "model", "streams"),
    [
        (form(part("model", b"m")), "m", False),
        (form(FILE, part("model", b"m"), part("stream", b"True")), "m", True),
        (form(part("model", b"m", quote="")), "m", False),
        (form(part("model", b"first"), part("model", b"last")), "last", False),
        (form(part("model", b"m", "\r\nContent-Type: text/plain")) + b"epilogue", "m", False),
        (form(part("model", b"m"), part("prompt", b"y" * 5000)), "m", False),
    ],
)
def test_fields_are_found(body: bytes, model: str, *, streams: bool) -> None:
    """Quoted and bare names, in any order; of doubled fields the last counts."""
    ask = read_form(body, KIND)
    assert isinstance(ask, Ask), ask
    assert (ask.model, ask.stream) == (model, streams)


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (form(part("model", b"m")), b"multipart/form-data", "names no boundary"),
        (form(part("model", b"m")), b"multipart/form-data; boundary=y", "does not begin with the boundary"),
        (b"\r\n" + form(part("model", b"m")), KIND, "does not begin with the boundary"),
        (form(FILE), KIND, "no field `model`"),
        (form(part("model", b"\xff")), KIND, "not UTF-8"),
        (form(part("model", b"m"))[:-6], KIND, "does not end"),
        (b"--xx \t\r\n" + form(part("model", b"m")), KIND, "no line end"),
        (form(part("model", b"m", '; filename="x"')), KIND, "in one way only"),
        (form(part("model", b"m", "; name=other")), KIND, "in one way only"),
        (form(part('mo\\"del', b"m")), KIND, "in one way only"),
        (form(part("x", b"m", "; filename*=utf-8''a") + part("x", b"", "\n\r\nX: y")), KIND, "in one way only"),
        (form(part("x", b"m", '\r\nContent-Disposition: form-data; name="model"')), KIND, "in one way only"),
        (form(part("x", b"m", "\r\nContent-Disposition : y")), KIND, "in one way only"),
        (form(part("model", b"m" * (VALUE_BYTES_MAX + 1))), KIND, "longer than"),
        (form(part("x", b"m", "\r\nX: " + "y" * HEAD_BYTES_MAX)), KIND, "no head, or one of more than"),
        (form(*[part("x", b"")] * (PARTS_MAX + 1)), KIND, "more than 256 parts"),
    ],
)
def test_what_is_not_plain_is_refused(body: bytes, kind: bytes, said: str) -> None:
    """A form in which an engine could find another model than the gateway did gets a 400 that says why."""
    problem = read_form(body, kind)
    assert isinstance(problem, Problem), problem
    assert problem.status == 400
    assert said in problem.message


def test_forms_are_taken_where_files_are_sent_only() -> None:
    """Elsewhere, and of any other kind, a body is to be JSON."""
    for path, kind, taken in ((PATH, KIND, True), ("/v1/chat/completions", KIND, False), (PATH, b"text/plain", False)):
        request = Request(b"POST", path.encode(), "1.1", {b"content-type": kind}, True, 0)
        assert (form_of(request, ENDPOINTS[path.encode()]) is not None) is taken


def test_a_file_reaches_the_engine_byte_for_byte() -> None:
    """With the form's own Content-Type, so that the engine finds the boundary; the answer comes back."""

    async def hear(call: Call) -> None:
        await call.answer(json.dumps({"text": "hello", "usage": {"input_tokens": 7, "output_tokens": 2}}).encode())

    async def main() -> None:
        async with Engine(hear) as engine, house(table(1, route("m", upstream("a", engine.port)))) as place:
            body = form(part("model", b"m"), part("file", bytes(range(256)) * 300, '; filename="a.wav"'))
            extra = f"Content-Type: {KIND.decode()}\r\n"
            answer = await place.ask(post(body, PATH, extra=extra))
            assert answer.json["text"] == "hello"
            (call,) = engine.calls
            assert call.body == body
            assert (call.path, call.headers["content-type"]) == (PATH, KIND.decode())
            assert call.headers["authorization"] != f"Bearer {KEY}"
            metrics = await place.metrics()
            assert metrics['alliage_gateway_tokens_total{kind="prompt",service="m"}'] == 7
            refused = await place.ask(post(form(FILE), PATH, extra=extra))
            assert (refused.status, refused.code) == (400, "invalid_body")

    run(main())
