"""Heads of messages that were parsed before: a connection's next one is mostly the same but for its length.

A head without the digits of its Content-Length is a key. Equal keys are equal heads but for that number, so what the parser
made of one holds for the other. What is looked up here is only whole messages that came in one read.
"""

from typing import Final

from alliage.gateway.request import Request

HEAD_BYTES_MAX: Final = 4096
KNOWN_MAX: Final = 512
"""Heads that are remembered; then all are forgotten."""
_END: Final = b"\r\n\r\n"
_LINE: Final = b"\r\n"
_NAME: Final = b"ontent-Length: "
_OTHER_NAME: Final = b"ontent-length: "
_NAME_BYTES: Final = 15
_DIGITS_MAX: Final = 9


class Spelling:
    """A head as it stands before and after the digits of its length."""

    __slots__ = ("_after", "_before", "_bytes")

    def __init__(self, before: bytes, after: bytes) -> None:
        self._before = before
        self._after = after
        self._bytes = len(before) + len(after)

    def length_of(self, data: bytes) -> int:
        """The length of its body where a read is one whole message with this head, -1 where it is not.

        How many digits there must be follows from the size of the read, so nothing is looked for.
        """
        rest = len(data) - self._bytes
        digits, limit = 1, 10
        while rest - digits >= limit:
            digits += 1
            limit *= 10
        length = rest - digits
        if length < 0:
            return -1
        before = self._before
        at = len(before)
        if data[:at] != before or data[at : len(data) - length] != b"%d%b" % (length, self._after):
            return -1
        return length


class Cut:
    """A whole message: `key` is its head without the length, which is `length` bytes; `spelling` is the same in two parts."""

    __slots__ = ("key", "length", "spelling")

    def __init__(self, key: bytes, spelling: Spelling, length: int) -> None:
        self.key = key
        self.spelling = spelling
        self.length = length


class Known:
    """A request that was taken before, of which the next one has the head."""

    __slots__ = ("request", "spelling")

    def __init__(self, request: Request, spelling: Spelling) -> None:
        self.request = request
        self.spelling = spelling


def cut(data: bytes) -> Cut | None:
    """The one whole message with a length that a read is; None for whatever else it is."""
    end = data.find(_END)
    if end < 0 or end > HEAD_BYTES_MAX:
        return None
    at = data.find(_NAME)
    if at < 0 or at > end:
        at = data.find(_OTHER_NAME)
        if at < 0 or at > end:
            return None
    at += _NAME_BYTES
    stop = data.find(_LINE, at)
    digits = data[at:stop]
    if not digits.isdigit() or len(digits) > _DIGITS_MAX:
        return None
    length = int(digits)
    begin = end + 4
    if len(data) != begin + length:
        return None
    return Cut(data[:at] + data[stop:end], Spelling(data[:at], data[stop:begin]), length)


def may_be_known(key: bytes) -> bool:
    """Whether the digits that were cut out are those of the one header that gives the length.

    Asked once for each head that a parser took: elsewhere in a line, or twice, the name may stand too. So what is counted is
    what `cut` looks for: the end of another name (`Xontent-Length`) would be cut instead of the length.
    """
    lowered = b"\r\n" + key.lower()
    return (
        lowered.count(b"ontent-length") == 1
        and b"\r\ncontent-length: " in lowered
        and b"transfer-encoding" not in lowered
    )
