"""A measured row as a case of the speed model: what was run, how it was measured, and what of it is scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from alliage.speed.roofline import Work
from bench.speed.rows import Row


class Protocol(StrEnum):
    """How a speed was measured, which says what `decode_tps` is."""

    BURST = "burst"
    """All prompts sent at once: output tokens over the wall time of the whole run."""
    CLOSED = "closed"
    """So many clients, each asks again as soon as it was answered."""
    ARRIVALS = "arrivals"
    """Requests come at a rate; `concurrency` was the peak in flight."""
    DECODE = "decode"
    """Decode alone, prefill not counted."""
    OFFLINE = "offline"
    """As many as fit, prefill included (MLPerf Offline, reports of the highest throughput)."""
    BOUND = "bound"
    """As many as keep a limit of time an output token (MLPerf Server and Interactive)."""


class Skip(StrEnum):
    """Why a row is not scored."""

    NO_SPEED = "no decode_tps stated"
    NO_CHIP = "no facts of the chip"
    NO_MODEL = "no facts of the model"
    NO_BANDWIDTH = "no source states the chip's bandwidth"
    NO_COMPUTE = "no source states the chip's rate in this precision"
    NO_PRECISION = "the precision is not one that is known"
    PRESS = "press, conditions not stated"
    OFFLOAD = "experts on the CPU: another machine's speed"
    SPLIT = "prefill and decode on nodes apart"
    NOT_TO_FIT = "marked as not to be used"
    PASTED = "the same result stands under two chips"
    TOO_LARGE = "the weights are larger than the stated chips' memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One way to divide the chips: the work of one group, and how many groups there are.

    `slots` is the sequences it works on at once, at least 1; `bytes_each` what a step reads of each of them.
    """

    work: Work
    replicas: float
    slots: float
    bytes_each: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row, ready to be predicted. Several `groups` are tried where the source does not say; the fastest counts."""

    row: Row
    chip: str
    model: str
    engine: str
    source: str
    protocol: Protocol
    groups: tuple[Group, ...]
    levels: Mapping[str, str]
    input_tokens: float
    output_tokens: float
    concurrency: float
    prompts: float
    tail_tokens: float
    tpot_limit_s: float
    per_chip: bool
    is_speculative: bool
    bandwidth_is_fitted: bool
    tpot_is_sound: bool

    @property
    def group(self) -> tuple[str, str]:
        """What cross-validation keeps together."""
        return self.chip, self.model

    @property
    def anchor_key(self) -> tuple[str, str, str, str]:
        """What one measured row corrects."""
        return self.chip, self.model, self.engine, self.levels["precision"]
