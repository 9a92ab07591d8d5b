"""Hosts, shapes and trace files as small as a hand can compute."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from alliage.decide.packing.shapes import Host, Shape, Typical
from alliage.replay.openb.files import TraceFiles

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn-1,8000,16384,2,T4\nn-0,16000,32768,4,G2\n"
PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"
    "p-2,1000,1024,2,1000,\np-0,2000,2048,1,500,T4|G2\np-1,4000,1024,0,0,\np-3,1000,1024,1,500,T4\n"
)
ORDERS = "7 0 1 2 3 0 0 0 2 2 3\n8 3 2 1 0 0 3 2 0\n"


def a_host(devices: int = 2, *, kind: str = "A", cpu_milli: int = 8000, memory_mib: int = 16384) -> Host:
    """A host with whole devices."""
    return Host(kind=kind, devices=devices, cpu_milli=cpu_milli, memory_mib=memory_mib)


def a_shape(
    devices: int = 1, milli: int = 1000, *, cpu_milli: int = 1000, memory_mib: int = 1024, kinds: Sequence[str] = ()
) -> Shape:
    """A request; without devices it asks for CPU only."""
    milli = milli if devices else 0
    return Shape(
        devices=devices, device_milli=milli, cpu_milli=cpu_milli, memory_mib=memory_mib, kinds=frozenset(kinds)
    )


def typical_of(*shapes: Shape) -> tuple[Typical, ...]:
    """Shapes that are equally common."""
    return tuple(Typical(shape=shape, share=1 / len(shapes)) for shape in shapes)


def write_trace(folder: Path, *, nodes: str = NODES, pods: str = PODS, orders: str = ORDERS) -> TraceFiles:
    """The files of a trace, named as in its folder."""
    files = TraceFiles(
        nodes=folder / "openb_node_list_gpu_node.csv",
        pods=folder / "openb_pod_list_default.csv",
        arrivals=folder / "arrivals_default.txt",
    )
    for path, text in ((files.nodes, nodes), (files.pods, pods), (files.arrivals, orders)):
        assert path is not None
        path.write_text(text, encoding="utf-8")
    return files


def some_hosts(dice: Random, count: int = 6) -> tuple[Host, ...]:
    """Hosts of two kinds, from CPU only to four devices."""
    return tuple(
        a_host(dice.choice((0, 1, 2, 4)), kind=dice.choice("AB"), cpu_milli=dice.choice((2000, 6000, 12000)))
        for _ in range(count)
    )


def some_shapes(dice: Random, count: int = 8) -> tuple[Shape, ...]:
    """Parts of devices, whole ones, gangs, CPU only; some accept one kind."""
    return tuple(
        a_shape(
            *dice.choice(((0, 0), (1, 300), (1, 500), (1, 810), (1, 1000), (2, 1000), (4, 1000))),
            cpu_milli=dice.choice((500, 1000, 3000)),
            memory_mib=dice.choice((512, 2048, 6000)),
            kinds=dice.choice(("", "", "A", "AB")),
        )
        for _ in range(count)
    )
