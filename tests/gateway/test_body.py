"""Request bodies: what is read of them and what is added to them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.gateway.body import find_usage, read_ask, read_usage, with_usage
from alliage.gateway.decoded import Ask
from alliage.gateway.problems import Problem

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.text(max_size=6) | st.sampled_from(["stream", "messages", '"stream_options":', "{", "}}"])
_OPTIONS = st.none() | st.dictionaries(st.text(max_size=6) | st.just("include_usage\u00e9"), _JSON, max_size=3).flatmap(
    lambda members: st.sampled_from([None, True, False, "absent"]).map(
        lambda asked: members if asked == "absent" else {**members, "include_usage": asked}
    )
)


@st.composite
def _documents(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A request body in one of JSON's many spellings, and what it means."""
    members: list[tuple[str, Any]] = list(draw(st.dictionaries(_NAMES, _JSON, max_size=4)).items())
    members = [(name, value) for name, value in members if name not in {"model", "stream", "stream_options"}]
    members.append(("model", draw(st.text(max_size=8))))
    members += [("stream_options", options) for options in draw(st.lists(_OPTIONS, max_size=2))]  # doubled: last counts
    members = draw(st.permutations(members))
    ascii_only, space = draw(st.booleans()), draw(st.sampled_from(["", " ", "\n\t", "\r\n  "]))

    def spell(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, indent=draw(st.sampled_from([None, 2])))

    inside = ",".join(f"{space}{spell(name)}{space}:{space}{spell(value)}{space}" for name, value in members)
    return f"{space}{{{inside}}}{space}".encode("utf-8", "surrogatepass"), dict(members)


@settings(deadline=None)
@given(_documents())
def test_usage_is_asked_for_and_nothing_else_changes(document: tuple[bytes, dict[str, Any]]) -> None:
    """Whatever JSON comes, the spliced body means the same with include_usage true, and names no member twice more."""
    body, meant = document
    ask = read_ask(body)
    assert isinstance(ask, Ask), ask
    spliced = with_usage(body, ask)
    options = {**(meant.get("stream_options") or {}), "include_usage": True}
    assert json.loads(spliced) == {**meant, "stream_options": options}
    pairs = json.loads(spliced, object_pairs_hook=lambda found: found)
    assert [name for name, _ in pairs].count("stream_options") == 1
    assert ask.wants_usage == ((meant.get("stream_options") or {}).get("include_usage") is True)


def test_bytes_stay_where_no_options_were() -> None:
    """Without stream options the body only grows behind its brace: numbers and spaces stay as the client wrote them."""
    body = b' {"model": "m", "n": 1.50e0, "t":"{\\u0041"}\n'
    ask = read_ask(body)
    assert isinstance(ask, Ask)
    added = b'"stream_options":{"include_usage":true},'
    assert with_usage(body, ask) == body[:2] + added + body[2:]


def test_a_written_name_may_hide_behind_escapes() -> None:
    """A member's name spelled with escapes is the same member."""
    body = b'{"model":"m","stream\\u005foptions":{"x":1e2},"stream":true}'
    ask = read_ask(body)
    assert isinstance(ask, Ask)
    assert json.loads(with_usage(body, ask))["stream_options"] == {"x": 100.0, "include_usage": True}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"[1]", "Expected `object`, got `array`"),
        (b'"text"', "Expected `object`, got `str`"),
        (b"{}", "missing required field `model`"),
        (b'{"model":7}', "at `$.model`"),
        (b'{"model":"m","stream":"yes"}', "at `$.stream`"),
        (b'{"model":"m","stream_options":3}', "at `$.stream_options`"),
        (b'{"model":"m","stream_options":{"include_usage":"x"}}', "at `$.stream_options.include_usage`"),
        (b'{"model":"m",}', "malformed"),
        (b'{"model":"m"', "truncated"),
        (b'{"model":"m"} x', "trailing characters"),
        (b'{"model":"\xff"}', "not UTF-8 at byte 10"),
        (b'{"model":"m","x":"a\xffb"}', "not UTF-8 at byte 19"),
        (b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_bad_body_is_told_what_and_where(body: bytes, said: str) -> None:
    """Each kind of unusable body gets a 400 that says what is wrong with it."""
    problem = read_ask(body)
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (400, "invalid_body")
    assert said in problem.message


@settings(deadline=None)
@given(st.binary(max_size=60) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No body can raise out of the reader."""
    assert isinstance(read_ask(body), Ask | Problem)
    assert min(read_usage(body)) >= 0


@pytest.mark.parametrize(
    ("piece", "tokens"),
    [
        (b'... ,"usage":{"prompt_tokens":3,"completion_tokens":5}', (3, 5, 0)),
        (b'"usage" : {"details":{"cached_tokens":1},"prompt_tokens":3}, "x":{', (3, 0, 0)),
        (b'"usage":{"prompt_tokens":3}, ... "usage":{"prompt_tokens":4}', (4, 0, 0)),
        (b'"usage":{"prompt_tokens":3', None),
        (b'"usage":null', None),
        (b'"text":"\\"usage\\":{}"', None),
        (b'"usage":{' + b'"x":1,' * 1000 + b'"prompt_tokens":3}', None),
        (b"", None),
    ],
)
def test_usage_is_found_in_a_piece(piece: bytes, tokens: tuple[int, int, int] | None) -> None:
    """The last whole usage object of a piece counts; texts that speak of one do not."""
    assert find_usage(piece) == tokens


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        (b'{"usage":{"prompt_tokens":3,"completion_tokens":5}}', (3, 5, 0)),
        (b'{"usage":{"prompt_tokens":3}}', (3, 0, 0)),
        (b'{"usage":{"prompt_tokens":-3,"completion_tokens":"5"}}', (0, 0, 0)),
        (b'{"usage":null}', (0, 0, 0)),
        (b"no json", (0, 0, 0)),
    ],
)
def test_tokens_come_from_usage(answer: bytes, tokens: tuple[int, int, int]) -> None:
    """Counts are taken from a whole answer, zeros where it tells none."""
    assert read_usage(answer) == tokens
