"""Heads of messages without the digits of their length: the next message's is mostly the same but for that.

Equal heads but for that number mean the same, so what the parser made of one holds for the other. What is looked at here is
only whole messages that came in one read.
"""

from typing import Final

HEAD_BYTES_MAX: Final = 4096
_END: Final = b"\r\n\r\n"
_LINE: Final = b"\r\n"
_NAME: Final = b"ontent-Length: "
_OTHER_NAME: Final = b"ontent-length: "
_NAME_BYTES: Final = 15
_DIGITS_MAX: Final = 9
_ZERO: Final = 48


class Spelling:
    """A head as it stands before and after the digits of its length."""

    __slots__ = ("after", "before")

    def __init__(self, before: bytes, after: bytes) -> None:
        self.before = before
        self.after = after

    def length_of(self, data: bytes) -> int:
        """The length of its body where a read is one whole message with this head, -1 where it is not."""
        if not data.startswith(self.before):
            return -1
        length, stop = read_length(data, len(self.before))
        begin = stop + len(self.after)
        if length < 0 or len(data) != begin + length or data[stop:begin] != self.after:
            return -1
        return length


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """The number whose digits stand there and where they end; -1 for none and for one with leading zeros.

    Of more than nine digits the first nine are read, and what follows is a digit.
    """
    length, stop, end = 0, at, min(len(data), at + _DIGITS_MAX)
    while stop < end:
        digit = data[stop] - _ZERO
        if digit < 0 or digit > 9:
            break
        length = length * 10 + digit
        stop += 1
    if stop == at or (stop > at + 1 and data[at] == _ZERO):
        return -1, at
    return length, stop


class Cut:
    """A whole message: `key` is its head without the length, which is `length` bytes; `spelling` is the same in two parts."""

    __slots__ = ("key", "length", "spelling")

    def __init__(self, key: bytes, spelling: Spelling, length: int) -> None:
        self.key = key
        self.spelling = spelling
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
    if not digits.isdigit() or len(digits) > _DIGITS_MAX or (len(digits) > 1 and digits.startswith(b"0")):
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
