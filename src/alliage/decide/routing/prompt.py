"""A request as routing sees it: how long its prompt is, and which blocks it begins with. Pure."""

from collections.abc import Sequence


class Prompt:
    """A value: `tokens` to read, at least 1. `blocks` name its beginning: equal names, equal text up to there, of one tenant.

    `ends[i]` is how many tokens the first i + 1 blocks are; it may be longer than `blocks`.
    """

    __slots__ = ("blocks", "ends", "tokens")

    def __init__(self, tokens: int, blocks: Sequence[object] = (), ends: Sequence[int] = ()) -> None:
        self.tokens = tokens
        self.blocks: list[object] = blocks if isinstance(blocks, list) else list(blocks)
        """Numbers, taken as objects: they are looked up far more often than made, and each time would be boxed anew."""
        self.ends: list[int] = ends if isinstance(ends, list) else list(ends)
