"""The journal's entries as bytes. Pure.

An entry is its length, its kind, the payload, and the CRC-32 of these; all numbers little-endian. Bytes that were never written
are zeros, so an entry of length 0 ends what can be read, and so does one whose CRC is not that of its bytes.
No entry holds anything of a prompt or an answer.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final
from zlib import crc32

import msgspec

from alliage.fleet.routing import KeyEntry, Upstream
from alliage.fleet.usage import UNKNOWN_ORIGIN, Ending, Origin

FORMAT: Final = 1
"""Moves when an older reader would misread; a journal of another one is left alone."""
FIRST: Final = 1
"""The first entry of a segment: its journal, its place in it, the format."""
NAMES: Final = 2
"""Who, what and where, in words; the entries behind it in the same segment say its number, the first is 0."""
OPEN: Final = 3
"""A request began, or is written again as it stands now: a `WHOLE`. Its id is the place of its first entry, 0 for this one."""
MARK: Final = 4
"""How far an open request is: `SO_FAR`."""
END: Final = 5
"""A request's record: a `WHOLE`."""

_HEAD: Final = struct.Struct("<IB")
_HEAD_BYTES: Final = _HEAD.size
_CRC_BYTES: Final = 4
FRAME_BYTES: Final = _HEAD_BYTES + _CRC_BYTES
"""Of an entry, beside its payload."""
WHOLE: Final = struct.Struct("<QIQIIIQQQHB")
"""Id, number of the names, began, tokens of prompt, cached and output, duration, TTFT, TPOT, status, state; the request id follows.

Times are microseconds: whole numbers are turned into text five times as fast as floating ones.
"""
SO_FAR: Final = struct.Struct("<QIIIQQHB")
"""Id, tokens of prompt, cached and output, duration, TTFT, status, state."""
_WHOLE_HEAD: Final = struct.Struct("<IBQIQIIIQQQHB")
_WHOLE_BYTES: Final = _WHOLE_HEAD.size + _CRC_BYTES
WHOLE_BYTES_MAX: Final = _WHOLE_BYTES + 128
"""Request ids have 128 characters at most."""

ENDINGS: Final = (Ending.CUT, Ending.FINISHED, Ending.FAILED, Ending.CANCELLED)
"""By the lower bits of a state; `CUT` is what becomes of those that are open."""
ENDING_BITS: Final = 0x0F
CONTINUED: Final = 0x10
TOLD: Final = 0x20
"""The engine told these tokens."""
UNSEEN: Final = 2**64 - 1
"""A duration that nobody saw."""


class First(msgspec.Struct, frozen=True, array_like=True):
    """What a segment begins with."""

    format: int
    journal: str
    start: int


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a record that many requests have in common."""

    tenant: str
    project: str
    key: str
    service: str
    endpoint: str
    replica: str
    origin: Origin
    is_rehearsed: bool


_encode: Final = msgspec.json.Encoder().encode
_decode_names: Final = msgspec.json.Decoder(Names).decode
_decode_first: Final = msgspec.json.Decoder(First).decode


def entry(kind: int, payload: bytes) -> bytes:
    """A whole entry."""
    data = _HEAD.pack(FRAME_BYTES + len(payload), kind) + payload
    return data + crc32(data).to_bytes(_CRC_BYTES, "little")


def whole_entry(  # noqa: PLR0917 - data path
    kind: int,
    first: int,
    names: int,
    began_us: int,
    prompt: int,
    cached: int,
    output: int,
    duration_us: int,
    ttft_us: int,
    tpot_us: int,
    status: int,
    state: int,
    request: bytes,
) -> bytes:
    """An entry with a `WHOLE`, made in one go."""
    data = _WHOLE_HEAD.pack(
        _WHOLE_BYTES + len(request), kind, first, names, began_us, prompt, cached, output, duration_us, ttft_us, tpot_us, status, state,
    ) + request  # fmt: skip
    return data + crc32(data).to_bytes(_CRC_BYTES, "little")


def first_entry(journal: str, start: int) -> bytes:
    """What a segment begins with."""
    return entry(FIRST, _encode(First(FORMAT, journal, start)))


def names_payload(who: KeyEntry | None, service: str, endpoint: str, upstream: Upstream | None) -> bytes:
    """The names as JSON, which is also how a record says them."""
    return _encode(
        Names(
            tenant="" if who is None else who.tenant,
            project="" if who is None else who.project,
            key="" if who is None else who.key,
            service=service,
            endpoint=endpoint,
            replica="" if upstream is None else upstream.replica,
            origin=UNKNOWN_ORIGIN if upstream is None else upstream.origin,
            is_rehearsed=upstream is not None and upstream.is_rehearsed,
        )
    )


def entries(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Place in `data`, kind and payload of each entry that can be read."""
    at, limit = 0, len(data)
    while at + FRAME_BYTES <= limit:
        length, kind = _HEAD.unpack_from(data, at)
        end = at + length
        if length < FRAME_BYTES or end > limit:
            return
        covered = end - _CRC_BYTES
        if crc32(data[at:covered]) != int.from_bytes(data[covered:end], "little"):
            return
        yield at, kind, data[at + _HEAD_BYTES : covered]
        at = end


def own_names(data: bytes) -> list[bytes]:
    """The names among whole entries that this process wrote."""
    names: list[bytes] = []
    start = 0
    while start < len(data):
        length, kind = _HEAD.unpack_from(data, start)
        if kind == NAMES:
            names.append(data[start + _HEAD_BYTES : start + length - _CRC_BYTES])
        start += length
    return names


def own_records(data: bytes, at: int, journal: bytes, names: list[bytes], records_max: int) -> tuple[list[bytes], int]:
    """The records of whole entries as JSON, and where the first is that was not read. The names among them are added to `names`.

    `data` was written by this process, so it is not checked; its first byte has the place `at`.
    """
    records: list[bytes] = []
    start, limit = 0, len(data)
    while start + FRAME_BYTES <= limit and len(records) < records_max:
        length, kind = _HEAD.unpack_from(data, start)
        end = start + length
        if end > limit:
            break
        if kind == END:
            payload = data[start + _HEAD_BYTES : end - _CRC_BYTES]
            records.append(record_json(journal, at + start, payload, names))
        elif kind == NAMES:
            names.append(data[start + _HEAD_BYTES : end - _CRC_BYTES])
        start = end
    return records, at + start


def read_first(payload: bytes) -> First | None:
    """A segment's beginning; None where it is no such thing."""
    try:
        return _decode_first(payload)
    except msgspec.MsgspecError:
        return None


def check_names(payload: bytes) -> Names:
    """The names as a value; raises MsgspecError for what are none."""
    return _decode_names(payload)


_RECORD: Final = (
    b'{"id":"%b-%d","request":"%b",%b,"began_s":%de-6,"prompt_tokens":%d,"cached_tokens":%d,"output_tokens":%d,'
    b'"duration_s":%de-6,"ttft_s":%b,"tpot_s":%b,"status":%d,"ending":"%b","is_continued":%b,"is_estimated":%b}'
)
_ENDING_WORDS: Final = tuple(each.value.encode() for each in ENDINGS)


def record_json(journal: bytes, place: int, payload: bytes, names: Sequence[bytes]) -> bytes:
    """A `WHOLE` payload as the JSON of a UsageRecord; `names` are the payloads of those in its segment.

    Made as text, because making the record as a value first would cost several times as much a request.
    """
    first, number, began_us, prompt, cached, output, duration_us, ttft_us, tpot_us, status, state = WHOLE.unpack_from(
        payload
    )
    return _RECORD % (
        journal, first or place, payload[WHOLE.size :], names[number][1:-1], began_us, prompt, cached, output, duration_us,
        b"null" if ttft_us == UNSEEN else b"%de-6" % ttft_us, b"null" if tpot_us == UNSEEN else b"%de-6" % tpot_us,
        status, _ENDING_WORDS[state & ENDING_BITS],
        b"true" if state & CONTINUED else b"false", b"false" if state & TOLD else b"true",
    )  # fmt: skip


def with_mark(payload: bytes, mark: bytes) -> bytes:
    """An `OPEN` payload as far as a later mark of it says."""
    first, names, began_us, *_ = WHOLE.unpack_from(payload)
    _, prompt, cached, output, duration_us, ttft_us, status, state = SO_FAR.unpack(mark)
    whole = WHOLE.pack(first, names, began_us, prompt, cached, output, duration_us, ttft_us, UNSEEN, status, state)
    return whole + payload[WHOLE.size :]
