"""Tells control what the journals hold: a few hundred records at a time, each batch when the one before was taken, again when the line was lost."""

from collections.abc import Callable
from time import monotonic
from typing import Final

import msgspec

from alliage.errors import LinkError
from alliage.gateway.books.reading import Source
from alliage.link.messages import UsageEncoded, UsageTaken

RECORDS_MAX: Final = 500
AGAIN_S: Final = 15.0
"""A batch that control has not taken by then, on a line that stands, is told again."""

Send = Callable[[UsageEncoded], None]


class Teller:
    """Of each journal one batch is under way at most. Control takes a record once, however often it is told."""

    __slots__ = ("_send", "_told", "sources", "taken")

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.taken = 0
        """Records that control has taken of this process."""
        self._send: Send | None = None
        self._told: dict[str, tuple[int, int, float]] = {}

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
            if told is not None and monotonic() - told[2] < AGAIN_S:
                continue
            if told is not None:
                source.again()
            self._tell(source)

    def hear(self, message: UsageTaken) -> None:
        """Control has taken a batch: the next one goes at once."""
        source = self.sources.get(message.journal)
        told = self._told.get(message.journal)
        if source is None or told is None or message.upto != told[0]:
            return  # an older answer, to what was told before
        del self._told[message.journal]
        self.taken += told[1]
        if source.take(message.upto):
            del self.sources[source.name]
        else:
            self._tell(source)

    def _tell(self, source: Source) -> None:
        if self._send is None:
            return  # before anything is read, for what was read counts as told until there is another line
        records, upto = source.batch(RECORDS_MAX)
        if not records:
            if source.take(upto):
                del self.sources[source.name]
            return
        self._told[source.name] = (upto, len(records), monotonic())
        message = UsageEncoded(journal=source.name, upto=upto, records=tuple(map(msgspec.Raw, records)))
        try:
            self._send(message)
        except LinkError:
            self._send = None  # the line's owner hears of it too; all is told again on the next
