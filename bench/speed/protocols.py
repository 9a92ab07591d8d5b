"""What a case's source would have printed, by the speed model: tokens a second, and mean TTFT and TPOT.

Here are only the arithmetic of how things were measured; seconds of a step and of a prefill come from `alliage.speed`.
"""

import math
from dataclasses import dataclass
from typing import Final

from alliage.speed.efficiency import Efficiency
from alliage.speed.roofline import Work, fixed_s, prefill_s, step_reading_s, touched_bytes
from bench.speed.cases import Case, Group, Protocol

DRAFTED: Final = 3.0
"""Tokens that a speculative step checks beside the one it makes, where the source does not say."""
ACCEPTED: Final = 2.5
"""Tokens that such a step yields. Multi-token prediction accepts a first draft in 85 to 90 % of steps (DeepSeek-V3
report, arXiv 2412.19437, section 5.4.3); with three drafts that is 1 + 0.85 + 0.72 + 0.61 at best, less in practice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Means over requests."""

    ttft_s: float
    tpot_s: float


def decode_tps(case: Case, efficiency: Efficiency) -> float:
    """Output tokens a second as the source counts them."""
    best = max(_group_tps(case, group, efficiency) for group in case.groups)
    return best * efficiency.rate


def _group_tps(case: Case, group: Group, efficiency: Efficiency) -> float:
    batch = _batch(case, group, efficiency)
    drafted, accepted = (DRAFTED, ACCEPTED) if case.is_speculative else (0.0, 1.0)
    step = step_reading_s(group.work, efficiency, batch=batch, bytes_each=group.bytes_each, passes=1 + drafted)
    each_s = step / batch / accepted
    if case.protocol is Protocol.DECODE:
        return group.replicas / each_s
    seconds = prefill_s(group.work, efficiency, prompt_tokens=case.input_tokens)
    seconds += max(case.output_tokens - 1, 1) * each_s
    if case.tail_tokens:
        seconds += case.tail_tokens * _last_step_s(group.work, efficiency) / case.prompts
    return group.replicas * case.output_tokens / seconds


def _batch(case: Case, group: Group, efficiency: Efficiency) -> float:
    if case.protocol is Protocol.BOUND:
        return _bound_batch(case, group, efficiency)
    each = case.concurrency if case.per_chip else case.concurrency / group.replicas
    return max(1.0, min(each, group.slots))


def _bound_batch(case: Case, group: Group, efficiency: Efficiency) -> float:
    """The largest batch whose time an output token, prefills of the others in it, keeps the limit.

    The root of log(time / limit) over log(batch) by false position (Illinois): the curve is smooth and rises.
    """
    prefill = prefill_s(group.work, efficiency, prompt_tokens=case.input_tokens) / case.output_tokens

    def over(log_batch: float) -> float:
        batch = math.exp(log_batch)
        step = step_reading_s(group.work, efficiency, batch=batch, bytes_each=group.bytes_each)
        return math.log((step + batch * prefill) / case.tpot_limit_s)

    low, high = 0.0, math.log(group.slots)
    if math.isinf(case.tpot_limit_s) or over(high) <= 0:
        return group.slots
    at_low, at_high = over(low), over(high)
    if at_low >= 0:
        return 1.0
    for _ in range(30):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        at_middle = over(middle)
        if abs(at_middle) < 1e-5:
            break
        if at_middle < 0:
            low, at_low, at_high = middle, at_middle, at_high / 2
        else:
            high, at_high, at_low = middle, at_middle, at_low / 2
    return math.exp(middle)


def _last_step_s(work: Work, efficiency: Efficiency) -> float:
    """A step of the few sequences that go on when a burst ends."""
    return fixed_s(work, efficiency) + touched_bytes(work, 8) / (work.bandwidth * efficiency.bandwidth)


def latency(case: Case, efficiency: Efficiency) -> Latency:
    """Mean TTFT and TPOT: in a burst, prompts that do not fit wait for whole answers before them."""
    group = case.groups[0]
    batch = _batch(case, group, efficiency)
    step = step_reading_s(group.work, efficiency, batch=batch, bytes_each=group.bytes_each) / efficiency.rate
    prefill = prefill_s(group.work, efficiency, prompt_tokens=case.input_tokens) / efficiency.rate
    if case.protocol is Protocol.ARRIVALS:
        return Latency(ttft_s=prefill + step, tpot_s=step + 0.3 * batch * prefill / case.output_tokens)
    if case.protocol is Protocol.BURST:
        waiting = max(0.0, case.concurrency - batch)
        each_s = prefill + max(case.output_tokens - 1, 1) * step / batch
        share = 1.0 if waiting else 0.5
        return Latency(
            ttft_s=waiting / 2 * each_s + batch / 2 * prefill + step,
            tpot_s=step + share * batch * prefill / case.output_tokens,
        )
    return Latency(ttft_s=prefill * (batch + 1) / 2 + step, tpot_s=step + 0.3 * batch * prefill / case.output_tokens)
