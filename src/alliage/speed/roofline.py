"""The roofline: seconds of one decode step and of one prefill, and how many sequences fit. Pure arithmetic.

A step reads what weights it touches and the KV cache, and multiplies; the slower of the two bounds it (Williams,
Waterman, Patterson, "Roofline", CACM 2009, for transformers: Pope et al., "Efficiently Scaling Transformer Inference",
MLSys 2023, section 2). To that come fixed times a step, a layer, a link and a sequence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from typing import Final

from alliage.speed.efficiency import SHARE_MAX, Efficiency
from alliage.speed.figures import ChipFigures, ModelFigures
from alliage.speed.formats import NumberFormat
from alliage.speed.serving import Serving

STATE_BYTES: Final = 4
"""A state of linear attention is kept in FP32 (vLLM, llama.cpp)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one model asks of one group of devices. Bytes, operations and rates are those of the whole group."""

    model: ModelFigures
    devices: int
    bandwidth: float
    flops: float
    memory_bytes: float | None
    is_large: bool
    weight_bytes: float
    shared_bytes: float
    """Weights that every step reads, whatever the batch."""
    expert_bytes: float
    """Weights of all routed experts."""
    token_flops: float
    """Operations of one token in decode, without attention."""
    kv_bytes: float
    """Bytes of one value in the KV cache."""


def work(
    *,
    chip: ChipFigures,
    model: ModelFigures,
    form: NumberFormat,
    devices: int,
    bandwidth: float,
    flops: float,
    weight_bytes: float | None = None,
    kv_bytes: float = 2.0,
) -> Work:
    """The work of `model` in `form` on `devices` of `chip`, of which `bandwidth` and `flops` are one device's.

    Of a mixture of experts with E experts of which k work, active = shared + (total - shared) k / E gives what is shared.
    """
    read = model.parameters - model.embedding
    shared = read
    if model.is_sparse:
        share = model.experts_used / model.experts
        shared = max((model.active - read * share) / (1 - share), 0.02 * model.active)
    per_parameter = form.bytes_per_parameter if weight_bytes is None else weight_bytes / model.parameters
    return Work(
        model=model,
        devices=devices,
        bandwidth=bandwidth * devices,
        flops=flops * devices,
        memory_bytes=None if chip.memory_bytes is None else chip.memory_bytes * devices,
        is_large=chip.is_large,
        weight_bytes=model.parameters * per_parameter,
        shared_bytes=shared * per_parameter,
        expert_bytes=(read - shared) * per_parameter,
        token_flops=2 * (model.active if model.is_sparse else read),
        kv_bytes=kv_bytes,
    )


def touched_bytes(work: Work, batch: float) -> float:
    """Weights that a step of `batch` tokens reads: each token picks k of E experts, 1 - (1 - k/E)^batch of them are hit."""
    if not work.model.is_sparse:
        return work.shared_bytes
    missed: float = (1 - work.model.experts_used / work.model.experts) ** batch
    return work.shared_bytes + work.expert_bytes * (1 - missed)


def fixed_s(work: Work, efficiency: Efficiency) -> float:
    """Seconds of a step that no figure of the chip explains: its launch, its layers, and their links in a group."""
    layer_s = efficiency.layer_s
    if work.devices > 1:
        layer_s += efficiency.link_s * log2(work.devices)
    return efficiency.step_s + work.model.layers * layer_s


def compute_share(work: Work, efficiency: Efficiency) -> float:
    """Share of the FLOPS that is reached: the faster a device computes, the harder it is to keep fed."""
    speed = work.flops / work.devices / 1e15
    share: float = efficiency.compute * speed**-efficiency.taper
    return min(SHARE_MAX, share)


def sequence_bytes(work: Work, context_tokens: float) -> float:
    """What a step reads of one sequence that holds `context_tokens`: its KV cache, and its state, read and written."""
    return work.model.read_values(context_tokens) * work.kv_bytes + 2 * STATE_BYTES * work.model.state_values


def step_s(work: Work, efficiency: Efficiency, *, batch: float, context_tokens: float) -> float:
    """Seconds of one decode step of `batch` sequences that hold `context_tokens` each."""
    return step_reading_s(work, efficiency, batch=batch, bytes_each=sequence_bytes(work, context_tokens))


def step_reading_s(
    work: Work, efficiency: Efficiency, *, batch: float, bytes_each: float, passes: float = 1.0
) -> float:
    """Seconds of one decode step that reads `bytes_each` of every sequence.

    `passes` is the tokens a sequence puts through a step: 1, or with speculative decoding 1 and those drafted.
    """
    return reading_step(work, efficiency, passes=passes)(batch, bytes_each)


def reading_step(work: Work, efficiency: Efficiency, *, passes: float = 1.0) -> Callable[[float, float], float]:
    """`step_reading_s` for many steps of one group: what they have in common is reckoned once."""
    rate, flops = work.bandwidth * efficiency.bandwidth, work.flops * compute_share(work, efficiency)
    always_s, each_s, power = fixed_s(work, efficiency), efficiency.sequence_s, efficiency.overlap
    root, token_flops = 1 / power, work.token_flops
    dense_bytes = None if work.model.is_sparse else touched_bytes(work, 1.0)

    def seconds(batch: float, bytes_each: float) -> float:
        tokens = batch * passes
        touched = touched_bytes(work, tokens) if dense_bytes is None else dense_bytes
        read_s = (touched + batch * bytes_each) / rate
        compute_s = tokens * token_flops / flops
        both_s: float = (read_s**power + compute_s**power) ** root
        return always_s + both_s + batch * each_s

    return seconds


def prefill_s(work: Work, efficiency: Efficiency, *, prompt_tokens: float) -> float:
    """Seconds that a prompt takes of the group: 2 operations a parameter and token, 4 a pair of query and key value.

    Two each for scores and for the weighted sum (Kaplan et al. 2020, "Scaling Laws", table 1); causal, so a token sees
    half of the prompt in the mean.
    """
    flops = work.flops * compute_share(work, efficiency)
    dense_s = 2 * work.model.active * prompt_tokens / flops
    attention_s = 4 * work.model.query_pairs(prompt_tokens) / (flops * efficiency.attention)
    return dense_s + attention_s + efficiency.request_s


def capacity(work: Work, serving: Serving, *, context_tokens: float) -> float:
    """Sequences of this length that the engine works on at once: as its memory and its slots allow; below 1, none fits.

    Where the memory is unknown the slots alone count.
    """
    slots = serving.slots_large if work.is_large else serving.slots
    if work.memory_bytes is None:
        return float(slots)
    usable = serving.usable_bytes(work.memory_bytes, devices=work.devices, is_large=work.is_large)
    room = usable - work.weight_bytes
    sequence = work.model.kept_values(context_tokens) * work.kv_bytes + STATE_BYTES * work.model.state_values
    return min(float(slots), max(0.0, room) / sequence) if sequence else float(slots)
