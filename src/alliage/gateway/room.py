"""How much of request bodies one gateway process keeps: the one place where that is counted."""

from alliage.gateway.request import Request


class Room:
    """Bodies are told from `SMALL_BODY_BYTES` on; smaller ones are bounded by the number of connections."""

    __slots__ = ("_bytes_max", "kept_bytes")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.kept_bytes = 0

    def keep(self, request: Request, size: int) -> bool:
        """Its body is `size` bytes by now; False, and nothing more counted, where there is no room for that."""
        kept_bytes = self.kept_bytes + size - request.kept_bytes
        if kept_bytes > self._bytes_max:
            return False
        self.kept_bytes = kept_bytes
        request.kept_bytes = size
        return True

    def give_back(self, request: Request) -> None:
        """Its body is let go of; may be told twice."""
        self.kept_bytes -= request.kept_bytes
        request.kept_bytes = 0
