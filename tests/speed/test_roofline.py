"""The roofline's arithmetic against numbers worked out by hand from published figures."""

from dataclasses import replace

import pytest

from alliage.speed.figures import ModelFigures, Span
from alliage.speed.formats import number_format
from alliage.speed.roofline import Work, capacity, prefill_s, step_s, touched_bytes, work
from alliage.speed.serving import Serving
from tests.speed.running import PERFECT, h100, llama_70b, mixtral

ALL = Serving(
    memory_share=1.0,
    reserve_bytes=0.0,
    reserve_large_bytes=0.0,
    slots=10_000,
    slots_large=10_000,
    step_tokens=8192,
    step_tokens_large=8192,
)


def _work(model: ModelFigures, precision: str = "BF16", devices: int = 1) -> Work:
    form = number_format(precision)
    assert form is not None
    return work(chip=h100(), model=model, form=form, devices=devices, bandwidth=3.35e12, flops=989e12)


def test_one_stream_is_bound_by_reading_the_weights() -> None:
    """Pope et al. 2023: a step of one sequence takes weight bytes over bandwidth: 139 GB over 2 x 3.35 TB/s."""
    seconds = step_s(_work(llama_70b(), devices=2), PERFECT, batch=1, context_tokens=0)
    assert seconds == pytest.approx((70_553_706_496 - 128_256 * 8192) * 2 / 6.7e12, rel=1e-3)


def test_the_kv_cache_of_llama_70b_is_320_kib_a_token() -> None:
    """2 x 80 layers x 8 KV heads x 128 x 2 bytes = 327,680 bytes, the figure of its makers' cards."""
    model = llama_70b()
    assert model.kept_values(1) * 2 == 327_680
    alone = step_s(_work(model), PERFECT, batch=1, context_tokens=0)
    deep = step_s(_work(model), PERFECT, batch=1, context_tokens=100_000)
    assert deep - alone == pytest.approx(327_680 * 100_000 / 3.35e12, rel=1e-3)


def test_prefill_is_two_operations_a_parameter_and_token() -> None:
    """Kaplan et al. 2020: 2 N a token: 70.55 B x 2 x 1000 over 95 % of 989 TFLOPS, attention aside."""
    model = replace(llama_70b(), spans=())
    seconds = prefill_s(_work(model), PERFECT, prompt_tokens=1000)
    assert seconds == pytest.approx(2 * 70_553_706_496 * 1000 / (0.95 * 989e12), rel=1e-6)


def test_causal_attention_sees_half_of_the_prompt() -> None:
    """4 operations x 4096 tokens x 2048 seen x 80 layers x 64 heads x 128."""
    assert 4 * llama_70b().query_pairs(4096) == 4 * 4096 * 2048 * 80 * 64 * 128


def test_a_window_bounds_what_is_kept_and_seen() -> None:
    """gpt-oss: half of the layers keep 128 tokens, however long the sequence is."""
    span = Span(kv_values=10.0, query_values=1.0, window_tokens=128, outside=0.0)
    assert span.entries(100) == 100
    assert span.entries(100_000) == 128


def test_sparse_attention_reads_its_index_and_what_it_chooses() -> None:
    """DeepSeek-V3.2: every entry's 128 index values are read, and 2048 entries of 576 at most; all are kept."""
    span = Span(kv_values=576.0, query_values=1.0, attended=2048, index_values=128.0)
    model = replace(llama_70b(), spans=(span,))
    assert model.kept_values(10_000) == 10_000 * (576 + 128)
    assert model.read_values(10_000) == 2048 * 576 + 10_000 * 128


def test_shared_weights_of_mixtral() -> None:
    """12.88 B active of 46.7 B with 2 of 8 experts: shared = (12.88 - 46.57 / 4) / (3 / 4) = 1.65 B."""
    assert _work(mixtral()).shared_bytes / 2 == pytest.approx(1.65e9, rel=0.01)


def test_a_batch_touches_more_experts() -> None:
    """One token reads 2 of 8 experts, two read 3.5 in the mean (1 - 0.75^2 = 7/16), many read all."""
    one = _work(mixtral())
    assert touched_bytes(one, 1) == pytest.approx(one.shared_bytes + one.expert_bytes / 4)
    assert touched_bytes(one, 2) == pytest.approx(one.shared_bytes + one.expert_bytes * 7 / 16)
    assert touched_bytes(one, 1000) == pytest.approx(one.shared_bytes + one.expert_bytes)


def test_capacity_is_what_the_weights_leave() -> None:
    """Four H100 of 80 GiB less 141 GB in BF16, over 327,680 bytes x 1024 tokens a sequence."""
    room = (4 * 80 * 2**30 - 70_553_706_496 * 2) / (327_680 * 1024)
    assert capacity(_work(llama_70b(), devices=4), ALL, context_tokens=1024) == pytest.approx(room)


def test_what_does_not_fit_has_no_capacity() -> None:
    """141 GB on one device of 80 GiB."""
    assert capacity(_work(llama_70b()), ALL, context_tokens=1024) == 0


def test_unknown_memory_leaves_the_slots() -> None:
    """A chip whose memory no source states is bounded by the engine's slots alone."""
    unbounded = replace(_work(llama_70b()), memory_bytes=None)
    assert capacity(unbounded, ALL, context_tokens=1024) == 10_000
