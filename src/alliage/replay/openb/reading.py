"""Reads the trace's files: nodes and pods as CSV, arrival orders as lines of indices. Errors name file, line and value.

Columns that are not needed are ignored. Nodes: `sn, cpu_milli, memory_mib, gpu, model`; pods: `name, cpu_milli,
memory_mib, num_gpu, gpu_milli` and, where pods are bound to kinds, `gpu_spec` (`|`-separated, empty for any).
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alliage.decide.packing.shapes import Host, Shape
from alliage.errors import BadInput
from alliage.replay.openb.popularity import Pod
from alliage.replay.openb.trace import MILLI, Order, Trace, make_trace

DEVICES_MAX: Final = 1024
AMOUNT_MAX: Final = 2**40
"""More CPU thousandths or MiB than any node has: a slip, and past it sums would leave 64 bits."""
_NODE_COLUMNS: Final = ("sn", "cpu_milli", "memory_mib", "gpu")
_POD_COLUMNS: Final = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")


@dataclass(frozen=True, slots=True)
class _Row:
    path: Path
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        return (self.cells.get(column) or "").strip()

    def number(self, column: str, most: int = AMOUNT_MAX) -> int:
        return _number(self.text(column), self.path, self.line, column, most)


def read_trace(nodes: Path, pods: Path) -> Trace:
    """The trace of a node file and a pod file; both are sorted by name, as in the study."""
    return make_trace(read_hosts(nodes), read_pods(pods))


def read_hosts(path: Path) -> tuple[Host, ...]:
    """The nodes of a CSV file, by name. Raises BadInput."""
    named = [(row.text("sn"), _host(row)) for row in _rows(path, _NODE_COLUMNS)]
    return tuple(host for _, host in sorted(named, key=lambda each: each[0]))


def read_pods(path: Path) -> tuple[Pod, ...]:
    """The pods of a CSV file, by name. Raises BadInput."""
    named = [(row.text("name"), _pod(row)) for row in _rows(path, _POD_COLUMNS)]
    return tuple(pod for _, pod in sorted(named, key=lambda each: each[0]))


def read_orders(path: Path, pods: int) -> tuple[Order, ...]:
    """The arrival orders of a file: a line a seed, `SEED i0 i1 ...`, indices below `pods`. Raises BadInput."""
    orders: list[Order] = []
    for line, text in enumerate(_text(path).splitlines(), start=1):
        if words := text.split():
            numbers = [_number(word, path, line, "", AMOUNT_MAX) for word in words]
            _check_order(path, line, numbers, pods, orders)
            orders.append(Order(seed=numbers[0], pods=tuple(numbers[1:])))
    if not orders:
        raise BadInput(f"{path} holds no arrival order", remedy="write a line a seed: SEED i0 i1 ...")
    return tuple(orders)


def _check_order(path: Path, line: int, numbers: Sequence[int], pods: int, orders: Sequence[Order]) -> None:
    if (worst := max(numbers[1:], default=-1)) >= pods:
        raise BadInput(
            f"{path}, line {line}: {worst} is no pod, there are {pods}",
            remedy="give the arrivals that belong to this pod file, as 0-based indices of the pods sorted by name",
        )
    if any(order.seed == numbers[0] for order in orders):
        raise BadInput(f"{path}, line {line}: seed {numbers[0]} came before", remedy="give each seed one line")


def _host(row: _Row) -> Host:
    devices = row.number("gpu", DEVICES_MAX)
    kind = row.text("model") if devices else ""
    return Host(kind=kind, devices=devices, cpu_milli=row.number("cpu_milli"), memory_mib=row.number("memory_mib"))


def _pod(row: _Row) -> Pod:
    """A pod that asks for no thousandths of a device, or for no device, is CPU only; several devices are whole ones."""
    devices, milli = row.number("num_gpu", DEVICES_MAX), row.number("gpu_milli", MILLI)
    devices = devices if milli else 0
    milli = MILLI if devices > 1 else milli if devices else 0
    written = row.text("gpu_spec") if devices else ""
    kinds = frozenset(kind for kind in written.split("|") if kind)
    amounts = {column: row.number(column) for column in ("cpu_milli", "memory_mib")}
    return Pod(Shape(devices=devices, device_milli=milli, kinds=kinds, **amounts), written)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[_Row]:
    reader = csv.DictReader(_text(path).splitlines())
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(
            f"{path}, line 1: no column {', '.join(missing)}", remedy=f"the columns are {','.join(columns)}, at least"
        )
    names: set[str] = set()
    try:
        for cells in reader:
            row = _Row(path, reader.line_num, {key: cell for key, cell in cells.items() if isinstance(cell, str)})
            _check_name(row, columns[0], names)
            yield row
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: {error}", remedy="give a file of the trace") from error
    if not names:
        raise BadInput(f"{path} has no rows", remedy="give a file of the trace")


def _check_name(row: _Row, column: str, names: set[str]) -> None:
    name = row.text(column)
    if not name or name in names:
        what = f"{name!r} came before" if name else f"{column} is empty"
        raise BadInput(f"{row.path}, line {row.line}: {what}", remedy="give each row a name of its own")
    names.add(name)


def _number(text: str, path: Path, line: int, column: str, most: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not 0 <= number <= most:
        what = f"{column} {text!r}" if column else repr(text[:40])
        raise BadInput(f"{path}, line {line}: {what} cannot be", remedy=f"write a whole number from 0 to {most}")
    return number


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"{path} cannot be read: {reason}", remedy="name a file of the trace") from error
