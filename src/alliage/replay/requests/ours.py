"""Our rule as a replay's router: `decide.route` on a board that learns from what a gateway would see."""

from collections.abc import Sequence

from alliage.decide.carrying import usual_lengths
from alliage.decide.route import choose, foresee
from alliage.decide.routing.board import Board
from alliage.decide.routing.lane import Stay
from alliage.decide.routing.prompt import Prompt
from alliage.decide.tempo import tempo_of
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Upstream
from alliage.fleet.services import Objective
from alliage.replay.requests.making import Playable
from alliage.replay.router import Seen

_SERVICE = "replayed"


class Ours:
    """One gateway, one service. With `refuses`, what is expected to miss its objective everywhere is refused."""

    def __init__(
        self, replicas: Sequence[Playable], objective: Objective, *, block_tokens: int, refuses: bool = False
    ) -> None:
        self._upstreams = tuple(
            Upstream(
                replica=ReplicaId(each.name),
                host="",
                port=0,
                key="",
                concurrency=each.pace.slots,
                engine=each.recipe.engine,
                tempo=tempo_of(each.pace, context_tokens=sum(usual_lengths(each.recipe))) if each.is_known else None,
            )
            for each in replicas
        )
        self._index = {each.replica: at for at, each in enumerate(self._upstreams)}
        self._objective, self._block_tokens, self._refuses = objective, block_tokens, refuses
        self._board = Board()
        self._board.take(self._upstreams, (_SERVICE,))
        self._stays: dict[int, Stay] = {}
        self._ends: list[int] = []

    def choose(self, request: Seen, now_s: float) -> int | None:
        """What the gateway would choose, and would then tell its board."""
        prompt = Prompt(request.prompt_tokens, request.blocks, self._ends_of(len(request.blocks)))
        chosen = choose(self._upstreams, prompt, self._board, service=_SERVICE, now_s=now_s, objective=self._objective)
        if chosen is None or (self._refuses and self._is_lost(chosen, prompt, now_s)):
            return None
        self._stays[request.key] = self._board.begin(chosen, prompt, service=_SERVICE, now_s=now_s)
        return self._index[chosen.replica]

    def began(self, key: int, _replica: int, now_s: float) -> None:
        """As the gateway sees it."""
        self._stays[key].first_token(now_s)

    def ended(self, key: int, _replica: int, now_s: float, output_tokens: int) -> None:
        """As the gateway sees it."""
        self._stays.pop(key).end(now_s, output_tokens)

    def _is_lost(self, chosen: Upstream, prompt: Prompt, now_s: float) -> bool:
        """Whether it is not expected to keep its objective where it costs least."""
        seen = foresee(chosen, prompt, self._board, service=_SERVICE, now_s=now_s)
        if seen is None:
            return False
        asked = self._objective
        return (asked.ttft_s is not None and seen.ttft_s > asked.ttft_s) or (
            asked.tpot_s is not None and seen.tpot_s > asked.tpot_s
        )

    def _ends_of(self, blocks: int) -> list[int]:
        while len(self._ends) < blocks:
            self._ends.append((len(self._ends) + 1) * self._block_tokens)
        return self._ends
