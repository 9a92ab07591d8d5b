"""What a request's tokens cost. Apart from the prices, because it is compiled: they come over the line."""

from typing import Final

from alliage.fleet.prices import TokenPrice

_MILLION: Final = 1_000_000


class Rates:
    """A price as requests are charged by it: micros a million tokens."""

    __slots__ = ("_cached", "_output", "_prompt", "are_free")

    def __init__(self, price: TokenPrice) -> None:
        self._prompt = price.prompt_micros
        self._cached = price.cached_micros
        self._output = price.output_micros
        self.are_free = not (self._prompt or self._cached or self._output)

    def micros(self, prompt: int, cached: int, output: int) -> int:
        """What a request costs, rounded half to even once; `cached` tokens are among the `prompt` ones."""
        whole = (prompt - cached) * self._prompt + cached * self._cached + output * self._output
        micros = whole // _MILLION
        twice = (whole - micros * _MILLION) * 2
        return micros + 1 if twice > _MILLION or (twice == _MILLION and micros % 2 == 1) else micros


def charge_micros(price: TokenPrice, *, prompt: int, cached: int, output: int) -> int:
    """The same for one request alone."""
    return Rates(price).micros(prompt, cached, output)
