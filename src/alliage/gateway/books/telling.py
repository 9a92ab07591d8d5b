"""Tells control what the journals hold, as it stands there: each stretch when the one before was taken, again when the line was lost."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from alliage.errors import LinkError
from alliage.gateway.books.reading import Source
from alliage.link.messages import UsageTaken, UsageTold
from alliage.units import KIB

STRETCH_BYTES_MAX: Final = 64 * KIB
"""About 400 requests."""
AGAIN_S: Final = 15.0
"""A stretch that control has not taken by then, on a line that stands, is told again."""

Send = Callable[[UsageTold], None]


class _Told:
    """A stretch that is under way."""

    __slots__ = ("is_last", "number", "told_s")

    def __init__(self, number: int, *, is_last: bool) -> None:
        self.number = number
        self.is_last = is_last
        self.told_s = monotonic()


class Teller:
    """Of each journal one stretch is under way at most. Control takes a record once, however often it is told."""

    __slots__ = ("_number", "_send", "_told", "sources", "taken")

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.taken = 0
        """Records that control has taken of this process."""
        self._send: Send | None = None
        self._number = 0
        self._told: dict[str, _Told] = {}

    def begin(self, send: Send) -> None:
        """There is a line: all that was not taken is told on it."""
        self._send = send
        self._told.clear()
        for source in self.sources.values():
            source.again()

    def lost(self) -> None:
        """There is none now."""
        self._send = None

    @property
    def is_done(self) -> bool:
        """Whether nothing that was told is still to be taken."""
        return not self._told

    def tell(self) -> None:
        """What there is to tell now."""
        for source in tuple(self.sources.values()):
            if self._send is None:
                return
            told = self._told.get(source.name)
            if told is not None and monotonic() - told.told_s < AGAIN_S:
                continue
            if told is not None:
                source.again()
            self._tell(source)

    def hear(self, message: UsageTaken) -> None:
        """Control has taken a stretch: what was behind it goes at once, what came since when it is time to tell.

        A late answer, to what has been told again since, is as good: how far control has taken the journal is true whoever asked.
        """
        source = self.sources.get(message.journal)
        if source is None:
            return
        told = self._told.get(message.journal)
        is_newest = told is not None and message.number == told.number
        if is_newest:
            del self._told[message.journal]
        if message.upto > source.taken:
            self.taken += message.records
        if source.take(message.upto):
            del self.sources[source.name]
            self._told.pop(source.name, None)
        elif is_newest and told is not None and not told.is_last:
            self._tell(source)

    def _tell(self, source: Source) -> None:
        if self._send is None:
            return
        stretch = source.stretch(STRETCH_BYTES_MAX)
        if stretch is None:
            if source.take(source.taken):
                del self.sources[source.name]
            return
        self._number += 1
        self._told[source.name] = _Told(self._number, is_last=stretch.is_last)
        message = UsageTold(
            journal=source.name,
            number=self._number,
            at=stretch.at,
            names=None if stretch.names is None else tuple(stretch.names),
            entries=stretch.data,
        )
        try:
            self._send(message)
        except LinkError:
            self._send = None  # the line's owner hears of it too; all is told again on the next
