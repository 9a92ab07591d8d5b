"""What control makes of a journal that is told to it."""

from alliage.fleet.usage import UsageRecord
from alliage.gateway.books.reading import Source
from alliage.link.messages import UsageTold
from alliage.link.stretches import Read, StretchReader
from alliage.units import KIB


def read_next(source: Source, reader: StretchReader, bytes_max: int = KIB) -> Read | None:
    """The next stretch, read; None where there is nothing new. Nothing is taken."""
    stretch = source.stretch(bytes_max)
    if stretch is None:
        return None
    names = None if stretch.names is None else tuple(stretch.names)
    return reader.read(
        UsageTold(journal=source.name, number=1, at=stretch.at, names=names, entries=stretch.data),
    )


def all_of(source: Source, bytes_max: int = KIB) -> list[UsageRecord]:
    """Every record, on a line of its own, taken as it is told."""
    source.again()
    reader, found = StretchReader(), list[UsageRecord]()
    while True:
        read = read_next(source, reader, bytes_max)
        found += () if read is None else read.records
        if source.take(source.taken if read is None else read.upto) or read is None:
            return found
