"""Reads the boxed tables that vendors' tools print, by their headers. Pure.

The line and cell in which a label stands say where its value is: columns may move, be more or be less. Rows that are
cut off are left out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

TEXT_CHARS_MAX: Final = 1024 * 1024
LINE_CHARS_MAX: Final = 2000
_RULE: Final = frozenset(" \t+|=-")
_WORDS: Final = re.compile(r"\S+(?: \S+)*")
_SLASHED: Final = re.compile(r"(?<=\w) *\/ *(?=\d)")
_NAMES: Final = frozenset({"name", "gpu-name", "device name", "product name", "card name", "model"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Where a label stands: line and cell of the header, and from which character on in the cell."""

    line: int
    cell: int
    start: int
    position: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One device's lines under one header."""

    labels: dict[str, Label]
    lines: tuple[tuple[str, ...], ...]

    def cell(self, *names: str) -> str | None:
        """The whole cell under the first of these labels that the header has."""
        label = self._label(names)
        return None if label is None else _at(self.lines, label)

    def value(self, *names: str) -> str | None:
        """The value under the first of these labels that the header has, of the several in its cell."""
        label = self._label(names)
        cell = None if label is None else _at(self.lines, label)
        if label is None or cell is None:
            return None
        values = [(found.start(), found[0]) for found in _WORDS.finditer(_SLASHED.sub("/", cell))]
        if len(values) == label.of:
            return values[label.position][1]
        return None if not values else min(values, key=lambda value: abs(value[0] - label.start))[1]

    def first(self) -> str | None:
        """The first word of the row: its number."""
        words = self.lines[0][0].split() if self.lines and self.lines[0] else []
        return words[0] if words else None

    def _label(self, names: Sequence[str]) -> Label | None:
        return next((self.labels[name] for name in names if name in self.labels), None)


def rows(text: str) -> Iterator[Row]:
    """The rows of every table whose header has a label such as `Name`; other tables (processes) are passed over."""
    header: dict[str, Label] = {}
    height = 0
    for block in _blocks(text[:TEXT_CHARS_MAX]):
        if (found := _labels(block)) is not None:
            header, height = found
        elif header:
            for start in range(0, len(block) - height + 1, height):
                yield Row(labels=header, lines=tuple(block[start : start + height]))


def _blocks(text: str) -> Iterator[list[tuple[str, ...]]]:
    """Lines of cells between two rules, or other lines."""
    block: list[tuple[str, ...]] = []
    for line in text.splitlines():
        if "|" in line and len(line) <= LINE_CHARS_MAX and not _RULE.issuperset(line):
            inner = line.strip()
            block.append(tuple(inner.removeprefix("|").removesuffix("|").split("|")))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _labels(block: list[tuple[str, ...]]) -> tuple[dict[str, Label], int] | None:
    """The labels of a header block and how many lines a row has; an empty map for another table's header."""
    found: dict[str, Label] = {}
    for line, cells in enumerate(block):
        for cell, text in enumerate(cells):
            words = [(match.start(), match[0].lower()) for match in _WORDS.finditer(text)]
            for position, (start, name) in enumerate(words):
                found.setdefault(name, Label(line=line, cell=cell, start=start, position=position, of=len(words)))
    if _NAMES & found.keys():
        return found, len(block)
    return ({}, 0) if any("process" in name for name in found) else None


def _at(lines: Sequence[Sequence[str]], label: Label) -> str | None:
    line = lines[label.line] if label.line < len(lines) else ()
    return line[label.cell] if label.cell < len(line) else None
