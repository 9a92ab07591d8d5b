"""Bodies of `multipart/form-data` (RFC 7578): the few fields that the gateway reads. Files are passed over, never copied.

What could be read in two ways is refused, so that no engine finds another model in a form than the gateway did. The work is
bounded: delimiters are found by searching, and there are at most so many parts with heads of at most so many bytes.
"""

import re
from typing import Final

from alliage.gateway.decoded import Ask
from alliage.gateway.endpoints import Endpoint
from alliage.gateway.handing import is_sane
from alliage.gateway.problems import Problem, bad_body
from alliage.gateway.request import Request
from alliage.units import KIB

PARTS_MAX: Final = 256
HEAD_BYTES_MAX: Final = 4 * KIB
"""Of one part."""
VALUE_BYTES_MAX: Final = KIB
"""Of a field that is read."""
_KIND: Final = b"multipart/form-data"
_BOUNDARY: Final = re.compile(rb';\s*boundary=(?:"([^"\\\r\n]{1,70})"|([^\s";,]{1,70}))\s*(?:;|$)', re.IGNORECASE)
_DISPOSITION: Final = re.compile(
    rb'form-data\s*;\s*name=(?:"([^"\\\r\n]*)"|([!#$%&\'*+.^_`|~0-9A-Za-z-]+))\s*(;\s*filename.*)?', re.IGNORECASE
)
_READ: Final = frozenset({b"model", b"stream"})
_TRUE: Final = frozenset({b"true", b"1", b"on", b"yes"})


def form_of(request: Request, endpoint: Endpoint) -> bytes | None:
    """The Content-Type of a request whose body is a form, where the endpoint takes one; None: its body is to be JSON."""
    if not endpoint.takes_forms:
        return None
    kind = request.headers.get(b"content-type", b"")
    return kind if kind[: len(_KIND)].lower() == _KIND and is_sane(kind, VALUE_BYTES_MAX) else None


def read_form(body: bytes, content_type: bytes) -> Ask | Problem:
    """`model` and `stream` of a form, or what is wrong with it; of doubled fields the last counts, as in the engines."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return bad_body("its Content-Type names no boundary between the parts of the form")
    fields = _fields(body, b"--" + (boundary[1] or boundary[2]))
    if isinstance(fields, str):
        return bad_body(fields)
    if b"model" not in fields:
        return bad_body("the form has no field `model`")
    streams = fields.get(b"stream", b"").strip().lower() in _TRUE
    try:
        return Ask(model=fields[b"model"].decode(), stream=streams)
    except UnicodeDecodeError:
        return bad_body("the field `model` is not UTF-8")


def texts_of(body: bytes, content_type: bytes, wanted: frozenset[bytes]) -> dict[bytes, bytes]:
    """The fields of these names in a form that `read_form` took, its files left out; of doubled fields the last."""
    boundary = _BOUNDARY.search(content_type)
    found: dict[bytes, bytes] = {}
    if boundary is None:
        return found
    delimiter = b"\r\n--" + (boundary[1] or boundary[2])
    at = len(delimiter) - 2
    while not body.startswith(b"--", at):
        end = body.find(delimiter, at)
        blank = body.find(b"\r\n\r\n", at + 2, end)
        if end < 0 or blank < 0:
            break
        head = body[at + 2 : blank]
        name = _name(head)
        if name in wanted and b"filename" not in head.lower():
            found[name] = body[blank + 4 : end]
        at = end + len(delimiter)
    return found


def _fields(body: bytes, dashes: bytes) -> dict[bytes, bytes] | str:
    """The fields that are read, or what is wrong with the form; it is walked from delimiter to delimiter."""
    if not body.startswith(dashes):
        return "it does not begin with the boundary that its Content-Type names"
    found: dict[bytes, bytes] = {}
    at, delimiter = len(dashes), b"\r\n" + dashes
    for _ in range(PARTS_MAX):
        if body.startswith(b"--", at):
            return found
        if not body.startswith(b"\r\n", at):
            return f"what follows the boundary at byte {at} is no line end"
        end = body.find(delimiter, at)
        if end < 0:
            return "its last part does not end"
        why = _read_part(body, at + 2, end, found)
        if why:
            return why
        at = end + len(delimiter)
    return f"it has more than {PARTS_MAX} parts"


def _read_part(body: bytes, start: int, end: int, found: dict[bytes, bytes]) -> str:
    """One part, from its head to its end; what is wrong with it, "" where nothing is."""
    blank = body.find(b"\r\n\r\n", start, min(end, start + HEAD_BYTES_MAX))
    if blank < 0:
        return f"the part at byte {start} has no head, or one of more than {HEAD_BYTES_MAX} bytes"
    name = _name(body[start:blank])
    if name is None:
        return f"the head of the part at byte {start} does not say which field it is, in one way only"
    if name in _READ:
        if end - blank - 4 > VALUE_BYTES_MAX:
            return f"the field `{name.decode()}` is longer than {VALUE_BYTES_MAX} bytes"
        found[name] = body[blank + 4 : end]
    return ""


def _name(head: bytes) -> bytes | None:
    """Which field or file a part is; None where the head does not say it plainly."""
    name: bytes | None = None
    for line in head.split(b"\r\n"):
        field, colon, rest = line.partition(b":")
        if not colon or b"\n" in line or b"\r" in line or field != field.strip():
            return None
        if field.lower() == b"content-disposition":
            found = _DISPOSITION.fullmatch(rest.strip())
            if found is None or name is not None:
                return None
            name = found[1] if found[1] is not None else found[2]
            if found[3] is not None and name in _READ:
                return None  # a file by the name of a field
    return name
