"""What one request was let in with: taken of its scopes when it came, set right when it ends."""

from typing import Final

from alliage.fleet.charges import charge_micros
from alliage.fleet.limits import Priority
from alliage.fleet.prices import TokenPrice
from alliage.gateway.allowances import Allowance
from alliage.gateway.limiting import rate_headers
from alliage.gateway.queueing import FairQueue, Place

_READ_SHARE: Final = 0.125
"""What a prompt's token takes of a service, against one of an answer: prompts are read many tokens at once."""


class Grant:
    """`end` is called once. `prompt_tokens` and `output_tokens` are what it was expected to have."""

    __slots__ = (
        "_allowances", "_micros", "_output", "_price", "_prompt", "_queue", "_spent_micros", "_tokens", "is_sent", "output_tokens", "place", "priority",
        "prompt_tokens", "tenant",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - names cost time
        self,
        allowances: tuple[Allowance, ...],
        tenant: str,
        priority: Priority,
        price: TokenPrice,
        prompt_tokens: int,
        output_tokens: int,
        micros: int,
    ) -> None:
        self._allowances = allowances
        self._price = price
        self._tokens = prompt_tokens + output_tokens
        self._micros = micros
        self.tenant = tenant
        self.priority = priority
        self.prompt_tokens = prompt_tokens
        self.output_tokens = output_tokens
        self.is_sent = False
        """An engine was asked."""
        self.place: Place | None = None
        """Where it waits for its turn."""
        self._queue: FairQueue | None = None
        self._prompt = self._output = self._spent_micros = 0
        for allowance in allowances:
            allowance.enter(self._tokens, micros)

    @property
    def cost(self) -> float:
        """What it is expected to take of its service, in tokens of answers."""
        return 1.0 + self.prompt_tokens * _READ_SHARE + self.output_tokens

    @property
    def headers(self) -> bytes:
        """Header lines for its answer."""
        return rate_headers(self._allowances) if self._allowances else b""

    def waits(self, place: Place, queue: FairQueue) -> None:
        """For its turn."""
        self.place = place
        self._queue = queue

    def told(self, prompt: int, output: int, cached: int = 0) -> int:
        """Its tokens by its engine, zeros where it did not say; what they cost, in micros."""
        self._prompt, self._output = prompt, output
        self._spent_micros = spent = charge_micros(self._price, prompt=prompt, cached=cached, output=output)
        return spent

    def end(self, *, has_begun: bool, said: int) -> None:
        """It is over. Where no engine told its tokens, `has_begun` says whether its prompt counts as read, and `said` its answer's."""
        prompt, output, spent = self._prompt, self._output, self._spent_micros
        if not prompt and not output and has_begun:
            prompt, output = self.prompt_tokens, said
            spent = charge_micros(self._price, prompt=prompt, cached=0, output=output)
        queue, place = self._queue, self.place
        if queue is not None:
            if place is not None:
                queue.leave(place)
                self.place = None
            else:
                queue.settle(self.tenant, (prompt * _READ_SHARE + output) + 1.0 - self.cost)
        allowances, tokens, micros = self._allowances, self._tokens, self._micros
        if not allowances:
            return
        if not self.is_sent:
            for allowance in allowances:
                allowance.call_off(tokens, micros)
            return
        for allowance in allowances:
            allowance.leave(tokens, micros, prompt + output, spent)
