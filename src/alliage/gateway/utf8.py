"""Whether bytes are UTF-8, without making a text of them: nearly all of a request passes unread, and a text takes up to four times its room.

Compiled, it reads eight bytes at a time. Interpreted that would be slow, so a text is made after all.
"""

from typing import TYPE_CHECKING, Final

from librt.strings import read_i64_le

from alliage.compiled import is_compiled

if TYPE_CHECKING:
    from mypy_extensions import i64


def is_utf8(text: bytes) -> bool:
    """As `bytes.decode` sees it: no overlong forms, no surrogates, nothing above U+10FFFF."""
    if _IS_COMPILED:
        return is_utf8_by_words(text)
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_utf8_by_words(text: bytes) -> bool:
    """The same by the table of well-formed sequences (Unicode 16, table 3-7), ASCII in words."""
    at: i64 = 0
    size: i64 = len(text)
    last_word: i64 = size - 8
    high: i64 = -0x7F7F7F7F7F7F7F80  # the highest bit of each byte; a module's constant would be boxed
    while at < size:
        if at <= last_word:
            word = read_i64_le(text, at)
            if word & high == 0:
                at += 8
                continue
            if word & 0x80808080 == 0:
                at += 4
        lead: i64 = text[at]
        while lead < 0x80:
            at += 1
            if at == size:
                return True
            lead = text[at]
        more = _following(text, at, lead)
        if more == 0:
            return False
        at += more + 1
    return True


def _following(text: bytes, at: "i64", lead: "i64") -> "i64":
    """How many bytes follow a leading byte; 0 where it leads nothing."""
    size: i64 = len(text)
    if lead < 0xC2 or lead > 0xF4 or at + 1 >= size:
        return 0
    second: i64 = text[at + 1]
    more: i64 = 0
    if second & 0xC0 == 0x80:
        if lead < 0xE0:
            more = 1
        elif lead < 0xF0:
            if at + 2 < size and text[at + 2] & 0xC0 == 0x80:
                is_wrong = (lead == 0xE0 and second < 0xA0) or (lead == 0xED and second > 0x9F)
                more = 0 if is_wrong else 2
        elif at + 3 < size and text[at + 2] & 0xC0 == 0x80 and text[at + 3] & 0xC0 == 0x80:
            is_wrong = (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second > 0x8F)
            more = 0 if is_wrong else 3
    return more


_IS_COMPILED: Final = is_compiled(is_utf8_by_words)
