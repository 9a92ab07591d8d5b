"""What it costs to choose a replica, against the rule that counts requests, in one run.

Both choose among the same replicas, each with requests in flight; turn by turn, the least of many rounds counts, since
what a busy machine adds is no property of either. Naming the beginning of a prompt is held against decoding the few
fields that the gateway reads of the same body.
"""

import json
import timeit
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import process_time
from typing import Final

from alliage.decide.route import choose
from alliage.decide.routing.board import Board
from alliage.decide.routing.bodies import read_body
from alliage.decide.routing.habits import Habits
from alliage.decide.routing.prompt import Prompt
from alliage.fleet.ids import ReplicaId
from alliage.fleet.routing import Tempo, Upstream
from alliage.fleet.services import Objective
from alliage.gateway.body import read_ask
from alliage.units import KIB

REPLICAS: Final = (4, 50, 1000)
BODIES_BYTES: Final = (512, 4 * KIB, 32 * KIB, 256 * KIB)
ROUNDS: Final = 40
IN_FLIGHT: Final = 3
SERVICE: Final = "m"
TEMPO: Final = Tempo(
    request_s=0.002, prompt_token_s=1e-4, prompt_pair_s=1e-9, step_s=0.01, step_request_s=1e-4, step_held_s=1e-8,
    step_tokens=2048, kv_tokens=200_000,
)  # fmt: skip


def least_requests(upstreams: Sequence[Upstream], in_flight: Mapping[ReplicaId, int]) -> Upstream | None:
    """The rule of before: the least requests a slot, the first of equals."""
    best: Upstream | None = None
    best_load = 0.0
    for upstream in upstreams:
        load = in_flight.get(upstream.replica, 0) / max(upstream.concurrency, 1)
        if best is None or load < best_load:
            best, best_load = upstream, load
    return best


def busy_board(upstreams: Sequence[Upstream]) -> Board:
    """Three requests at each replica, which decode."""
    board = Board()
    board.take(upstreams, (SERVICE,))
    for upstream in upstreams:
        for _ in range(IN_FLIGHT):
            board.begin(upstream, Prompt(1000), service=SERVICE, now_s=0.0).first_token(0.2)
    return board


def in_turns(*tasks: Callable[[], object], times: int) -> list[float]:
    """Microseconds of CPU of each, the least of the rounds."""
    seen = [
        [timeit.timeit(task, number=times, timer=process_time) / times * 1e6 for task in tasks] for _ in range(ROUNDS)
    ]
    return [min(each) for each in zip(*seen, strict=True)]


def one_request(upstreams: Sequence[Upstream], board: Board, prompt: Prompt, objective: Objective) -> None:
    """All that a request costs: chosen, begun, its first token, its end."""
    chosen = choose(upstreams, prompt, board, service=SERVICE, now_s=1.0, objective=objective)
    if chosen is not None:
        stay = board.begin(chosen, prompt, service=SERVICE, now_s=1.0)
        stay.first_token(1.1)
        stay.end(2.0, 256)


def print_choices() -> None:
    """One row a number of replicas."""
    print("microseconds of CPU a request; counts: the rule of before; ratio to it in brackets")
    print(f"{'replicas':>8} {'counts':>8} {'choose':>16} {'with objective':>16} {'and its whole life':>20}")
    prompt, objective = Prompt(1000, (1, 2, 3), (300, 600, 900)), Objective(ttft_s=2.0, tpot_s=0.04)
    for count in REPLICAS:
        upstreams = tuple(
            Upstream(replica=ReplicaId(f"r{index}"), host="h", port=index, key="k", concurrency=64, tempo=TEMPO)
            for index in range(count)
        )
        board = busy_board(upstreams)
        in_flight = board.in_flight()
        counts, plain, asked, whole = in_turns(
            partial(least_requests, upstreams, in_flight),
            partial(choose, upstreams, prompt, board, service=SERVICE, now_s=1.0),
            partial(choose, upstreams, prompt, board, service=SERVICE, now_s=1.0, objective=objective),
            partial(one_request, upstreams, board, prompt, objective),
            times=max(3, 2000 // count),
        )
        cells = [f"{each:.1f} ({each / counts:.1f})" for each in (plain, asked, whole)]
        print(f"{count:>8} {counts:>8.1f} {cells[0]:>16} {cells[1]:>16} {cells[2]:>20}", flush=True)


def print_bodies() -> None:
    """One row a size of body."""
    print("\nmicroseconds of CPU a body: its fields decoded, and the beginning of its prompt named")
    habits = Habits()
    for size in BODIES_BYTES:
        text = "all work and no play " * (size // 21)
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], "stream": True}).encode()
        decoded, named = in_turns(partial(read_ask, body), partial(read_body, body, 1, habits), times=200)
        blocks = len(read_body(body, 1, habits)[0].blocks)
        print(f"{size:>8} bytes {decoded:>8.1f} {named:>8.1f} ({named / decoded:.1f}), {blocks} blocks", flush=True)


def main() -> None:
    """Print both tables."""
    print_choices()
    print_bodies()


if __name__ == "__main__":
    main()
