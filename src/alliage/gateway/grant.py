"""What one request was let in with: taken of its scopes when it came, set right when it ends."""

from typing import Final

from alliage.gateway.footing import Footing
from alliage.gateway.limiting import rate_headers
from alliage.gateway.queueing import FairQueue, Place

_READ_SHARE: Final = 0.125
"""What a prompt's token takes of a service, against one of an answer: prompts are read many tokens at once."""


class Grant:
    """`end` is called once. `prompt_tokens` and `output_tokens` are what it was expected to have."""

    __slots__ = (
        "_micros", "_output", "_prompt", "_queue", "_spent_micros", "_tokens", "footing", "is_sent", "output_tokens", "place", "prompt_tokens",
    )  # fmt: skip

    def __init__(self, footing: Footing, prompt_tokens: int, output_tokens: int, micros: int) -> None:
        self.footing = footing
        self._tokens = prompt_tokens + output_tokens
        self._micros = micros
        self.prompt_tokens = prompt_tokens
        self.output_tokens = output_tokens
        self.is_sent = False
        """An engine was asked."""
        self.place: Place | None = None
        """Where it waits for its turn."""
        self._queue: FairQueue | None = None
        self._prompt = self._output = self._spent_micros = 0
        for allowance in footing.allowances:
            allowance.enter(self._tokens, micros)

    @property
    def cost(self) -> float:
        """What it is expected to take of its service, in tokens of answers."""
        return 1.0 + self.prompt_tokens * _READ_SHARE + self.output_tokens

    @property
    def headers(self) -> bytes:
        """Header lines for its answer."""
        allowances = self.footing.allowances
        return rate_headers(allowances) if allowances else b""

    def waits(self, place: Place, queue: FairQueue) -> None:
        """For its turn."""
        self.place = place
        self._queue = queue

    def told(self, prompt: int, output: int, cached: int = 0) -> int:
        """Its tokens by its engine, zeros where it did not say; what they cost, in micros."""
        self._prompt, self._output = prompt, output
        self._spent_micros = spent = self.footing.rates.micros(prompt, cached, output)
        return spent

    def end(self, *, has_begun: bool, said: int) -> None:
        """It is over. Where no engine told its tokens, `has_begun` says whether its prompt counts as read, and `said` its answer's."""
        prompt, output, spent = self._prompt, self._output, self._spent_micros
        if not prompt and not output and has_begun:
            prompt, output = self.prompt_tokens, said
            spent = self.footing.rates.micros(prompt, 0, output)
        queue, place = self._queue, self.place
        if queue is not None:
            if place is not None:
                queue.leave(place)
                self.place = None
            else:
                queue.settle(self.footing.tenant, (prompt * _READ_SHARE + output) + 1.0 - self.cost)
        allowances, tokens, micros = self.footing.allowances, self._tokens, self._micros
        if not allowances:
            return
        if not self.is_sent:
            for allowance in allowances:
                allowance.call_off(tokens, micros)
            return
        for allowance in allowances:
            allowance.leave(tokens, micros, prompt + output, spent)
