"""A number for a piece of a prompt: pieces that differ have different ones, but for one in 2**32. Pure.

Compiled, it reads eight bytes at a time. Interpreted that would be slow, so another sum is taken: no number is told to anybody else.
"""

from typing import TYPE_CHECKING, Final
from zlib import crc32

from librt.strings import read_i64_le

from alliage.compiled import is_compiled

if TYPE_CHECKING:
    from mypy_extensions import i64

STEP_BYTES: Final = 16
"""What pieces are whole numbers of."""


def mixed(text: bytes, start: int, end: int, before: int) -> int:
    """Of `text[start:end]` and of what came before; below 2**62."""
    return mixed_by_words(text, start, end, before) if _IS_COMPILED else crc32(text[start:end], before)


def mixed_by_words(text: bytes, start: int, end: int, before: int) -> int:
    """Sums of products, of half words so that none is cut off.

    The odd factors are the first bits behind the point of the roots of 2, 3, 5 and 7; larger ones would be boxed.
    """
    at: i64 = start
    last: i64 = end
    mix: i64 = before
    while at < last:
        first = read_i64_le(text, at)
        second = read_i64_le(text, at + 8)
        mix = (
            (mix ^ (first & 0xFFFFFFFF)) * 0x1A827999FCEF3243
            + (first >> 32) * 0x2ED9EBA16132A9CF
            + (second & 0xFFFFFFFF) * 0x0F1BBCDCBFA53E0B
            + (second >> 32) * 0x2953FD4E97C74DBD
        ) & 0x3FFFFFFFFFFFFFFF
        mix ^= mix >> 31
        at += 16
    return mix


_IS_COMPILED: Final = is_compiled(mixed_by_words)
