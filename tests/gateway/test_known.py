"""Known heads: each request is found by its own head and by no other, whichever were learned, and only as long as the table stands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.gateway.heads import Cut, cut, may_be_known
from alliage.gateway.known import KNOWN_MAX, KnownHeads, is_between
from alliage.gateway.request import Request
from tests.gateway.house import KEY, chat_body, house, post, route, run, table, upstream
from tests.gateway.upstream import Engine

_BODY_MAX = 64
_PARTS = st.lists(
    st.sampled_from([b"a", b"b", b"ab", b"\0", b"\xff", b"0", b"\r\nContent-Length: ", b"\r\n\r\n"]), max_size=4
)
_HEADS = st.tuples(_PARTS.map(b"".join), _PARTS.map(b"".join))
"""What stands before the length and after it; of few letters, so that heads share much."""


def _message(before: bytes, after: bytes, body: bytes = b"") -> bytes:
    return b"POST /%b\r\nContent-Length: %d%b\r\n\r\n%b" % (before, len(body), after, body)


def _is_plain(found: Cut, data: bytes) -> bool:
    """Whether its length has no leading zeros: others are left to the parser."""
    return data.startswith(b"%b%d\r" % (found.spelling.before, found.length))


def _learn(heads: KnownHeads, data: bytes) -> bytes | None:
    """Its key where it may be learned; the request that it is remembered by has it as its path."""
    found = cut(data)
    if found is None or not may_be_known(found.key):
        return None
    heads.learn(found.spelling, Request(b"POST", found.key, "1.1", {}, True, 0))
    return found.key


def _taken(heads: KnownHeads, data: bytes) -> tuple[bytes, bytes] | None:
    """The key of the head that it was known by, and its body."""
    request = heads.take(data, _BODY_MAX)
    return None if request is None else (request.path, request.body)


@given(learned=st.lists(_HEADS, max_size=12), asked=st.lists(_HEADS, max_size=4), body=st.binary(max_size=12))
def test_a_head_is_found_if_it_was_learned(
    learned: list[tuple[bytes, bytes]], asked: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """In whatever order heads were learned, each is found by a message with just its head, and by no other message."""
    heads = KnownHeads()
    keys = {key for head in learned if (key := _learn(heads, _message(*head))) is not None}
    for head in (*learned, *asked):
        data = _message(*head, body)
        found = cut(data)
        is_known = found is not None and found.key in keys and _is_plain(found, data)
        assert _taken(heads, data) == ((found.key, body) if found is not None and is_known else None)


@given(
    learned=st.lists(_HEADS, min_size=1, max_size=6),
    at=st.integers(0, 60),
    change=st.binary(max_size=2),
    cuts=st.integers(0, 2),
)
def test_a_message_with_any_other_byte_is_not_known(
    learned: list[tuple[bytes, bytes]], at: int, change: bytes, cuts: int
) -> None:
    """Bytes changed, put in or left out anywhere: what is taken is what `cut` says of it, and has a key that was learned."""
    heads = KnownHeads()
    keys = {key for head in learned if (key := _learn(heads, _message(*head))) is not None}
    plain = _message(*learned[0], b"hello")
    data = plain[:at] + change + plain[at + cuts :]
    taken, found = _taken(heads, data), cut(data)
    if taken is not None:
        assert found is not None
        assert found.key in keys
        assert taken == (found.key, data[len(data) - found.length :])


_LEARNED = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer key-1\r\nContent-Length: 5\r\n\r\nhello"
)


@pytest.mark.parametrize(
    "data",
    [
        _LEARNED.replace(b"key-1", b"key-2"),
        _LEARNED.replace(b"key-1", b"key-10"),
        _LEARNED.replace(b"key-1", b"key-"),
        _LEARNED.replace(b"Content", b"Xontent"),
        _LEARNED.replace(b"Content", b"content"),
        _LEARNED.replace(b": 5\r\n", b": 05\r\n"),
        _LEARNED.replace(b": 5\r\n", b": 4\r\n"),
        _LEARNED.replace(b": 5\r\n", b": 6\r\n"),
        _LEARNED.replace(b": 5\r\n", b": 5 \r\n"),
        _LEARNED.replace(b": 5\r\n", b": 5\r\nContent-Length: 5\r\n"),
        _LEARNED.replace(b": 5\r\n", b": 5\r\nTransfer-Encoding: chunked\r\n"),
        _LEARNED.replace(b": 5\r\n", b": 99999999999999999999\r\n"),
        _LEARNED.replace(b": 5\r\n", b": \r\n"),
        _LEARNED.replace(b"\r\n\r\n", b"\n\n"),
        _LEARNED[:-1],
        _LEARNED[: _LEARNED.index(b": 5") + 2],
        _LEARNED[:40],
        b"",
        _LEARNED + b"!",
        _LEARNED + _LEARNED,
        b"\r\n" + _LEARNED,
    ],
)
def test_look_alikes_are_left_to_the_parser(data: bytes) -> None:
    """Another key or one that begins alike, another name, another spelling of the length, too little and too much."""
    heads = KnownHeads()
    assert _learn(heads, _LEARNED) is not None
    assert _learn(heads, _LEARNED.replace(b"key-1", b"key-3")) is not None
    assert heads.take(_LEARNED, _BODY_MAX) is not None
    assert heads.take(data, _BODY_MAX) is None


def test_heads_that_differ_behind_the_length_only_are_told_apart() -> None:
    """As behind a balancer that writes each client's address there."""
    heads = KnownHeads()
    asked = [_message(b"", b"\r\nX-Forwarded-For: 10.0.0.%d" % number, b"hi") for number in range(30)]
    keys = [_learn(heads, data) for data in asked[:20]]
    assert [_taken(heads, data) for data in asked] == [*((key, b"hi") for key in keys), *[None] * 10]


def test_what_is_known_or_never_found_counts_once() -> None:
    """Else one client could have all that others taught forgotten: by the same head again, or by lengths that are spelled oddly."""
    heads = KnownHeads()
    assert _learn(heads, _message(b"", b"")) is not None
    for _ in range(3):
        _learn(heads, _message(b"", b""))
        assert _learn(heads, _message(b"", b"", b"hello").replace(b": 5", b": 05")) is None
    assert len(heads) == 1


def test_a_body_that_is_larger_than_asked_for_is_not_taken() -> None:
    """The bound is the body's, and inclusive."""
    heads = KnownHeads()
    _learn(heads, _message(b"", b""))
    assert heads.take(_message(b"", b"", b"x" * _BODY_MAX), _BODY_MAX) is not None
    assert heads.take(_message(b"", b"", b"x" * (_BODY_MAX + 1)), _BODY_MAX) is None


def test_no_more_are_remembered_than_that() -> None:
    """The one too many is learned after all others were forgotten, in whatever order they come."""
    for step in (1, 7, KNOWN_MAX - 1):
        heads = KnownHeads()
        messages = [_message(b"%05d" % (number * step % (KNOWN_MAX + 1)), b"") for number in range(KNOWN_MAX + 1)]
        for data in messages[:-1]:
            _learn(heads, data)
        assert all(heads.take(data, _BODY_MAX) is not None for data in messages[:-1])
        _learn(heads, messages[-1])
        assert [heads.take(data, _BODY_MAX) is not None for data in messages] == [*[False] * KNOWN_MAX, True]


@given(st.binary(max_size=6), st.integers(0, 8), st.integers(0, 8), st.binary(max_size=3))
def test_a_text_stands_where_a_copy_would_be_equal(data: bytes, start: int, end: int, text: bytes) -> None:
    """The same as comparing a slice, within the data."""
    if start <= end <= len(data):
        assert is_between(data, start, end, text) == (data[start:end] == text)


def test_clients_of_many_kinds_take_turns_on_one_connection() -> None:
    """Behind a balancer each request has another head: each is let in by its own key, gets its own answer, and its engine its own headers."""

    async def main() -> None:
        keys = ("key-1", "key-2", "key-12")
        async with Engine() as engine, house(table(1, route("m", upstream("a", engine.port)), keys=keys)) as place:
            wire = await place.dial()
            kinds = [(key, accept) for key in keys for accept in ("application/json", "text/x", "*/*")]
            for turn in range(3):
                for key, accept in (*kinds, *kinds[::-1]):
                    body = chat_body(user=f"{turn} {key} {accept}")
                    await wire.send(post(body, key=key, extra=f"Accept: {accept}\r\n"))
                    assert (await wire.answer()).status == 200
                    call = engine.calls[-1]
                    assert (call.body, call.headers["accept"]) == (body, accept)
                    await wire.send(post(body, key=key[:-1] + "3", extra=f"Accept: {accept}\r\n"))
                    assert (await wire.answer()).status in {401, 429}
            assert len({call.headers["x-request-id"] for call in engine.calls}) == len(engine.calls) == 54

    run(main())


def test_a_known_head_is_refused_once_its_key_is_revoked() -> None:
    """From the next request after the new table, on the connection that it was known on and on others; another key goes on."""

    async def main() -> None:
        async with Engine() as engine:
            routes = (route("m", upstream("a", engine.port)),)
            async with house(table(1, *routes, keys=(KEY, "other"))) as place:
                wire = await place.dial()
                for _ in range(2):
                    for key in (KEY, "other"):
                        await wire.send(post(chat_body(), key=key))
                        assert (await wire.answer()).status == 200
                await place.control.swap(table(2, *routes, keys=("other",)))
                await wire.send(post(chat_body()))
                assert (await wire.answer()).code == "invalid_api_key"
                assert (await place.chat()).code == "invalid_api_key"
                await wire.send(post(chat_body(), key="other"))
                assert (await wire.answer()).status == 200
                await place.control.swap(table(3, *routes))
                await wire.send(post(chat_body()))
                assert (await wire.answer()).status == 200

    run(main())


def test_who_waits_behind_another_request_is_judged_by_the_table_of_its_turn() -> None:
    """Two requests in one read: while the first is held the second one's key is revoked."""

    async def main() -> None:
        waiting = route("m", waiting="It starts.")
        async with house(table(1, waiting, keys=(KEY, "other"))) as place:
            wire = await place.dial()
            await wire.send(post(chat_body()) + post(chat_body(), key="other"))
            await place.holds(1)
            await place.control.swap(table(2, replace(waiting, waiting="", refusal="It is gone.")))
            assert (await wire.answer()).status == 503
            assert (await wire.answer()).code == "invalid_api_key"

    run(main())


def test_what_takes_no_body_is_told_so_each_time() -> None:
    """A request without one does not stand for the next, which has one."""

    async def main() -> None:
        async with house(table(1)) as place:
            wire = await place.dial()
            for length, status in ((0, 200), (5, 400), (0, 200)):
                wire = await place.dial()
                await wire.send(
                    b"GET /health HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (length, b"x" * length)
                )
                assert (await wire.answer()).status == status

    run(main())
