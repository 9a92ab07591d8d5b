"""Which beginnings of prompts a replica probably still holds: the newest blocks that were sent there. No I/O."""

from alliage.decide.routing.prompt import Prompt


class Prefixes:
    """At most `blocks_max` names, those not asked for longest forgotten first; a beginning outlives what follows it."""

    __slots__ = ("blocks", "blocks_max")

    def __init__(self, blocks_max: int) -> None:
        self.blocks: dict[int, None] = {}
        self.blocks_max = blocks_max

    def __len__(self) -> int:
        return len(self.blocks)

    def held(self, prompt: Prompt) -> int:
        """Tokens of the prompt that need not be read; its last one always is."""
        blocks = self.blocks
        hits = 0
        for block in prompt.blocks:
            if block not in blocks:
                break
            hits += 1
        return min(prompt.ends[hits - 1], prompt.tokens - 1) if hits else 0

    def remember(self, prompt: Prompt) -> None:
        """The prompt is sent there."""
        blocks = self.blocks
        for block in reversed(prompt.blocks):
            blocks.pop(block, None)
            blocks[block] = None
        while len(blocks) > self.blocks_max:
            del blocks[next(iter(blocks))]

    def forget(self) -> None:
        """The engine is another one."""
        self.blocks.clear()
