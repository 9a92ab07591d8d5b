"""What a router is to a replay of requests: it sees what a gateway sees, and names the replica that answers."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it arrives: how long its answer will be is not known. `key` counts arrivals from 0.

    `blocks` names its prompt's full blocks from the beginning, of so many tokens as the trace says.
    """

    key: int
    prompt_tokens: int
    blocks: tuple[int, ...]


class Router(Protocol):
    """Built over replicas that are named by index; told of all that happens, in order of time."""

    def choose(self, request: Seen, now_s: float) -> int | None:
        """The replica that is to answer; None refuses it, since it is not expected to keep its objective anywhere."""
        ...

    def began(self, key: int, replica: int, now_s: float) -> None:
        """Its first token came."""
        ...

    def ended(self, key: int, replica: int, now_s: float, output_tokens: int) -> None:
        """Its last token came, the so manieth."""
        ...
