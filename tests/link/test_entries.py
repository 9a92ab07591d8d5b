"""The journal's bytes: what was whole is read, nothing else ever is, and a record says what its entry holds."""

from hypothesis import given
from hypothesis import strategies as st

from alliage.fleet.ids import KeyId, ReplicaId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry, Upstream
from alliage.fleet.usage import Ending, Origin, UsageRecord
from alliage.link.entries import (
    BEGIN,
    CONTINUED,
    END,
    ENDINGS,
    MARK,
    NAMES,
    OPEN,
    SO_FAR,
    TOLD,
    UNSEEN,
    WHOLE_BYTES_MAX,
    entries,
    entry,
    first_entry,
    lengths,
    names_payload,
    own_names,
    payload,
    put_begin,
    put_whole,
    read_begin,
    read_first,
    read_names,
    read_whole,
    request_check,
)
from alliage.link.stretches import record_of

_ORIGIN = Origin(model='a "model"', recipe="q4", engine="vllm", chip="nvidia-h20", site="here")
_WHO = KeyEntry(key=KeyId("k1"), tenant="Haus Süd", role=Role.USER, project="p")
_UPSTREAM = Upstream(
    replica=ReplicaId("r1"), host="h", port=1, key="secret", concurrency=1, is_rehearsed=True, origin=_ORIGIN
)
_NAMES = names_payload(_WHO, "m", "/v1/chat/completions", _UPSTREAM)
_REQUEST = b"req-1"
_counts = st.integers(0, 2**32 - 1)
_times = st.integers(0, 2**61)


def _whole(kind: int = END, first: int = 0, *, state: int = TOLD | 1, tpot_us: int = UNSEEN) -> bytes:
    data = bytearray(WHOLE_BYTES_MAX)
    size = put_whole(
        data, 0, kind, first, 0, 1_700_000_000_123_456, 7, 3, 21, 1_500_000, 250_000, tpot_us, 200, state, _REQUEST, request_check(_REQUEST)
    )  # fmt: skip
    return bytes(data[:size])


def _begin(names: int, began_us: int, request: bytes) -> bytes:
    data = bytearray(WHOLE_BYTES_MAX)
    return bytes(data[: put_begin(data, 0, names, began_us, request, request_check(request))])


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """An entry of a request, with anything in it."""
    request, names, began_us = draw(st.binary(max_size=128)), draw(_counts), draw(_times)
    if draw(st.booleans()):
        return _begin(names, began_us, request)
    data = bytearray(WHOLE_BYTES_MAX)
    size = put_whole(
        data, 0, draw(st.sampled_from((OPEN, END))), draw(_times), names, began_us, draw(_counts), draw(_counts), draw(_counts), draw(_times),
        draw(_times), draw(_times), draw(st.integers(0, 65535)), draw(st.integers(0, 255)), request, request_check(request),
    )  # fmt: skip
    return bytes(data[:size])


_framed = st.builds(entry, st.sampled_from((NAMES, MARK)), st.binary(max_size=60))
_entries = st.lists(_requests() | _framed, max_size=8)


def _found(data: bytes) -> list[bytes]:
    return [data[at : at + length] for at, _, length in entries(data)]


@given(_entries, st.integers(0, 3000), st.data())
def test_what_was_whole_is_read_wherever_it_is_cut(written: list[bytes], zeros: int, data: st.DataObject) -> None:
    """Cut anywhere, zeros or not behind it: the whole entries before the cut, in order, and no more."""
    ends = [sum(map(len, written[: number + 1])) for number in range(len(written))]
    whole = b"".join(written)
    cut = data.draw(st.integers(0, len(whole)))
    torn = whole[:cut] + bytes(zeros)
    assert _found(torn) == [
        each for each, end in zip(written, ends, strict=True) if end <= cut or torn[:end] == whole[:end]
    ]


@given(_entries.filter(bool), st.data())
def test_a_bit_that_flipped_ends_what_is_read(written: list[bytes], data: st.DataObject) -> None:
    """Nothing at or behind it is believed."""
    whole = bytearray(b"".join(written))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    before = 0
    while at >= len(written[before]):
        at -= len(written[before])
        before += 1
    assert _found(bytes(whole)) == written[:before]


def _record(data: bytes, place: int, words: bytes = _NAMES) -> UsageRecord:
    (at, _, length), *_ = entries(data)
    return record_of("abc", read_whole(data, at, length, place), read_names(words))


def test_a_record_says_all_that_was_written() -> None:
    """Every field, with times to the microsecond; its id is its journal and the place of its first entry."""
    assert _record(_whole(first=4711, tpot_us=20_000), 9000) == UsageRecord(
        id="abc-4711",
        request="req-1",
        tenant="Haus Süd",
        project="p",
        key=KeyId("k1"),
        service="m",  # type: ignore[arg-type]  # a plain text in the test
        endpoint="/v1/chat/completions",
        replica=ReplicaId("r1"),
        origin=_ORIGIN,
        is_rehearsed=True,
        began_s=1_700_000_000.123456,
        duration_s=1.5,
        ttft_s=0.25,
        tpot_s=0.02,
        prompt_tokens=7,
        cached_tokens=3,
        output_tokens=21,
        status=200,
        ending=Ending.FINISHED,
        is_continued=False,
        is_estimated=False,
    )
    assert b"secret" not in _NAMES


def test_what_nobody_saw_is_left_open() -> None:
    """No time to a first token, no replica, not told by an engine, continued: None, empty and flags; its own place is its id."""
    nobody = names_payload(None, "m", "/v1/completions", None)
    data = bytearray(WHOLE_BYTES_MAX)
    put_whole(data, 0, END, 0, 0, 1, 0, 0, 0, 5, UNSEEN, UNSEEN, 503, CONTINUED | 2, b"r", request_check(b"r"))
    record = _record(bytes(data), 17, nobody)
    assert (record.id, record.tenant, record.replica, record.origin) == ("abc-17", "", "", Origin())
    assert (record.ttft_s, record.tpot_s, record.is_estimated, record.is_continued) == (None, None, True, True)
    assert (record.ending, record.status) == (Ending.FAILED, 503)


def test_every_ending_has_its_place() -> None:
    """In the lower bits of a state."""
    assert set(ENDINGS) == set(Ending)
    for number, ending in enumerate(ENDINGS):
        assert _record(_whole(state=number), 1).ending is ending


def test_a_mark_moves_what_was_opened() -> None:
    """Tokens, times and state of the mark; who, when and which request of the beginning."""
    begun = _begin(3, 1_700_000_000_123_456, _REQUEST)
    one = read_begin(begun, 0, len(begun), 12)
    assert (one.names, one.began_us, one.output, one.state) == (3, 1_700_000_000_123_456, 0, 0)
    one.mark(SO_FAR.pack(12, 8, 0, 30, 2_000_000, 100_000, 200, 0))
    record = record_of("j", one, read_names(_NAMES))
    assert (record.id, record.request, record.prompt_tokens, record.output_tokens) == ("j-12", "req-1", 8, 30)
    assert (record.duration_s, record.ttft_s, record.tpot_s, record.ending) == (2.0, 0.1, None, Ending.CUT)


def test_entries_are_walked_without_reading_them() -> None:
    """Place, kind and length of each; a part of one at the end waits."""
    parts = [
        first_entry("j", 0),
        entry(NAMES, _NAMES),
        _begin(0, 1, b"r"),
        _whole(OPEN),
        entry(MARK, bytes(39)),
        _whole(),
    ]
    data = b"".join(parts)
    walked = list(lengths(data[:-1]))
    assert [length for _, _, length in walked] == [len(each) for each in parts[:-1]]
    assert [kind for _, kind, _ in walked][1:] == [NAMES, BEGIN, OPEN, MARK]
    assert own_names(data) == [_NAMES]


def test_a_segment_says_which_it_is() -> None:
    """Its journal, its place, its format; nonsense is none."""
    data = first_entry("abc", 4096)
    first = read_first(payload(data, 0, len(data)))
    assert first is not None
    assert (first.journal, first.start, first.format) == ("abc", 4096, 2)
    assert read_first(b"{]") is None
