"""Heads of messages that were parsed before: a connection's next one is mostly the same but for its length.

A head without the digits of its Content-Length is a key. Equal keys are equal heads but for that number, so what the parser
made of one holds for the other. What is looked up here is only whole messages that came in one read.
"""

from typing import Final

HEAD_BYTES_MAX: Final = 4096
KNOWN_MAX: Final = 512
"""Heads that are remembered; then all are forgotten."""
_END: Final = b"\r\n\r\n"
_LINE: Final = b"\r\n"
_NAME: Final = b"ontent-Length: "
_OTHER_NAME: Final = b"ontent-length: "
_NAME_BYTES: Final = 15
_DIGITS_MAX: Final = 9


class Cut:
    """A whole message: `key` is its head without the length, the body begins at `begin` and is `length` bytes."""

    __slots__ = ("begin", "key", "length")

    def __init__(self, key: bytes, begin: int, length: int) -> None:
        self.key = key
        self.begin = begin
        self.length = length


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
    return Cut(data[:at] + data[stop:end], begin, length)


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
