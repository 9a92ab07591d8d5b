"""The account of one request that named a service: opened at its first replica, closed once.

Its record stands in the journal before the last bytes of its answer go to the socket, so what a client saw complete is billed.
Between, marks say how far it is: never more than the kernel had taken for the client.
"""

import asyncio
from collections import deque
from time import perf_counter, time
from typing import Final

from alliage.fleet.routing import Upstream
from alliage.gateway.books.endings import is_done, says_why
from alliage.gateway.books.journal import Journal, Names, Segment
from alliage.gateway.books.naming import Naming
from alliage.gateway.counts import sane
from alliage.gateway.passing import Passing
from alliage.gateway.stats import CLIENT_GONE
from alliage.link.entries import CONTINUED, END, MARK_BYTES, OPEN, TOLD, UNSEEN, mark_entry, request_check

_CUT: Final = 0
_FINISHED: Final = 1
_FAILED: Final = 2
_CANCELLED: Final = 3
"""How a request ended, by its place in `ENDINGS`."""
_ROLE: Final = b'"role"'
_ROLES_AMONG: Final = 16
"""Events that only say whose turn it is are among the first: one for each of several answers."""
_LAST_EVENTS: Final = 2
"""Of a whole stream, those without a token: why it stopped, and that it is over."""
_SECOND_US: Final = 1e6
_now_s: Final = perf_counter
_UNCOUNTED_MAX: Final = 64


class Books:
    """What the accounts of one gateway process have in common. Without a journal nothing is metered."""

    __slots__ = ("epoch_s", "first", "journal", "open", "uncounted", "unended", "unwritten")

    def __init__(self, journal: Journal | None) -> None:
        self.journal = journal
        self.first: Account | None = None
        """Of those that a replica works for the last that came; each knows the ones beside it: a dict costs more than all of this."""
        self.open = 0
        """How many these are."""
        self.epoch_s = time() - perf_counter()
        """What `perf_counter` is behind the time since 1970; looked up again with each mark, for clocks are set."""
        self.uncounted: deque[Account] = deque()
        """Those that are over, whose tokens are still to be counted."""
        self.unended: list[Account] = []
        """Those that are over, whose record found no room yet: the journal has promised them."""
        self.unwritten = 0
        """Requests of which there is no record, because there was no room for it."""

    @property
    def why_full(self) -> str:
        """Why new requests are not written down; "" where they are, or where nothing is metered."""
        return "" if self.journal is None else self.journal.why_full

    def mark(self) -> None:
        """Write down how far each is, and what had found no room."""
        for account in self.to_mark():
            account.mark()

    def to_mark(self) -> "list[Account]":
        """Those that are to be marked now; what had found no room is written down."""
        journal = self.journal
        if journal is None:
            return []
        self.epoch_s = time() - perf_counter()
        if journal.why_full:
            journal.turn()
        waiting, self.unended = self.unended, []
        for account in waiting:
            account.write()
        accounts: list[Account] = []
        one = self.first
        while one is not None:
            accounts.append(one)
            one = one.after
        return accounts


class Account:
    """One request's. After the first of `finished`, `failed` and `left` the others do nothing."""

    __slots__ = (
        "_asked", "_began_s", "_books", "_bytes", "_cached", "_check", "_duration_us", "_endpoint", "_events", "_first_s", "_held_bytes", "_held_events",
        "_id", "_is_in", "_is_over", "_is_unread", "_last", "_marked", "_names", "_naming", "_output", "_passing", "_pin", "_place", "_prompt", "_prompt_about",
        "_roles", "_said", "_since_us", "_state", "_status", "_tpot_us", "_transport", "_upstream", "after", "before", "ended_s",
    )  # fmt: skip

    def __init__(
        self, books: Books, request_id: bytes, endpoint: bytes, transport: asyncio.Transport, began_s: float = 0.0
    ) -> None:
        """`began_s` is `perf_counter`'s, where it was looked up before."""
        self._books = books
        self._id = request_id
        self._endpoint = endpoint
        self._transport = transport
        self._began_s = began_s = began_s or _now_s()
        self._since_us = int((began_s + books.epoch_s) * _SECOND_US)
        self.ended_s = 0.0  # by `perf_counter`; 0 before
        self.before: Account | None = None  # in `books`
        self.after: Account | None = None
        self._first_s = 0.0
        self._naming: Naming | None = None
        self._upstream: Upstream | None = None
        self._names: Names | None = None
        self._passing: Passing | None = None
        self._check = 0  # the request id's part of each entry's
        self._place = 0  # of its first entry; 0 while there is none
        self._pin: Segment | None = None  # where its newest whole entry is
        self._prompt_about = 0
        self._events = self._roles = self._bytes = 0
        self._last = b""
        self._held_events = self._held_bytes = self._marked = 0
        self._is_in = self._is_unread = self._is_over = False
        self._state = _CUT
        self._status = self._prompt = self._cached = self._output = 0
        self._duration_us = 0
        self._tpot_us = UNSEEN
        self._asked = self._said = b""

    def named(self, naming: Naming) -> None:
        """Whose request it is, and what it asks for; told again whenever it is routed again."""
        self._naming = naming

    def enter(self, upstream: Upstream, prompt_tokens: int) -> None:
        """It is given to this replica; its prompt has about so many tokens."""
        books, naming = self._books, self._naming
        if books.journal is None or naming is None or self._is_over:
            return
        self._upstream = upstream
        self._prompt_about = prompt_tokens
        names = naming.of(self._endpoint, upstream)
        if names is self._names:
            return
        if self._names is None:
            self._check = request_check(self._id)
        self._names = names
        if self._events:
            self._state |= CONTINUED
        if not self._is_in:
            self._join()
        self._open()

    def passes(self, passing: Passing, out: bytes, events: int, is_over: bool) -> None:  # noqa: FBT001  # data path
        """This piece of the answer, with so many events, goes to the client next. It is finished where it is over, or says so itself."""
        self._passing = passing
        if passing.streams:
            is_over = self._passes_events(out, events) or is_over
        if is_over:
            self.finished(passing)

    def unread(self) -> None:
        """Its client does not read: from here on its pace is not the replica's."""
        self._is_unread = True

    def finished(self, passing: Passing) -> None:
        """The answer is whole, and what is left of it goes to the client next."""
        if self._is_over or self._books.journal is None:
            return
        self._passing = passing
        status = passing.status
        prompt, output, cached = passing.counts()
        if prompt or status >= 300:
            self._cached = cached
            self._end(_FINISHED | TOLD, status, prompt, output)
        else:
            self._uncounted(_FINISHED, status)

    def failed(self, status: int) -> None:
        """The client gets no answer, or not the whole of it. Where no replica was asked nothing was used: that leaves no record."""
        if not self._is_over and self._upstream is not None:
            self._uncounted(_FAILED, status)

    def left(self) -> None:
        """The client is gone."""
        if not self._is_over and self._upstream is not None:
            self._uncounted(_CANCELLED, CLIENT_GONE)

    def to_count(self) -> tuple[Upstream | None, str, bytes, bytes]:
        """Who may count its tokens, the service, the request, and what was passed of the answer."""
        naming = self._naming
        return self._upstream, "" if naming is None else naming.service, self._asked, self._said

    def counted(self, prompt: int | None, output: int | None) -> None:
        """It is over, and has these tokens; None: as counted before."""
        self._asked = self._said = b""
        self._prompt = self._prompt if prompt is None else sane(prompt)
        self._output = self._output if output is None else sane(output)
        self.write()

    def mark(self) -> None:
        """Write down how far it is, where that is news, or where its last word is in an old segment. Nothing where it is over."""
        journal = self._books.journal
        if journal is None or not self._is_in:
            return
        if not self._place:
            self._open()
            return
        news = self._claim()
        pin, segments = self._pin, journal.segments
        if not news and (pin is segments[-1] or (len(segments) > 1 and pin is segments[-2])):
            return
        if not journal.room(MARK_BYTES):
            return
        if pin is journal.current:
            self._mark(journal)
        else:
            self._put(journal, OPEN)

    def write(self) -> None:
        """Its record; kept for later where there is no room and the journal has promised it."""
        books, journal, names = self._books, self._books.journal, self._names
        if journal is None or names is None:
            return
        if not self._place and not journal.room(names.most_bytes):
            books.unwritten += 1  # what room there is belongs to those that were promised it
        elif self._put(journal, END) >= 0:
            self._unpin()
            journal.opened -= self._place > 0
        elif self._place:
            books.unended.append(self)
        else:
            books.unwritten += 1

    def _passes_events(self, out: bytes, events: int) -> bool:
        """Whether the last of them says that the answer is over."""
        if self._events < _ROLES_AMONG:
            if not self._events and events:
                self._first_s = _now_s()
            self._roles += out.count(_ROLE)
        self._events += events
        self._bytes += len(out)
        self._last = out
        return is_done(out)

    def _join(self) -> None:
        books = self._books
        self._is_in = True
        self.after = after = books.first
        if after is not None:
            after.before = self
        books.first = self
        books.open += 1

    def _leave(self) -> None:
        books, before, after = self._books, self.before, self.after
        books.open -= 1
        self._is_in = False
        self.before = self.after = None
        if before is None:
            books.first = after
        else:
            before.after = after
        if after is not None:
            after.before = before

    def _open(self) -> None:
        """Its first entry, or the same again with the names that have changed."""
        journal, names = self._books.journal, self._names
        if journal is None or names is None or not journal.room(names.most_bytes):
            return
        place = self._put(journal, OPEN) if self._place or self._state else self._begin(journal, names)
        if place >= 0 and not self._place:
            self._place = place
            journal.opened += 1

    def _begin(self, journal: Journal, names: Names) -> int:
        number, current = journal.named(names), journal.current
        if number < 0 or current is None:
            return -1
        self._pin = current
        current.pins += 1
        return current.begin(number, self._since_us, self._id, self._check)

    def _put(self, journal: Journal, kind: int) -> int:
        """A whole entry of it as it stands now; its place, -1 where there is no room."""
        names = self._names
        if names is None:
            return -1
        number = journal.named_with_room(names, is_promised=kind == END and self._place > 0)
        current = journal.current
        if number < 0 or current is None:
            return -1
        place = current.put_whole(
            kind, self._place, number, self._since_us, self._prompt, self._cached, self._output, self._so_far_us(), self._ttft_us(),
            self._tpot_us, self._status, self._state, self._id, self._check,
        )  # fmt: skip
        if kind == OPEN:
            self._unpin()
            self._pin = current
            current.pins += 1
        return place

    def _ttft_us(self) -> int:
        return (int((self._first_s - self._began_s) * _SECOND_US) or 1) if self._first_s else UNSEEN

    def _so_far_us(self) -> int:
        return self._duration_us if self._is_over else int((_now_s() - self._began_s) * _SECOND_US)

    def _unpin(self) -> None:
        pin, self._pin = self._pin, None
        if pin is not None:
            pin.pins -= 1

    def _mark(self, journal: Journal) -> None:
        journal.put(mark_entry(
            self._place, self._prompt, self._cached, self._output, self._so_far_us(), self._ttft_us(), self._status, self._state
        ))  # fmt: skip

    def _claim(self) -> bool:
        """Take over what the client's kernel buffer has had by now; whether that is more than before.

        Where some of the answer is unsent, an earlier look tells: all that had been passed by then is sent once more bytes
        than that have left.
        """
        if self._events == self._marked:
            return False
        unsent = self._transport.get_write_buffer_size()
        if not unsent:
            self._take(self._events, self._last)
            return True
        is_sent = bool(self._held_events) and self._bytes - unsent >= self._held_bytes
        if is_sent:
            self._take(self._held_events, b"")
        if is_sent or not self._held_events:
            self._held_events, self._held_bytes = self._events, self._bytes
        return is_sent

    def _take(self, events: int, last: bytes) -> None:
        self._marked = events
        self._prompt = self._prompt_about
        self._status = 200
        passing = self._passing
        if passing is not None:
            prompt, output, _ = passing.counts()
            if prompt:
                self._prompt, self._output = prompt, output
                self._state |= TOLD
                return
        self._output = max(self._output, events - self._roles - says_why(last))

    def _uncounted(self, ending: int, status: int) -> None:
        """It is over and its engine has not told its tokens: they are counted, here, and where the text is there by an engine."""
        passing = self._passing
        prompt, output = 0, 0
        if passing is None:  # nothing was said: nothing is to be counted
            ending |= TOLD
        else:
            prompt, output, _ = passing.counts()
            if prompt:  # it told, and then something went wrong
                self._end(ending | TOLD, status, prompt, output)
                return
            prompt = self._prompt_about
            over = _LAST_EVENTS if ending == _FINISHED else 0
            output = max(output, self._events - self._roles - over)  # of a continued one the parts before are counted
            books = self._books
            self._asked, self._said = passing.kept()
            if self._said and output and self._place and len(books.uncounted) < _UNCOUNTED_MAX:
                self._over(ending, status, prompt, output)
                books.uncounted.append(self)
                if books.journal is not None:
                    if self._pin is books.journal.current and books.journal.room(MARK_BYTES):
                        self._mark(books.journal)
                    else:
                        self._put(books.journal, OPEN)
                return
            self._asked = self._said = b""
        self._end(ending, status, prompt, output)

    def _end(self, state: int, status: int, prompt: int, output: int) -> None:
        self._over(state, status, prompt, output)
        self.write()

    def _over(self, state: int, status: int, prompt: int, output: int) -> None:
        self.ended_s = now_s = _now_s()
        self._is_over = True
        self._state = (self._state & CONTINUED) | state
        self._status = status
        self._prompt = prompt
        self._output = output
        self._duration_us = int((now_s - self._began_s) * _SECOND_US)
        if self._first_s and output > 1 and not self._is_unread:
            self._tpot_us = int((now_s - self._first_s) / (output - 1) * _SECOND_US) or 1
        self._passing = None
        self._last = b""
        if self._is_in:
            self._leave()
