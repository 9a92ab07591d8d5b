"""How much one gateway process keeps of open answers so that they can be continued: the one place where that is counted."""


class Kept:
    """Bytes of requests and answers so far. What is kept for one answer is given back once, when it ends or grew too long."""

    __slots__ = ("_bytes_max", "kept_bytes")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.kept_bytes = 0

    def keep(self, size: int) -> bool:
        """`size` bytes more; False, and nothing counted, where there is no room for them."""
        if self.kept_bytes + size > self._bytes_max:
            return False
        self.kept_bytes += size
        return True

    def give_back(self, size: int) -> None:
        """They are let go of."""
        self.kept_bytes -= size
