"""What is read of the head of an engine's answer. Made once for all answers that differ in their length only (`heads`)."""

from typing import Final

OK: Final = 200


class AnswerHead:
    """What is read of an answer's head: its status and a few headers, None where it has them not; of answers alike but for `length`, the first's."""

    __slots__ = ("encoding", "is_framed", "kind", "length", "status")

    def __init__(self, status: int, headers: dict[bytes, bytes]) -> None:
        self.status = status
        self.kind: bytes | None = None
        self.length: bytes | None = None
        self.encoding: bytes | None = None
        self.is_framed = False
        """Whether it says where its body ends."""
        for name, value in headers.items():
            match name.lower():
                case b"content-type":
                    self.kind = value
                case b"content-length":
                    self.length = value
                    self.is_framed = True
                case b"content-encoding":
                    self.encoding = value
                case b"transfer-encoding":
                    self.is_framed = True
                case _:
                    pass

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return self.status == OK and self.kind is not None and self.kind.startswith(b"text/event-stream")


NO_HEAD: Final = AnswerHead(0, {})
"""Of an answer that has not come."""
