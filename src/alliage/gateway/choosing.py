"""Which replica one request goes to, and what the board is told of it. Reads the clock, so that the decision need not."""

from collections.abc import Sequence
from time import perf_counter
from typing import Final

from alliage.decide.route import choose_seat
from alliage.decide.routing.board import Board
from alliage.decide.routing.bodies import read_body
from alliage.decide.routing.lane import Stay
from alliage.decide.routing.prompt import Prompt
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Route, Upstream

_OK: Final = 200
_now_s: Final = perf_counter


class Choosing:
    """One request's, over all its tries: at any time it is at one replica at most."""

    __slots__ = ("_awaited", "_board", "_prompt", "_stay", "_text_bytes", "saying")

    def __init__(self, board: Board) -> None:
        self._board = board
        self._prompt: Prompt | None = None
        self._text_bytes = 0
        self._stay: Stay | None = None
        self._awaited: Stay | None = None
        self.saying: Stay | None = None
        """The stay whose `said` counts the events of the pieces that come, from the one with its first token on."""

    @property
    def prompt_tokens(self) -> int:
        """About how many tokens the prompt has; 0 before it was read."""
        prompt = self._prompt
        return 0 if prompt is None else prompt.tokens

    def among(  # noqa: PLR0917 - names cost time
        self,
        upstreams: Sequence[Upstream],
        excluded: frozenset[ReplicaId],
        route: Route,
        tenant: str,
        body: bytes,
        streams: bool,  # noqa: FBT001 - see above
        now_s: float,
    ) -> Upstream | None:
        """The replica that it goes to, now; `body` is read the first time only."""
        board, service, prompt = self._board, route.service, self._prompt
        if self._stay is not None:
            self.leave()
        if prompt is None:
            prompt = self.read(service, tenant, body)
        roster = board.roster(service, upstreams, route.objective)
        seat = choose_seat(roster, prompt, board, now_s, excluded)
        if seat is None:
            return None
        self._stay = stay = board.send(seat.lane, roster.habits, prompt, now_s, streams)
        stay.is_vague = not self._text_bytes
        self._awaited = stay if streams else None
        return seat.upstream

    def read(self, service: str, tenant: str, body: bytes) -> Prompt:
        """The prompt of the body, read the first time only."""
        if self._prompt is None:
            board = self._board
            self._prompt, self._text_bytes = read_body(body, board.tenant(tenant), board.habits(service))
        return self._prompt

    def heard(self, body: bytes, status: int, first: bytes) -> None:
        """A piece of an answer while `saying` is None: the one that has `first` in it brings the first token, unless it is an error."""
        awaited = self._awaited
        if awaited is not None and body.find(first) >= 0 and body:
            if status == _OK:
                awaited.first_token(_now_s())
                self.saying = awaited
            self._awaited = None

    def unread(self) -> None:
        """Its client does not read: from here on its pace is not the replica's."""
        if self._stay is not None:
            self._stay.is_unread, self._stay.marked = True, -1

    def end(self, prompt_tokens: int, completion_tokens: int, now_s: float, *, was_continued: bool) -> None:
        """The answer is whole, of so many tokens as its engine told. `now_s` is `perf_counter`'s, where it was looked up before."""
        stay, self._stay, self.saying = self._stay, None, None
        if stay is None:
            return
        now_s = now_s or _now_s()
        if was_continued:  # its tokens are those of several replicas
            stay.end(now_s)
            return
        stay.end(now_s, completion_tokens)
        if self._text_bytes and prompt_tokens:
            stay.habits.counted(self._text_bytes, prompt_tokens)

    def leave(self) -> None:
        """It is no longer there, for whatever reason. After `end` there is nothing left to do."""
        stay = self._stay
        if stay is not None:
            self._stay = self._awaited = self.saying = None
            stay.leave(_now_s())
