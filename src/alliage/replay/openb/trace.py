"""What a placement trace is once it is read: hosts, shapes and the pods as indices of their shapes."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from alliage.decide.packing.shapes import Host, Shape, Typical
from alliage.replay.openb.popularity import Pod, find_typical

MILLI: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The pods of one run as they arrive: indices into the pods of the trace, drawn by `seed`."""

    seed: int
    pods: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Hosts by name, the distinct shapes, each pod's shape (pods by name), and the shapes that are typical."""

    hosts: tuple[Host, ...]
    shapes: tuple[Shape, ...]
    pods: tuple[int, ...]
    typical: tuple[Typical, ...]

    def arrivals(self, order: Order) -> tuple[int, ...]:
        """The shapes of one order, one after the other."""
        return tuple(self.pods[pod] for pod in order.pods)


def make_trace(hosts: tuple[Host, ...], pods: tuple[Pod, ...]) -> Trace:
    """A trace of these hosts and pods, both sorted by name; shapes are numbered as they first appear."""
    numbers: dict[Shape, int] = {}
    indices = tuple(numbers.setdefault(pod.shape, len(numbers)) for pod in pods)
    return Trace(hosts=hosts, shapes=tuple(numbers), pods=indices, typical=find_typical(pods))


def shuffle_hosts(trace: Trace, seed: int, again: int = 0) -> Trace:
    """The trace with its hosts in an order drawn from the seed, as the study does; `again` 1, 2 ... are further ones.

    FGD leaves ties to the order of the nodes, so its figures are those of one such order a seed.
    """
    order = list(range(len(trace.hosts)))
    Random(f"{seed}/{again}").shuffle(order)  # noqa: S311 - a seeded draw, not a secret
    return replace(trace, hosts=tuple(trace.hosts[host] for host in order))


def device_milli(shape: Shape) -> int:
    """The thousandths of devices that a shape takes in all."""
    return shape.devices * shape.device_milli


def capacity_milli(hosts: tuple[Host, ...]) -> int:
    """The thousandths of devices that these hosts have in all."""
    return MILLI * sum(host.devices for host in hosts)
