"""Rows that fit a terminal: columns that go when there is no room, sections that share the lines. Knows no nouns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from alliage.faces.telling import printable

GAP = 2
NARROW_GAP = 1
NARROW = 100
"""Below so many columns they stand nearer to each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column with all its cells. Of those that do not fit the one with the highest `rank` goes first; 0 stays."""

    title: str
    cells: Sequence[Text]
    rank: int = 0
    is_number: bool = False
    is_elastic: bool = False
    """It gives way before a column goes, down to LEAST columns; what is cut ends with an ellipsis."""

    @property
    def width(self) -> int:
        """Of its widest cell."""
        return max([len(self.title), *(cell.cell_len for cell in self.cells)])


LEAST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and its rows; `fewer` are the same told in fewer rows, for where there is no room for all."""

    heading: Text
    rows: Sequence[Text]
    fewer: "Section | None" = None
    weight: int = 1
    """How many lines it gets before others get one more."""

    def lines(self, room: int) -> list[Text]:
        """At most 1 + `room` lines: where rows are left out, the last one says how many."""
        if len(self.rows) <= room:
            return [self.heading, *self.rows]
        if self.fewer is not None:
            return self.fewer.lines(room)
        shown = self.rows[: max(0, room - 1)]
        left = len(self.rows) - len(shown)
        return [self.heading, *shown, *([Text(f"  and {left} more", style="dim")] if room > 0 else [])]


def cell(text: str, style: str = "") -> Text:
    """Text of others, free of what drives a terminal, on one line."""
    return Text(printable(text).replace("\n", " ").replace("\t", " "), style=style)


def section(columns: Sequence[Column], width: int) -> Section:
    """The columns that fit `width`, as a heading and rows."""
    gap = NARROW_GAP if width < NARROW else GAP
    kept = list(columns)
    while len(kept) > 1 and _least(kept, gap) > width:
        last = max(kept, key=lambda column: column.rank)
        if last.rank == 0:
            break
        kept.remove(last)
    widths = _widths(kept, gap, width)
    heading = _line([Text(each.title, style="bold") for each in kept], kept, widths, gap)
    rows = zip(*(column.cells for column in kept), strict=True)
    return Section(heading=heading, rows=[_line(row, kept, widths, gap) for row in rows])


def _least(columns: Sequence[Column], gap: int) -> int:
    widths = (min(LEAST, each.width) if each.is_elastic else each.width for each in columns)
    return sum(widths) + gap * (len(columns) - 1)


def _widths(columns: Sequence[Column], gap: int, width: int) -> list[int]:
    """The width of each; elastic ones share what is too much."""
    widths = [column.width for column in columns]
    over = sum(widths) + gap * (len(columns) - 1) - width
    while over > 0:
        elastic = [index for index, each in enumerate(columns) if each.is_elastic and widths[index] > LEAST]
        if not elastic:
            break
        widest = max(elastic, key=widths.__getitem__)
        widths[widest] -= 1
        over -= 1
    return widths


def _line(cells: Sequence[Text], columns: Sequence[Column], widths: Sequence[int], gap: int) -> Text:
    line = Text(no_wrap=True)
    for number, (each, column, width) in enumerate(zip(cells, columns, widths, strict=True)):
        shown = each.copy()
        shown.truncate(width, overflow="ellipsis")
        blank = " " * (width - shown.cell_len)
        if number:
            line.append(" " * gap)
        line.append_text(Text(blank) + shown if column.is_number else shown + Text(blank))
    line.rstrip()
    return line


def stacked(sections: Sequence[Section], height: int | None) -> list[Text]:
    """One below the other in `height` lines, shared as `shares` does; None: as many as it takes, with blank lines between."""
    if height is None:
        return list(_with_blanks(sections, [len(each.rows) for each in sections]))
    wanted = [len(each.rows) for each in sections]
    blanks = len(sections) - 1
    everything = sum(wanted) + len(sections) + blanks
    rooms = shares(
        wanted,
        [each.weight for each in sections],
        height - len(sections) - (blanks if everything <= height or height >= 36 else 0),
    )
    if everything <= height or height >= 36:
        return list(_with_blanks(sections, rooms))[:height]
    return [line for each, room in zip(sections, rooms, strict=True) for line in each.lines(room)][:height]


def shares(wanted: Sequence[int], weights: Sequence[int], room: int) -> list[int]:
    """Lines for each: in turn as many more as its weight, until all have what they want or there are no more."""
    given = [0 for _ in wanted]
    while room > 0 and given != list(wanted):
        for number, (most, weight) in enumerate(zip(wanted, weights, strict=True)):
            more = min(weight, most - given[number], room)
            given[number] += more
            room -= more
    return given


def _with_blanks(sections: Sequence[Section], rooms: Sequence[int]) -> Iterator[Text]:
    for number, (each, room) in enumerate(zip(sections, rooms, strict=True)):
        if number:
            yield Text("")
        yield from each.lines(room)
