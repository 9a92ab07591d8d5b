"""What a rehearsed engine says: numbered words, the same for the same prompt, so that a lost or doubled piece shows."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

WORDS: Final = (
    "amber", "basalt", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kelp", "lagoon",
    "meadow", "nectar", "opal", "pebble", "quartz", "reef", "sierra", "tundra", "umber", "valley", "willow", "zephyr",
)  # fmt: skip
TOKEN_LETTERS: Final = 4
"""Letters of a prompt that count as one token: about what tokenisers of English text do."""
NATURAL_TOKENS: Final = (64, 256)
"""An answer without a limit has at least the first and less than the second many tokens."""


def seed_of(text: str) -> int:
    """What an answer depends on."""
    return zlib.crc32(text.encode())


def natural_tokens(seed: int) -> int:
    """How long an answer is when nobody limits it."""
    least, most = NATURAL_TOKENS
    return least + seed % (most - least)


def pieces(seed: int, before: str = "") -> Iterator[str]:
    """The tokens of an answer, `0:amber `, `1:reef ` and so on, for ever; what was said `before` is gone on from, to the letter.

    What was said before and is not the beginning of this answer counts as a beginning of its own: it starts at 0.
    """
    number = before.count(" ")
    begun = "".join([_piece(seed, each) for each in range(number + 1)])
    if not begun.startswith(before):
        number, begun, before = 0, _piece(seed, 0), ""
    yield begun[len(before) :]
    while True:
        number += 1
        yield _piece(seed, number)


class Answer:
    """So many tokens, made when they are said: many requests may come at once, and none is to wait for the others' words."""

    __slots__ = ("_count", "_pieces", "_said")

    def __init__(self, pieces: Iterable[str], count: int) -> None:
        self._pieces = iter(pieces)
        self._count = count
        self._said: list[str] = []

    def __len__(self) -> int:
        """How many tokens."""
        return self._count

    def between(self, begin: int, end: int) -> list[str]:
        """The tokens from `begin` to before `end`, which is at most the count."""
        self._said.extend(islice(self._pieces, max(0, end - len(self._said))))
        return self._said[begin:end]

    def text(self) -> str:
        """All of it."""
        return "".join(self.between(0, self._count))


def tokens_of(text: str) -> int:
    """How many tokens a prompt has, at least one."""
    return max(1, -(-len(text) // TOKEN_LETTERS))


def said_tokens(before: str) -> int:
    """How many tokens of an answer that was begun: one a word, the last one perhaps not whole."""
    return before.count(" ") + (1 if before and not before.endswith(" ") else 0)


def blocks_of(text: str, block_tokens: int) -> tuple[int, ...]:
    """A name for each full block of a prompt: that of all text up to its end."""
    letters, name = block_tokens * TOKEN_LETTERS, 0
    names, plain = [], text.encode()
    whole = memoryview(plain) if len(plain) == len(text) else None  # one copy, not one a block
    for start in range(0, len(text) - letters + 1, letters):
        end = start + letters
        name = zlib.crc32(text[start:end].encode() if whole is None else whole[start:end], name)
        names.append(name)
    return tuple(names)


def cut_at_stop(answer: Sequence[str], stops: Sequence[str], before: str = "") -> tuple[list[str], bool]:
    """The tokens before the first stop string (which is not said), and whether there was one. It may have begun `before`."""
    text = before + "".join(answer)
    found = [at for stop in stops if stop and (at := text.find(stop, max(0, len(before) - len(stop) + 1))) >= 0]
    if not found:
        return list(answer), False
    left, kept = max(0, min(found) - len(before)), []
    for piece in answer:
        if left <= 0:
            break
        kept.append(piece[:left])
        left -= len(piece)
    return kept, True


def _piece(seed: int, number: int) -> str:
    return f"{number}:{WORDS[zlib.crc32(number.to_bytes(8, 'little'), seed) % len(WORDS)]} "
