"""Which replica one request goes to, and what the board is told of it. Reads the clock, so that the decision need not."""

from collections.abc import Sequence
from time import perf_counter
from typing import Final

from alliage.decide.route import choose
from alliage.decide.routing.board import Board
from alliage.decide.routing.bodies import Body, read_body
from alliage.decide.routing.lane import Stay
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import KeyEntry, Route, Upstream

_OK: Final = 200


class Choosing:
    """One request's, over all its tries: at any time it is at one replica at most."""

    __slots__ = ("_awaited", "_board", "_body", "_service", "_stay")

    def __init__(self, board: Board) -> None:
        self._board = board
        self._service = ""
        self._body: Body | None = None
        self._stay: Stay | None = None
        self._awaited: Stay | None = None

    def among(
        self,
        upstreams: Sequence[Upstream],
        excluded: frozenset[ReplicaId],
        route: Route,
        *,
        body: bytes,
        who: KeyEntry | None,
    ) -> Upstream | None:
        """The replica to go to; `body` is read the first time only."""
        board = self._board
        self._service = route.service
        if self._body is None:
            self._body = read_body(body, board.tenant("" if who is None else who.tenant), board.habits(route.service))
        return choose(
            upstreams,
            self._body.prompt,
            board,
            service=route.service,
            now_s=perf_counter(),
            objective=route.objective,
            excluded=excluded,
        )

    def go(self, upstream: Upstream, *, streams: bool) -> None:
        """It goes there; `among` was asked before."""
        self.leave()
        if self._body is not None:
            self._stay = self._awaited = self._board.begin(
                upstream, self._body.prompt, service=self._service, now_s=perf_counter(), streams=streams
            )

    def heard(self, body: bytes, status: int) -> None:
        """A piece of the answer: the first that says something brings the first token, unless it is an error."""
        if self._awaited is not None and body:
            if self._awaited.streams and status == _OK:
                self._awaited.first_token(perf_counter())
            self._awaited = None

    def end(self, prompt_tokens: int, completion_tokens: int, *, was_continued: bool) -> None:
        """The answer is whole, of so many tokens as its engine told."""
        stay, self._stay = self._stay, None
        self._awaited = None
        if stay is None:
            return
        if was_continued:  # its tokens are those of several replicas
            stay.end(perf_counter())
            return
        stay.end(perf_counter(), completion_tokens)
        if self._body is not None and self._body.text_bytes and prompt_tokens:
            self._board.habits(self._service).counted(self._body.text_bytes, prompt_tokens)

    def leave(self) -> None:
        """It is no longer there, for whatever reason. After `end` there is nothing left to do."""
        stay, self._stay = self._stay, None
        self._awaited = None
        if stay is not None:
            stay.leave(perf_counter())
