"""What a placement policy is to a replay: it holds the state of one set of hosts and places one request at a time."""

from typing import Protocol

from alliage.decide.packing.shapes import Placed


class Packer(Protocol):
    """Built over hosts, shapes (named by index from then on) and typical shapes; each call changes its state."""

    def place(self, shape: int) -> Placed | None:
        """Choose a host for one request of that shape and take the room; None where it fits nowhere."""
        ...

    def remove(self, placed: Placed) -> None:
        """Give back what one request held."""
        ...
