"""The trace's files: what is read, and that bad ones are refused with file, line and value."""

from pathlib import Path

import pytest

from alliage.errors import BadInput
from alliage.replay.openb.reading import read_hosts, read_orders, read_pods, read_trace
from alliage.replay.openb.trace import Order
from tests.replay.builders import NODES, ORDERS, PODS, a_host, a_shape, write_trace


def test_nodes_and_pods_come_by_name(tmp_path: Path) -> None:
    """Whatever their order in the file; kinds are a set, and a pod without a device accepts any."""
    files = write_trace(tmp_path)
    assert files.nodes is not None
    assert files.pods is not None
    trace = read_trace(files.nodes, files.pods)
    assert trace.hosts == (a_host(4, kind="G2", cpu_milli=16000, memory_mib=32768), a_host(2, kind="T4"))
    assert [trace.shapes[shape] for shape in trace.pods] == [
        a_shape(1, 500, cpu_milli=2000, memory_mib=2048, kinds=("G2", "T4")),
        a_shape(0, cpu_milli=4000),
        a_shape(2),
        a_shape(1, 500, kinds=("T4",)),
    ]


def test_pods_without_the_column_of_kinds(tmp_path: Path) -> None:
    """Some pod files have none: every kind is accepted."""
    path = tmp_path / "pods.csv"
    path.write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1000,1024,1,1000\n", encoding="utf-8")
    assert [pod.shape for pod in read_pods(path)] == [a_shape(1)]


def test_equal_pods_share_a_shape_and_several_devices_are_whole_ones(tmp_path: Path) -> None:
    """Shapes are numbered as they first appear; no thousandths means CPU only."""
    pods = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1000,1024,2,500\nb,1000,1024,1,0\nc,1000,1024,2,1000\n"
    files = write_trace(tmp_path, pods=pods)
    assert files.nodes is not None
    assert files.pods is not None
    trace = read_trace(files.nodes, files.pods)
    assert trace.pods == (0, 1, 0)
    assert trace.shapes == (a_shape(2), a_shape(0))


def test_orders(tmp_path: Path) -> None:
    """A line a seed; empty lines are nothing."""
    path = tmp_path / "arrivals.txt"
    path.write_text("42 0 2 1\n\n43 1 1\n", encoding="utf-8")
    assert read_orders(path, 3) == (Order(seed=42, pods=(0, 2, 1)), Order(seed=43, pods=(1, 1)))


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ("", "line 1: no column sn, cpu_milli"),
        ("sn,cpu_milli,memory_mib\nn,1,1\n", "line 1: no column gpu"),
        ("sn,cpu_milli,memory_mib,gpu\n", "no rows"),
        ("sn,cpu_milli,memory_mib,gpu\nn,8.5,1,1\n", "line 2: cpu_milli '8.5'"),
        ("sn,cpu_milli,memory_mib,gpu\nn,1,1,1\nm,-1,1,1\n", "line 3: cpu_milli '-1'"),
        ("sn,cpu_milli,memory_mib,gpu\nn,1,1,99999\n", "line 2: gpu '99999'"),
        ("sn,cpu_milli,memory_mib,gpu\nn,1,1\n", "line 2: gpu ''"),
        ("sn,cpu_milli,memory_mib,gpu\nn,1,nan,1\n", "line 2: memory_mib 'nan'"),
        ("sn,cpu_milli,memory_mib,gpu\nn,1,1,1\nn,1,1,1\n", "line 3: 'n' came before"),
        ("sn,cpu_milli,memory_mib,gpu\n,1,1,1\n", "line 2: sn is empty"),
        ("sn,cpu_milli,memory_mib,gpu\nn,1,1," + "1" * 140_000, "field larger than field limit"),
    ],
)
def test_bad_nodes_are_refused(tmp_path: Path, nodes: str, told: str) -> None:
    """File, line and value are named."""
    path = tmp_path / "nodes.csv"
    path.write_text(nodes, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        read_hosts(path)
    assert str(path) in refused.value.message
    assert told in refused.value.message
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("row", "told"),
    [("p,1,1,1,1001,", "gpu_milli '1001'"), ("p,1,1,x,1,", "num_gpu 'x'"), ("p,1,1e30,1,1,", "memory_mib '1e30'")],
)
def test_bad_pods_are_refused(tmp_path: Path, row: str, told: str) -> None:
    """A device has a thousand thousandths; numbers are whole."""
    path = tmp_path / "pods.csv"
    path.write_text(PODS.splitlines()[0] + "\n" + row + "\n", encoding="utf-8")
    with pytest.raises(BadInput, match="line 2") as refused:
        read_pods(path)
    assert told in refused.value.message


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ("42 0 4\n", "line 1: 4 is no pod, there are 4"),
        ("42 0\n42 1\n", "line 2: seed 42 came before"),
        ("42 0 x\n", "line 1: 'x'"),
        ("\n", "no arrival order"),
    ],
)
def test_bad_orders_are_refused(tmp_path: Path, orders: str, told: str) -> None:
    """An index that is no pod, a seed twice, no number, nothing at all."""
    path = tmp_path / "arrivals.txt"
    path.write_text(orders, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        read_orders(path, 4)
    assert told in refused.value.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Not there, a folder, or not text."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00sn")
    for name, told in (("none", "No such file"), ("", "directory"), ("bytes", "not UTF-8")):
        with pytest.raises(BadInput) as refused:
            read_hosts(tmp_path / name)
        assert told in refused.value.message


def test_the_builder_files_are_sound(tmp_path: Path) -> None:
    """The small trace of these tests itself."""
    files = write_trace(tmp_path, nodes=NODES, pods=PODS, orders=ORDERS)
    assert files.arrivals is not None
    assert [order.seed for order in read_orders(files.arrivals, 4)] == [7, 8]
