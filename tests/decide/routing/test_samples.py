"""Numbers of pieces: equal for equal pieces, and never for what prompts differ in."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from alliage.decide.routing.samples import STEP_BYTES, mixed, mixed_by_words

_BYTES = 512


@given(st.integers(0, 2**62 - 1), st.integers(0, 40), st.binary(min_size=40, max_size=40))
def test_only_the_piece_and_what_came_before_count(before: int, start: int, around: bytes) -> None:
    """Whatever is around it; below 2**62, so that no number needs a place of its own."""
    piece = Random(start).randbytes(_BYTES)
    alone, within = mixed_by_words(piece, 0, _BYTES, before), around[:start] + piece + around
    assert mixed_by_words(within, start, start + _BYTES, before) == alone
    assert 0 <= alone < 2**62
    assert mixed(within, start, start + _BYTES, before) == mixed(piece, 0, _BYTES, before)


def test_each_bit_of_each_byte_counts() -> None:
    """Pieces that differ in one bit have numbers that differ in the bits that names are made of."""
    piece = bytearray(b"As systems' prompts are: the same words again and again. " * 9)[:_BYTES]
    seen = {mixed_by_words(bytes(piece), 0, _BYTES, 1) & 0xFFFFFFFF}
    for bit in range(8 * _BYTES):
        piece[bit // 8] ^= 1 << bit % 8
        seen.add(mixed_by_words(bytes(piece), 0, _BYTES, 1) & 0xFFFFFFFF)
        piece[bit // 8] ^= 1 << bit % 8
    assert len(seen) == 8 * _BYTES + 1


def test_texts_that_are_alike_have_different_numbers() -> None:
    """Digits, letters and blanks that change places: as seldom equal as drawn numbers would be."""
    random = Random(7)
    pieces = {"".join(random.choices("01 qa", k=2 * STEP_BYTES)).encode() for _ in range(20_000)}
    numbers = {mixed_by_words(piece, 0, 2 * STEP_BYTES, 0) & 0xFFFFFFFF for piece in pieces}
    assert len(pieces) - len(numbers) <= 3
