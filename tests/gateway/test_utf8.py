"""UTF-8 without a text: it is what Python takes for it, by words as by decoding."""

from hypothesis import example, given
from hypothesis import strategies as st

from alliage.gateway.utf8 import is_utf8, is_utf8_by_words

_EDGES = [
    b"\x7f",
    b"\x80",
    b"\xbf",
    b"\xc1",
    b"\xc2",
    b"\xdf",
    b"\xe0",
    b"\xa0",
    b"\x9f",
    b"\xed",
    b"\xef",
    b"\xf0",
    b"\x90",
    b"\x8f",
    b"\xf4",
    b"\xf5",
    b"\xff",
]
_PIECES = (
    st.binary(max_size=3) | st.text(max_size=3).map(str.encode) | st.sampled_from([*_EDGES, b"a" * 7, b"12345678"])
)
_NEARLY = st.lists(_PIECES, max_size=12).map(b"".join)


def by_python(text: bytes) -> bool:
    """What it is held against."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(_NEARLY)
@example("\ud7ff\ue000\uffff\U00010000\U0010ffff\x80\u07ff\u0800".encode())
@example(b"\xed\xa0\x80")
@example(b"\xf4\x90\x80\x80")
@example(b"\xf0\x8f\xbf\xbf")
def test_it_is_what_python_takes_for_utf8(text: bytes) -> None:
    """Texts, pieces of them and bytes that are none, in front of, behind and between plain ones."""
    for whole in (text, b"word by " + text, text + b"eight in all", text[:-1]):
        assert is_utf8_by_words(whole) == is_utf8(whole) == by_python(whole)


def test_every_beginning_of_a_sequence() -> None:
    """All pairs of bytes, alone and followed by what may follow."""
    for number in range(1 << 16):
        pair = number.to_bytes(2, "big")
        for text in (pair, pair + b"\x80", pair + b"\xbf\x80"):
            assert is_utf8_by_words(text) == by_python(text), text
