"""The entries of a usage journal as bytes: written by a gateway, told to control as they are, read there and by a dead one's heir. Pure.

An entry is its length, its kind, and what its kind says; numbers as this machine has them, for a journal never leaves it. Bytes
that were never written are zeros, so an entry of length 0 ends what can be read, and so does one whose check is not that of what
it holds. The check of what a request writes (`BEGIN`, `OPEN`, `END`) is inside, over its numbers: it is written in one go, without
a copy to sum. No entry holds anything of a prompt or an answer.
"""

import mmap
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec

from alliage.fleet.routing import KeyEntry, Upstream
from alliage.fleet.usage import UNKNOWN_ORIGIN, Ending, Origin

if TYPE_CHECKING:
    from mypy_extensions import i64  # compiled, numbers of the machine; else they are Python's, and never larger

FORMAT: Final = 2
"""Moves when an older reader would misread, `messages.PROTOCOL` with it; a journal of another one is put aside."""
FIRST: Final = 1
"""The first entry of a segment: its journal, its place in it, the format. Framed in all formats as in this one."""
NAMES: Final = 2
"""Who, what and where, in words; the entries behind it in the same segment say its number, the first is 0."""
OPEN: Final = 3
"""A request that began is written again as it stands now: whole. Its id is the place of its first entry, 0 for this one."""
MARK: Final = 4
"""How far an open request is: `SO_FAR`."""
END: Final = 5
"""A request's record: whole."""
BEGIN: Final = 6
"""A request begins: its names, the time, its request id. Its own id is the place of this entry."""

_HEAD: Final = struct.Struct("<IB")
_HEAD_BYTES: Final = _HEAD.size
_CRC_BYTES: Final = 4
FRAME_BYTES: Final = _HEAD_BYTES + _CRC_BYTES
"""Of an entry with a CRC-32, beside its payload."""
SO_FAR: Final = struct.Struct("<QIIIQQHB")
"""Id, tokens of prompt, cached and output, duration, TTFT, status, state. Times are whole microseconds."""
MARK_BYTES: Final = FRAME_BYTES + SO_FAR.size
_BEGIN: Final = struct.Struct("@IB3xIIl")
"""Length, kind, number of the names, check, began; the request id follows."""
_WHOLE: Final = struct.Struct("@IBBHIIlllllIII")
"""Length, kind, state, status, number of the names, check, id, began, duration, TTFT, TPOT, tokens of prompt, cached and output; the request id follows."""
_BEGIN_BYTES: Final = _BEGIN.size
_WHOLE_BYTES: Final = _WHOLE.size
_REQUEST_BYTES_MAX: Final = 128
"""Request ids have so many characters at most."""
WHOLE_BYTES_MAX: Final = _WHOLE_BYTES + _REQUEST_BYTES_MAX
_PUT_BEGIN: Final[tuple[Callable[..., None], ...]] = tuple(
    struct.Struct(f"{_BEGIN.format}{size}s").pack_into for size in range(_REQUEST_BYTES_MAX + 1)
)
_PUT_WHOLE: Final[tuple[Callable[..., None], ...]] = tuple(
    struct.Struct(f"{_WHOLE.format}{size}s").pack_into for size in range(_REQUEST_BYTES_MAX + 1)
)
"""By the length of the request id: a layout that is made once costs nothing later."""

ENDINGS: Final = (Ending.CUT, Ending.FINISHED, Ending.FAILED, Ending.CANCELLED)
"""By the lower bits of a state; `CUT` is what becomes of those that are open."""
ENDING_BITS: Final = 0x0F
CONTINUED: Final = 0x10
TOLD: Final = 0x20
"""The engine told these tokens."""
UNSEEN: Final = 0
"""A time to a first token, or between tokens, that nobody saw; one that was seen takes a microsecond at least."""
_LOW: Final = 0xFFFF_FFFF
_BASIS: Final = 2_166_136_261
_PRIME: Final = 16_777_619
"""Of FNV-1a with 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/"""

Into = mmap.mmap | bytearray


class First(msgspec.Struct, frozen=True):
    """What a segment begins with. As an object: compiled, a class forgets that it is to be written as an array."""

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


class Whole:
    """What a `BEGIN`, an `OPEN` or an `END` holds."""

    __slots__ = (
        "began_us", "cached", "duration_us", "first", "names", "output", "prompt", "request", "state", "status", "tpot_us", "ttft_us",
    )  # fmt: skip

    def __init__(self, first: int, names: int, began_us: int, request: bytes) -> None:
        self.first = first
        """The place of its request's first entry."""
        self.names = names
        self.began_us = began_us
        self.request = request
        self.duration_us = 0
        self.ttft_us = self.tpot_us = UNSEEN
        self.prompt = self.cached = self.output = 0
        self.status = self.state = 0

    def mark(self, payload: bytes) -> None:
        """As far as a `MARK` of it says."""
        _, self.prompt, self.cached, self.output, self.duration_us, self.ttft_us, self.status, self.state = (
            SO_FAR.unpack(payload)
        )
        self.tpot_us = UNSEEN


def entry(kind: int, payload: bytes) -> bytes:
    """A whole entry with a CRC-32."""
    data = _HEAD.pack(FRAME_BYTES + len(payload), kind) + payload
    return data + crc32(data).to_bytes(_CRC_BYTES, "little")


def mark_entry(  # noqa: PLR0917 - data path
    first: int, prompt: int, cached: int, output: int, duration_us: int, ttft_us: int, status: int, state: int
) -> bytes:
    """A `MARK` of the request whose first entry is at `first`."""
    return entry(MARK, SO_FAR.pack(first, prompt, cached, output, duration_us, ttft_us, status, state))


def request_check(request: bytes) -> int:
    """The part of a check that is over the request id, FNV-1a: the same for all entries of a request."""
    check: i64 = _BASIS
    for at in range(len(request)):
        check = _mixed(check, request[at])
    return check


def put_begin(into: Into, at: int, names: int, began_us: int, request: bytes, check: int) -> int:  # noqa: PLR0917 - data path
    """Write a `BEGIN` there; its length. `check` is `request_check`'s."""
    size = len(request)
    length = _BEGIN_BYTES + size
    check = _begin_check(check, names, began_us)
    _PUT_BEGIN[size](into, at, length, BEGIN, names, check, began_us, request)
    return length


def put_whole(  # noqa: PLR0917 - data path
    into: Into,
    at: int,
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
    check: int,
) -> int:
    """Write an `OPEN` or `END` there; its length. `check` is `request_check`'s."""
    size = len(request)
    length = _WHOLE_BYTES + size
    check = _whole_check(
        check, kind, first, names, began_us, prompt, cached, output, duration_us, ttft_us, tpot_us, status, state
    )
    _PUT_WHOLE[size](
        into, at, length, kind, state, status, names, check, first, began_us, duration_us, ttft_us, tpot_us, prompt, cached, output, request
    )  # fmt: skip
    return length


def _begin_check(check: "i64", names: "i64", began_us: "i64") -> "i64":
    return _mixed(_mixed(_mixed(check, names), began_us & _LOW), began_us >> 32)


def _whole_check(  # noqa: PLR0917 - data path
    check: "i64",
    kind: "i64",
    first: "i64",
    names: "i64",
    began_us: "i64",
    prompt: "i64",
    cached: "i64",
    output: "i64",
    duration_us: "i64",
    ttft_us: "i64",
    tpot_us: "i64",
    status: "i64",
    state: "i64",
) -> "i64":
    check = _begin_check(_mixed(check, kind + (state << 8) + (status << 16)), names, began_us)
    check = _mixed(_mixed(check, first & _LOW), first >> 32)
    check = _mixed(_mixed(_mixed(check, prompt), cached), output)
    check = _mixed(_mixed(check, duration_us & _LOW), duration_us >> 32)
    check = _mixed(_mixed(check, ttft_us & _LOW), ttft_us >> 32)
    return _mixed(_mixed(check, tpot_us & _LOW), tpot_us >> 32)


def _mixed(check: "i64", number: "i64") -> "i64":
    """A step of FNV-1a, over a byte or 32 bits at once: any other number makes another check."""
    return ((check ^ number) * _PRIME) & _LOW


def first_entry(journal: str, start: int) -> bytes:
    """What a segment begins with."""
    return entry(FIRST, _encode(First(FORMAT, journal, start)))


def names_payload(who: KeyEntry | None, service: str, endpoint: str, upstream: Upstream | None) -> bytes:
    """The names as JSON."""
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


def length_of(data: bytes) -> int:
    """Of the entry that the data begin with; 0 where they are too short to tell."""
    return int(_HEAD.unpack_from(data)[0]) if len(data) >= FRAME_BYTES else 0


def lengths(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Place in `data`, kind and length of each entry that is there to its end. Nothing is checked."""
    at, limit = 0, len(data)
    while at + FRAME_BYTES <= limit:
        length, kind = _HEAD.unpack_from(data, at)
        if length < FRAME_BYTES or at + length > limit:
            return
        yield at, kind, length
        at += length


def entries(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The same, up to the first that is not as it was written."""
    for at, kind, length in lengths(data):
        if not _is_sound(data, at, kind, length):
            return
        yield at, kind, length


def payload(data: bytes, at: int, length: int) -> bytes:
    """What an entry with a CRC-32 holds."""
    return data[at + _HEAD_BYTES : at + length - _CRC_BYTES]


def own_names(data: bytes) -> list[bytes]:
    """The names among whole entries."""
    return [payload(data, at, length) for at, kind, length in lengths(data) if kind == NAMES]


def read_begin(data: bytes, at: int, length: int, place: int) -> Whole:
    """A `BEGIN` at that place of its journal."""
    _, _, names, _, began_us = _BEGIN.unpack_from(data, at)
    return Whole(place, names, began_us, data[at + _BEGIN_BYTES : at + length])


def read_whole(data: bytes, at: int, length: int, place: int) -> Whole:
    """An `OPEN` or `END` at that place of its journal."""
    _, _, state, status, names, _, first, began_us, duration_us, ttft_us, tpot_us, prompt, cached, output = (
        _WHOLE.unpack_from(data, at)
    )
    whole = Whole(first or place, names, began_us, data[at + _WHOLE_BYTES : at + length])
    whole.state, whole.status = state, status
    whole.duration_us, whole.ttft_us, whole.tpot_us = duration_us, ttft_us, tpot_us
    whole.prompt, whole.cached, whole.output = prompt, cached, output
    return whole


def read_first(data: bytes) -> First | None:
    """The beginning of a segment out of its payload; None where it is no such thing."""
    try:
        return _decode_first(data)
    except msgspec.MsgspecError:
        return None


def read_names(data: bytes) -> Names:
    """The names as a value; raises MsgspecError for what are none."""
    return _decode_names(data)


def _is_sound(data: bytes, at: int, kind: int, length: int) -> bool:
    if kind == BEGIN:
        if length < _BEGIN_BYTES:
            return False
        begun = read_begin(data, at, length, 0)
        check = _begin_check(request_check(begun.request), begun.names, begun.began_us)
        return bool(check == _BEGIN.unpack_from(data, at)[3]) and data[at + _HEAD_BYTES : at + 8] == bytes(3)
    if kind in {OPEN, END}:
        return length >= _WHOLE_BYTES and _is_sound_whole(data, at, kind, length)
    covered = at + length - _CRC_BYTES
    return crc32(data[at:covered]) == int.from_bytes(data[covered : at + length], "little")


def _is_sound_whole(data: bytes, at: int, kind: int, length: int) -> bool:
    _, _, state, status, names, written, first, began_us, duration_us, ttft_us, tpot_us, prompt, cached, output = (
        _WHOLE.unpack_from(data, at)
    )
    check = _whole_check(
        request_check(data[at + _WHOLE_BYTES : at + length]),
        kind, first, names, began_us, prompt, cached, output, duration_us, ttft_us, tpot_us, status, state,
    )  # fmt: skip
    return bool(check == written)
