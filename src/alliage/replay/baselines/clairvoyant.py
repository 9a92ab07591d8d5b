"""Baseline: clairvoyant. It knows how long answers will be and what each engine does; not who comes later.

`least-finish` sends a request where it ends first; `least-missed` where the fewest objectives are missed because of it,
those of requests that are there already counted too, and of such replicas where it ends first.
"""

from collections.abc import Sequence
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from alliage.decide.price.compiling import kernels
from alliage.fleet.services import Objective
from alliage.replay.baselines import foresight as plain
from alliage.replay.router import Seen
from alliage.speed.batching import Batching
from alliage.speed.pace import Pace
from alliage.speed.roofline import STATE_BYTES, compute_share, fixed_s, touched_bytes


class Clairvoyant:
    """A router that plays each replica's future. `lengths[key]` are the answers' tokens."""

    def __init__(
        self,
        machines: Sequence[Batching],
        lengths: Sequence[int],
        *,
        objective: Objective | None = None,
        compiled: bool = True,
    ) -> None:
        """With an `objective` the fewest missed, without one the least finish."""
        self._machines, self._lengths = machines, lengths
        self._kernel = kernels(plain.__name__, compiled=compiled).foresee
        self._figures = [_figures(machine.pace, machine.slow) for machine in machines]
        self._touched = [_touched(machine.pace) for machine in machines]
        self._judges = objective is not None
        self._ttft_s = inf if objective is None or objective.ttft_s is None else objective.ttft_s
        self._tpot_s = inf if objective is None or objective.tpot_s is None else objective.tpot_s
        self._missed = [0] * len(machines)
        """Of those who are there, how many will miss an objective if nobody comes."""
        self._sent = [0] * len(machines)
        self._known: list[tuple[tuple[int, int], NDArray[np.float64], int, int] | None] = [None] * len(machines)
        self._arrived_s: dict[int, float] = {}
        self._first_s: dict[int, float] = {}

    def choose(self, request: Seen, now_s: float) -> int:
        """The best one; the first of equals."""
        self._arrived_s[request.key] = now_s
        best, chosen, missed = (inf, inf), 0, 0
        for at in range(len(self._machines)):
            ends_s, all_missed = self.foresee(request, at, now_s)
            cost = (float(all_missed - self._missed[at]), ends_s)
            if cost < best:
                best, chosen, missed = cost, at, all_missed
        self._missed[chosen] = missed
        self._sent[chosen] += 1
        return chosen

    def began(self, key: int, _replica: int, now_s: float) -> None:
        """For its objective."""
        self._first_s[key] = now_s

    def ended(self, key: int, replica: int, now_s: float, output_tokens: int) -> None:
        """It is forgotten; if it missed its objective, that is one less to come."""
        arrived_s, first_s = self._arrived_s.pop(key), self._first_s.pop(key)
        tokens_s = self._tpot_s * max(1, output_tokens - 1)
        if self._judges and (first_s - arrived_s > self._ttft_s or now_s - first_s > tokens_s):
            self._missed[replica] -= 1

    def foresee(self, request: Seen, at: int, now_s: float) -> tuple[float, int]:
        """When it would end there, and how many that are there then miss an objective, itself counted."""
        there, decoding, reading = self._members(at)
        output = float(self._lengths[request.key])
        hit = float(self._machines[at].hit(request.blocks, request.prompt_tokens))
        mine = (float(request.prompt_tokens), hit, 0.0, output, output, now_s, nan, hit)
        ends_s, missed = self._play(np.vstack((there, (mine,))), decoding, reading, at, now_s)
        return ends_s, missed if self._judges else 0

    def _members(self, at: int) -> tuple[NDArray[np.float64], int, int]:
        """Rows of the kernel; how many of them decode, how many are read. Kept while nothing changes."""
        machine, known = self._machines[at], self._known[at]
        stamp = (machine.steps, self._sent[at])
        if known is not None and known[0] == stamp:
            return known[1], known[2], known[3]
        rows = []
        for name, prompt, filled, chunk, left in machine.members():
            key = int(name)
            first_s = self._first_s.get(key, nan)
            hit = 0.0 if not chunk else float(filled)
            rows.append((prompt, filled, chunk, left, self._lengths[key], self._arrived_s[key], first_s, hit))
        there = np.array(rows, dtype=np.float64).reshape(len(rows), 8)
        reading = machine.reading
        self._known[at] = stamp, there, machine.running - reading, reading
        return there, machine.running - reading, reading

    def _play(
        self, members: NDArray[np.float64], decoding: int, reading: int, at: int, now_s: float
    ) -> tuple[float, int]:
        machine = self._machines[at]
        due_s, pace = machine.due_s, machine.pace
        answer: tuple[float, int] = self._kernel(
            members,
            decoding,
            reading,
            now_s if due_s is None else due_s,
            machine.kv_share * pace.kv_tokens,
            self._figures[at],
            self._touched[at],
            pace.slots,
            pace.step_tokens,
            float(pace.kv_tokens),
            self._ttft_s,
            self._tpot_s,
            self._judges,
        )
        return answer


def _figures(pace: Pace, slow: float) -> NDArray[np.float64]:
    """In the order that the kernel has them; those of prompts are taken over from two lengths."""
    work, reached = pace.work, pace.efficiency
    flops = work.flops * compute_share(work, reached)
    state_bytes = 2 * STATE_BYTES * work.model.state_values
    first_s = pace.prefill_s(0, 0, is_first=True)
    short, long = 1024, 4096
    per_short, per_long = (pace.prefill_s(0, tokens, is_first=False) / tokens for tokens in (short, long))
    pair_s = (per_long - per_short) / (long - short)
    return np.array(
        [
            fixed_s(work, reached),
            reached.sequence_s,
            work.bandwidth * reached.bandwidth,
            state_bytes,
            work.model.read_values(1024) / 1024 * work.kv_bytes,
            work.token_flops / flops,
            reached.overlap,
            reached.rate,
            first_s,
            per_short - short * pair_s,
            pair_s,
            slow,
        ]
    )


def _touched(pace: Pace) -> NDArray[np.float64]:
    """Bytes of weights that a step reads, by its batch."""
    return np.array([touched_bytes(pace.work, batch) for batch in range(pace.slots + 1)])
