"""What a piece of a stream says of its end, by its bytes: nothing is parsed."""

from typing import Final

_DONE: Final = (b"[DONE]\n\n\r\n", b"[DONE]\n\n", b"[DONE]\r\n\r\n\r\n", b"[DONE]\r\n\r\n")
"""No event of JSON ends so."""
_BRACKET: Final = ord("]")
_DONE_BYTES_LEAST: Final = 8
_FINISH: Final = (b'"finish_reason":"', b'"finish_reason": "')


def is_done(out: bytes) -> bool:
    """Whether its last event says that the answer is over."""
    size = len(out)
    return (
        size >= _DONE_BYTES_LEAST
        and (out[size - 3] == _BRACKET or out[size - 5] == _BRACKET or out[size - 7] == _BRACKET)
        and out.endswith(_DONE)
    )


def says_why(out: bytes) -> bool:
    """Whether one of its events says why the answer ends."""
    return out.find(_FINISH[0]) >= 0 or out.find(_FINISH[1]) >= 0
