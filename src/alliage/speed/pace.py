"""The pace of a replica: what its engine's steps cost, and what it can hold. The figures by which `batching` keeps time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from alliage.speed.calibrate import UNCALIBRATED, Calibration
from alliage.speed.efficiency import Coefficients, Efficiency
from alliage.speed.predict import Running, Unknown, outlay
from alliage.speed.roofline import STATE_BYTES, Work, prefill_s, reading_step, sequence_bytes, step_s
from alliage.speed.serving import serving_of

START_S: Final = 15.0
"""An engine's own start beside its weights: imports, allocation, capture of graphs. An assumption: no source, no measurement."""
LOAD_BYTES_PER_S: Final = 1.5e9
"""Weights from a local disk, all devices together. An assumption: about a good NVMe disk."""
WAKE_START_S: Final = 0.5
"""What waking takes beside the weights: allocation, a first step. An assumption; vLLM's makers tell 0.1 to 0.4 s in all for small
models (blog.vllm.ai, 2025-10-26, recalled from an excerpt)."""
LINK_SHARE: Final = 0.5
"""Of what the link to the host is specified for, with all devices of a replica at once. An assumption."""
LINK_BYTES_PER_S: Final = 3.15e10
"""Where the catalogue does not know a chip's link: PCI Express 4.0 with sixteen lanes. An assumption."""
HOST_BYTES_PER_S: Final = 1.0e11
"""What a node's memory gives to all its devices together. An assumption: a sixth of two sockets with eight channels of DDR5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One replica. Sizes are those of all its devices together.

    `slots` is how many requests it works on at once, `kv_tokens` how many tokens they may hold together, `step_tokens`
    how many tokens one step takes at most; it is ready `load_s` after its start, and `wake_s` after it was asleep
    (falling asleep takes as long).
    """

    work: Work
    efficiency: Efficiency
    slots: int
    kv_tokens: int
    step_tokens: int
    load_s: float
    wake_s: float

    def decode_s(self, batch: int, context_tokens: float) -> float:
        """Seconds of a step in which `batch` requests, that hold `context_tokens` each in the mean, get a token."""
        if not batch:
            return 0.0
        return step_s(self.work, self.efficiency, batch=batch, context_tokens=context_tokens) / self.efficiency.rate

    def decoder(self) -> Callable[[int, float], float]:
        """`decode_s` for many steps: the same seconds, in a fraction of the time."""
        step, work, rate = reading_step(self.work, self.efficiency), self.work, self.efficiency.rate

        def seconds(batch: int, context_tokens: float) -> float:
            return step(batch, sequence_bytes(work, context_tokens)) / rate if batch else 0.0

        return seconds

    def prefill_s(self, start: int, end: int, *, is_first: bool) -> float:
        """Seconds that a step takes longer because it reads a prompt's tokens from `start` to before `end`.

        Later tokens look at all before them. A request's own fixed time comes with its first part.
        """
        before = prefill_s(self.work, self.efficiency, prompt_tokens=start)
        after = prefill_s(self.work, self.efficiency, prompt_tokens=end)
        fixed = self.efficiency.request_s if is_first else 0.0
        return (after - before + fixed) / self.efficiency.rate


def pace_of(
    running: Running, *, calibration: Calibration = UNCALIBRATED, coefficients: Coefficients | None = None
) -> Pace | Unknown:
    """The pace of what `predict` would predict; its tokens a request say only how long those are that share the cache."""
    found = outlay(running, calibration=calibration, coefficients=coefficients)
    if isinstance(found, Unknown):
        return found
    work, efficiency = found
    serving = serving_of(running.engine)
    most = serving.slots_large if work.is_large else serving.slots
    slots = most if running.slots is None else min(most, running.slots)
    context = running.input_tokens + running.output_tokens
    kv_tokens = slots * context
    if work.memory_bytes is not None:
        usable = serving.usable_bytes(work.memory_bytes, devices=work.devices, is_large=work.is_large)
        each = work.model.kept_values(context) * work.kv_bytes + STATE_BYTES * work.model.state_values
        kv_tokens = max(context, int((usable - work.weight_bytes) / each * context)) if each else kv_tokens
    return Pace(
        work=work,
        efficiency=efficiency,
        slots=slots,
        kv_tokens=kv_tokens,
        step_tokens=max(serving.step_tokens_large if work.is_large else serving.step_tokens, slots),
        load_s=START_S + work.weight_bytes / LOAD_BYTES_PER_S,
        wake_s=WAKE_START_S + work.weight_bytes / _wake_bytes_per_s(running, work.devices),
    )


def _wake_bytes_per_s(running: Running, devices: int) -> float:
    """From the node's memory to all devices of a replica; the same way back when it falls asleep."""
    return min(HOST_BYTES_PER_S, devices * LINK_SHARE * (running.chip.host_link or LINK_BYTES_PER_S))
