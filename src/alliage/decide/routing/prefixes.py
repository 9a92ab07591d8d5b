"""Which beginnings of prompts a replica probably still holds: the newest that were sent there. No I/O."""

from collections import OrderedDict
from typing import Final

from alliage.decide.routing.prompt import Prompt
from alliage.fleet.routing import Tempo

_TOKENS_MAX: Final = 1 << 60


class Prefixes:
    """Blocks by name, with their tokens: at most `blocks_max`, and no more tokens than the replica's cache.

    Those not asked for longest are forgotten first; a beginning outlives what follows it.
    """

    __slots__ = ("_blocks_max", "_tokens", "_tokens_max", "blocks")

    def __init__(self, blocks_max: int, tempo: Tempo | None) -> None:
        self.blocks: OrderedDict[object, int] = OrderedDict()
        """To be read only."""
        self._blocks_max = blocks_max
        self._tokens = 0
        self._tokens_max = 0
        self.fit(tempo)

    def fit(self, tempo: Tempo | None) -> None:
        """The cache is so large; where nobody knows, the number of blocks alone counts."""
        self._tokens_max = _TOKENS_MAX if tempo is None else tempo.kv_tokens

    def held(self, prompt: Prompt) -> int:
        """Tokens of the prompt that need not be read; its last one always is."""
        blocks, names = self.blocks, prompt.blocks
        if not names or names[0] not in blocks:
            return 0
        hits = 1
        while hits < len(names) and names[hits] in blocks:
            hits += 1
        return min(prompt.ends[hits - 1], prompt.tokens - 1)

    def remember(self, prompt: Prompt) -> None:
        """The prompt is sent there."""
        blocks, ends = self.blocks, prompt.ends
        for index in range(len(prompt.blocks) - 1, -1, -1):
            block = prompt.blocks[index]
            tokens = ends[index] - (ends[index - 1] if index else 0)
            if block in blocks:
                blocks.move_to_end(block)
                if blocks[block] == tokens:
                    continue
                self._tokens -= blocks[block]
            self._tokens += tokens
            blocks[block] = tokens
        self.trim(self._blocks_max)

    def trim(self, blocks_max: int) -> None:
        """No more than so many from now on."""
        self._blocks_max = blocks_max
        while len(self.blocks) > blocks_max or self._tokens > self._tokens_max:
            self._tokens -= self.blocks.popitem(last=False)[1]

    def forget(self) -> None:
        """The engine is another one."""
        self.blocks.clear()
        self._tokens = 0
