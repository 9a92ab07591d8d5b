"""The journal's bytes: what was whole is read, nothing else ever is, and a record says what its entry holds."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alliage.fleet.ids import KeyId, ReplicaId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry, Upstream
from alliage.fleet.usage import Ending, Origin, UsageRecord
from alliage.gateway.books.entries import (
    CONTINUED,
    END,
    ENDINGS,
    MARK,
    NAMES,
    OPEN,
    SO_FAR,
    TOLD,
    UNSEEN,
    entries,
    entry,
    first_entry,
    names_payload,
    own_names,
    own_records,
    read_first,
    record_json,
    whole_entry,
    with_mark,
)

_ORIGIN = Origin(model='a "model"', recipe="q4", engine="vllm", chip="nvidia-h20", site="here")
_WHO = KeyEntry(key=KeyId("k1"), tenant="Haus Süd", role=Role.USER, project="p")
_UPSTREAM = Upstream(
    replica=ReplicaId("r1"), host="h", port=1, key="secret", concurrency=1, is_rehearsed=True, origin=_ORIGIN
)
_NAMES = names_payload(_WHO, "m", "/v1/chat/completions", _UPSTREAM)
_payloads = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=60)), max_size=8)


def _whole(kind: int = END, first: int = 0, *, state: int = TOLD | 1, tpot_us: int = UNSEEN) -> bytes:
    return whole_entry(
        kind, first, 0, 1_700_000_000_123_456, 7, 3, 21, 1_500_000, 250_000, tpot_us, 200, state, b"req-1"
    )


def _record(data: bytes) -> UsageRecord:
    return msgspec.json.decode(data, type=UsageRecord)


@given(_payloads, st.integers(0, 3000), st.data())
def test_what_was_whole_is_read_wherever_it_is_cut(
    payloads: list[tuple[int, bytes]], zeros: int, data: st.DataObject
) -> None:
    """Cut anywhere, zeros or not behind it: the whole entries before the cut, in order, and no more."""
    written = [entry(kind, payload) for kind, payload in payloads]
    ends = [sum(map(len, written[: number + 1])) for number in range(len(written))]
    whole = b"".join(written)
    cut = data.draw(st.integers(0, len(whole)))
    torn = whole[:cut] + bytes(zeros)
    found = [(kind, payload) for _, kind, payload in entries(torn)]
    assert found == [each for each, end in zip(payloads, ends, strict=True) if end <= cut or not any(whole[cut:end])]


@given(_payloads.filter(bool), st.data())
def test_a_bit_that_flipped_ends_what_is_read(payloads: list[tuple[int, bytes]], data: st.DataObject) -> None:
    """Nothing at or behind it is believed."""
    written = [entry(kind, payload) for kind, payload in payloads]
    whole = bytearray(b"".join(written))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    before = 0
    while at >= len(written[before]):
        at -= len(written[before])
        before += 1
    found = [(kind, payload) for _, kind, payload in entries(bytes(whole))]
    assert found == payloads[:before]


def test_a_record_says_all_that_was_written() -> None:
    """Every field, with times to the microsecond; its id is its journal and the place of its first entry."""
    (_, _, payload), *_ = entries(_whole(first=4711, tpot_us=20_000))
    record = _record(record_json(b"abc", 9000, payload, [_NAMES]))
    assert record == UsageRecord(
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
    """No time to a first token, no replica, not told by an engine, continued: as null, empty and flags; its own place is its id."""
    nobody = names_payload(None, "m", "/v1/completions", None)
    data = whole_entry(END, 0, 0, 1, 0, 0, 0, 5, UNSEEN, UNSEEN, 503, CONTINUED | 2, b"r")
    (_, _, payload), *_ = entries(data)
    record = _record(record_json(b"abc", 17, payload, [nobody]))
    assert (record.id, record.tenant, record.replica, record.origin) == ("abc-17", "", "", Origin())
    assert (record.ttft_s, record.tpot_s, record.is_estimated, record.is_continued) == (None, None, True, True)
    assert (record.ending, record.status) == (Ending.FAILED, 503)


def test_every_ending_has_its_place() -> None:
    """In the lower bits of a state."""
    assert set(ENDINGS) == set(Ending)
    for number, ending in enumerate(ENDINGS):
        data = _whole(state=number)
        (_, _, payload), *_ = entries(data)
        assert _record(record_json(b"j", 1, payload, [_NAMES])).ending is ending


def test_a_mark_moves_what_was_opened() -> None:
    """Tokens, times and state of the mark; who, when and which request of the opening."""
    opened = _whole(OPEN, 12, state=0)
    (_, _, payload), *_ = entries(opened)
    mark = SO_FAR.pack(12, 8, 0, 30, 2_000_000, 100_000, 200, 0)
    record = _record(record_json(b"j", 1, with_mark(payload, mark), [_NAMES]))
    assert (record.id, record.request, record.prompt_tokens, record.output_tokens) == ("j-12", "req-1", 8, 30)
    assert (record.duration_s, record.ttft_s, record.ending) == (2.0, 0.1, Ending.CUT)


def test_a_writer_reads_its_own_records_in_steps() -> None:
    """As many as are asked for, from where it stopped, with the names on the way; a part of an entry at the end waits."""
    data = first_entry("j", 0) + entry(NAMES, _NAMES) + _whole(OPEN) + _whole() + entry(MARK, bytes(43)) + _whole()
    names: list[bytes] = []
    one, at = own_records(data, 0, b"j", names, 1)
    assert len(one) == 1
    assert names == [_NAMES]
    assert own_names(data[:at]) == [_NAMES]
    two, end = own_records(data[at:-1], at, b"j", names, 5)
    assert two == []
    three, last = own_records(data[end:], end, b"j", names, 5)
    assert last == len(data)
    assert [_record(each).id for each in one + three] == [f"j-{at - len(_whole())}", f"j-{end}"]


def test_a_segment_says_which_it_is() -> None:
    """Its journal, its place, its format; nonsense is none."""
    (_, _, payload), *_ = entries(first_entry("abc", 4096))
    first = read_first(payload)
    assert first is not None
    assert (first.journal, first.start, first.format) == ("abc", 4096, 1)
    assert read_first(b"{]") is None
