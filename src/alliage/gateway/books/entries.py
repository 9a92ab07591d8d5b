"""The journal's entries as bytes. Pure.

An entry is its length, the CRC-32 of kind and payload, its kind, and the payload; all numbers little-endian. Bytes that were never
written are zeros, so an entry of length 0 ends what can be read, and so does one whose CRC is not that of its bytes.
No entry holds anything of a prompt or an answer.
"""

import struct
from collections.abc import Iterator
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

_HEAD: Final = struct.Struct("<IIB")
HEAD_BYTES: Final = _HEAD.size
WHOLE: Final = struct.Struct("<QIdIIIdddHB")
"""Id, number of the names, began, tokens of prompt, cached and output, duration, TTFT, TPOT, status, state; the request id follows."""
SO_FAR: Final = struct.Struct("<QIIIddHB")
"""Id, tokens of prompt, cached and output, duration, TTFT, status, state."""
WHOLE_BYTES_MAX: Final = HEAD_BYTES + WHOLE.size + 128
"""Request ids have 128 characters at most."""

ENDINGS: Final = (Ending.CUT, Ending.FINISHED, Ending.FAILED, Ending.CANCELLED)
"""By the lower bits of a state; `CUT` is what becomes of those that are open."""
ENDING_BITS: Final = 0x0F
CONTINUED: Final = 0x10
TOLD: Final = 0x20
"""The engine told these tokens."""
UNSEEN: Final = float("nan")
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
    return _HEAD.pack(len(payload), crc32(payload, kind), kind) + payload


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


def entries(data: bytes | memoryview, at: int, limit: int) -> Iterator[tuple[int, int, bytes]]:
    """Place, kind and payload of each whole entry from `at` on: the readable part of `data`, which ends before `limit`."""
    while at + HEAD_BYTES <= limit:
        length, crc, kind = _HEAD.unpack_from(data, at)
        end = at + HEAD_BYTES + length
        if not length or end > limit:
            return
        payload = bytes(data[at + HEAD_BYTES : end])
        if crc32(payload, kind) != crc:
            return
        yield at, kind, payload
        at = end


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
    b'{"id":"%b-%d","request":"%b",%b,"began_s":%a,"prompt_tokens":%d,"cached_tokens":%d,"output_tokens":%d,'
    b'"duration_s":%a,"ttft_s":%b,"tpot_s":%b,"status":%d,"ending":"%b","is_continued":%b,"is_estimated":%b}'
)
_ENDING_WORDS: Final = tuple(each.value.encode() for each in ENDINGS)


def record_json(journal: bytes, place: int, payload: bytes, names: bytes) -> bytes:
    """A `WHOLE` payload as the JSON of a UsageRecord; `names` is the payload of its names.

    Made as text, because making the record as a value first would cost several times as much a request.
    """
    first, _, began_s, prompt, cached, output, duration_s, ttft_s, tpot_s, status, state = WHOLE.unpack_from(payload)
    return _RECORD % (
        journal, first or place, payload[WHOLE.size :], names[1:-1], began_s, prompt, cached, output, duration_s,
        b"null" if ttft_s != ttft_s else b"%a" % ttft_s,  # noqa: PLR0124 - NaN, the cheapest way
        b"null" if tpot_s != tpot_s else b"%a" % tpot_s,  # noqa: PLR0124
        status, _ENDING_WORDS[state & ENDING_BITS],
        b"true" if state & CONTINUED else b"false", b"false" if state & TOLD else b"true",
    )  # fmt: skip


def with_mark(payload: bytes, mark: bytes) -> bytes:
    """An `OPEN` payload as far as a later mark of it says."""
    first, names, began_s, *_ = WHOLE.unpack_from(payload)
    _, prompt, cached, output, duration_s, ttft_s, status, state = SO_FAR.unpack(mark)
    whole = WHOLE.pack(first, names, began_s, prompt, cached, output, duration_s, ttft_s, UNSEEN, status, state)
    return whole + payload[WHOLE.size :]
