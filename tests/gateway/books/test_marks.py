"""What a mark claims: all that the kernel has taken for the client, and nothing that still waits in this process."""

import asyncio
import tempfile
from pathlib import Path
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry
from alliage.fleet.usage import UsageRecord
from alliage.gateway.answer_head import AnswerHead
from alliage.gateway.books.accounts import Account, Books
from alliage.gateway.books.journal import Journal
from alliage.gateway.books.naming import Naming
from alliage.gateway.books.reading import Inherited
from alliage.gateway.cohort import Cohort
from alliage.gateway.decoded import Ask
from alliage.gateway.endpoints import Action, Endpoint
from alliage.gateway.kept import Kept
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.passing import Passing
from alliage.gateway.pools import Pool, Watch
from alliage.gateway.request import Request
from alliage.gateway.sse import EVENT
from alliage.gateway.upstream import UpstreamConnection
from alliage.units import KIB, MIB
from tests.conftest import examples
from tests.gateway.books.reading import all_of
from tests.gateway.house import upstream
from tests.gateway.upstream import event

_CHAT = Endpoint(path=b"/v1/chat/completions", method=b"POST", action=Action.RELAY, streams=True)
_WHO = KeyEntry(key=KeyId("k"), tenant="t", role=Role.USER)
_ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
_FINISH = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


class _Pipe:
    """A transport as far as an account looks at it: what it was given, and what the kernel has not taken."""

    def __init__(self) -> None:
        self.unsent = 0

    def get_write_buffer_size(self) -> int:
        return self.unsent


def _stream() -> Passing:
    """A stream of which no engine has told anything."""
    loop = asyncio.new_event_loop()
    try:
        connection = UpstreamConnection(
            Pool(upstream("a", 1), loop, GatewayLimits(), cast(Watch, None), Cohort(lambda work: work()))
        )
    finally:
        loop.close()
    connection.head = AnswerHead(200, {b"Content-Type": b"text/event-stream"})
    request = Request(b"POST", _CHAT.path, "1.1", {}, True, 0)
    ask = Ask(model="m", stream=True)
    return Passing(connection, request, _CHAT, ask, keep=True, rehearsed=False, kept=Kept(0))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _left(folder: Path, journal: Journal) -> UsageRecord:
    """What an heir would tell of the only request if the process died now: the files are as they are, the heir's own copy is read."""
    copy = folder / journal.name
    copy.mkdir()
    for path in journal.folder.glob("*.seg"):
        (copy / path.name).write_bytes(path.read_bytes())
    heir = Inherited(copy, -1)
    (record,) = all_of(heir)
    return record


def _account(journal: Journal, pipe: _Pipe) -> tuple[Books, Account]:
    books = Books(journal)
    account = Account(books, b"r", b"/v1/chat/completions", cast(asyncio.Transport, pipe))
    account.named(Naming(_WHO, "m"))
    account.enter(upstream("a", 1), 50)
    return books, account


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 600)), min_size=1, max_size=12))
@settings(max_examples=examples(50))
def test_a_mark_never_claims_what_is_unsent(steps: list[tuple[int, int]]) -> None:
    """Whatever comes and however much of it waits at each look: no more than was sent, all of it once the buffer is empty."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal, pipe = Journal(folder / "usage", bytes_max=MIB, segment_bytes=64 * KIB), _Pipe()
        books, account = _account(journal, pipe)
        passing = _stream()
        pieces = [_chunk(_ROLE)]
        account.passes(passing, pieces[0], pieces[0].count(EVENT), False)
        for events, unsent in steps:
            more = [_chunk(event("x"))] * events
            for piece in more:
                account.passes(passing, piece, piece.count(EVENT), False)
            pieces += more
            pipe.unsent = min(unsent, pipe.unsent + sum(map(len, more)))
            books.mark()
            claimed, tokens = account._output, _tokens(pieces, pipe.unsent)
            assert claimed <= max(tokens, 0)
            assert claimed == tokens or pipe.unsent
        pipe.unsent = 0
        account.passes(passing, _chunk(_FINISH), _chunk(_FINISH).count(EVENT), False)
        books.mark()
        last = _left(folder, journal)
        assert (last.output_tokens, last.prompt_tokens) == (sum(events for events, _ in steps), 50)
        journal.close(is_done=True)


def _tokens(pieces: list[bytes], unsent: int) -> int:
    """Of whole pieces that have left, those but the first; -1 where that one has not."""
    sent, tokens = sum(map(len, pieces)) - unsent, -1
    for piece in pieces:
        sent -= len(piece)
        tokens += sent >= 0
    return tokens


def test_a_slow_reader_is_claimed_by_what_left(tmp_path: Path) -> None:
    """Its buffer is never empty when it is looked at; still what had been passed by an earlier look is claimed once it has left."""
    journal, pipe = Journal(tmp_path / "usage", bytes_max=MIB, segment_bytes=64 * KIB), _Pipe()
    books, account = _account(journal, pipe)
    passing = _stream()
    account.passes(passing, _chunk(_ROLE), _chunk(_ROLE).count(EVENT), False)
    piece = _chunk(event("x"))
    for _ in range(10):
        account.passes(passing, piece, piece.count(EVENT), False)
    pipe.unsent = len(piece)
    books.mark()
    for _ in range(10):
        account.passes(passing, piece, piece.count(EVENT), False)
    pipe.unsent = 2 * len(piece)
    books.mark()
    assert _left(tmp_path, journal).output_tokens == 10
    journal.close(is_done=True)


def test_one_that_ended_between_the_parts_is_not_marked(tmp_path: Path) -> None:
    """It was to be marked when the round began, and its record stands by now: nothing comes after that."""
    journal, pipe = Journal(tmp_path / "usage", bytes_max=MIB, segment_bytes=64 * KIB), _Pipe()
    books, account = _account(journal, pipe)
    passing = _stream()
    for piece in (_chunk(_ROLE), _chunk(event("x")), _chunk(_FINISH)):
        account.passes(passing, piece, piece.count(EVENT), False)
    due = books.to_mark()
    assert due == [account]
    account.finished(passing)
    ended = [path.read_bytes() for path in journal.folder.glob("*.seg")]
    for one in due:
        one.mark()
    assert [path.read_bytes() for path in journal.folder.glob("*.seg")] == ended
    assert not books.to_mark()
    journal.close(is_done=True)
