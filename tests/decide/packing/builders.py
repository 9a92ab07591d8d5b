"""Hosts, shapes and mixes for the tests of packing: by hand, and as Hypothesis strategies."""

from hypothesis import strategies as st

from alliage.decide.packing.shapes import Host, Shape, Typical

KINDS = ("red", "green", "blue")


def host(kind: str = "red", devices: int = 4, cpu: int = 32_000, memory: int = 65_536) -> Host:
    """A host of four devices, unless said otherwise."""
    return Host(kind=kind, devices=devices, cpu_milli=cpu, memory_mib=memory)


def part(milli: int, cpu: int = 2_000, memory: int = 1_024, *kinds: str) -> Shape:
    """A request for a part of a device, or one whole device (1000)."""
    return Shape(devices=1, device_milli=milli, cpu_milli=cpu, memory_mib=memory, kinds=frozenset(kinds))


def gang(devices: int, cpu: int = 8_000, memory: int = 4_096, *kinds: str) -> Shape:
    """A request for whole devices."""
    return Shape(devices=devices, device_milli=1000, cpu_milli=cpu, memory_mib=memory, kinds=frozenset(kinds))


def bare(cpu: int, memory: int = 1_024) -> Shape:
    """A request without devices."""
    return Shape(devices=0, device_milli=0, cpu_milli=cpu, memory_mib=memory)


def evenly(*shapes: Shape) -> tuple[Typical, ...]:
    """All of them as frequent."""
    return tuple(Typical(shape=shape, share=1 / len(shapes)) for shape in shapes)


def hosts() -> st.SearchStrategy[Host]:
    """Small hosts, a few of them alike, some without devices."""
    return st.builds(
        host,
        kind=st.sampled_from(KINDS),
        devices=st.sampled_from((0, 1, 2, 2, 4)),
        cpu=st.sampled_from((4_000, 9_500, 16_000)),
        memory=st.sampled_from((8_192, 32_768)),
    )


def shapes() -> st.SearchStrategy[Shape]:
    """Parts, whole devices, gangs and requests without devices, some bound to kinds."""
    return st.builds(
        lambda size, cpu, memory, kinds: Shape(
            devices=size[0],
            device_milli=size[1],
            cpu_milli=cpu,
            memory_mib=memory,
            kinds=kinds if size[0] else frozenset(),
        ),
        st.sampled_from(((0, 0), (1, 150), (1, 330), (1, 470), (1, 810), (1, 1000), (2, 1000), (4, 1000))),
        st.sampled_from((0, 700, 1_500, 3_152, 6_000)),
        st.sampled_from((0, 1_024, 5_000)),
        st.sampled_from((frozenset[str](), frozenset[str](), frozenset({"red"}), frozenset({"green", "blue"}))),
    )


def mixes() -> st.SearchStrategy[tuple[Typical, ...]]:
    """What is said to be typical; it may be nothing, or have nothing to do with what comes."""
    return st.lists(
        st.builds(lambda shape, share: Typical(shape=shape, share=share), shapes(), st.sampled_from((0.02, 0.1, 0.3))),
        max_size=6,
    ).map(tuple)
