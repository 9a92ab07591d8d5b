"""What is read of the head of an engine's answer. Made once for all answers that differ in their length only (`heads`)."""

from typing import Final

from alliage.gateway import wire

OK: Final = 200


class AnswerHead:
    """What is read of an answer's head: its status and a few headers, None where it has them not; of answers alike but for `length`, the first's."""

    __slots__ = ("encoding", "is_events", "is_framed", "length", "lines", "status")

    def __init__(self, status: int, headers: dict[bytes, bytes]) -> None:
        self.status = status
        self.length: bytes | None = None
        self.encoding: bytes | None = None
        self.is_framed = False
        """Whether it says where its body ends."""
        kind = b"application/octet-stream"
        for name, value in headers.items():
            match name.lower():
                case b"content-type":
                    kind = value
                case b"content-length":
                    self.length = value
                    self.is_framed = True
                case b"content-encoding":
                    self.encoding = value
                case b"transfer-encoding":
                    self.is_framed = True
                case _:
                    pass

        self.is_events = kind.startswith(b"text/event-stream")
        """Whether the body is events."""
        encoding = b"" if self.encoding is None else b"Content-Encoding: %b\r\n" % self.encoding
        self.lines = b"%bContent-Type: %b\r\n%b" % (wire.status_line(status), kind, encoding)
        """What a client gets of it."""

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return self.status == OK and self.is_events


NO_HEAD: Final = AnswerHead(0, {})
"""Of an answer that has not come."""
