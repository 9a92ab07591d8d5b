"""Builders of what runs on what: published figures, with what the test cares about given by name."""

from alliage.catalog.records import Precision
from alliage.speed.efficiency import Efficiency
from alliage.speed.figures import ChipFigures, ModelFigures, Span
from alliage.speed.predict import Running

PERFECT = Efficiency(
    bandwidth=1.0,
    compute=1.0,
    attention=1.0,
    step_s=0.0,
    layer_s=0.0,
    link_s=0.0,
    sequence_s=0.0,
    request_s=0.0,
    overlap=50.0,
    taper=0.0,
    rate=1.0,
)
"""All of the data sheet (compute up to the model's own cap), and nothing beside it."""


def h100(*, bandwidth: float | None = 3.35e12, chip_id: str = "nvidia-h100-sxm") -> ChipFigures:
    """NVIDIA H100 SXM5 data sheet: 80 GB, 3.35 TB/s, 989 TFLOPS BF16 dense."""
    return ChipFigures(
        id=chip_id,
        kind="nvidia",
        stack="nvidia",
        memory_bytes=80 * 2**30,
        bandwidth=bandwidth,
        flops={Precision.BF16: 989e12, Precision.FP8: 1978e12},
    )


def llama_70b() -> ModelFigures:
    """Llama 3.1 70B: 80 layers, 64 heads, 8 KV heads of 128 (its config.json); 70.55 B parameters, 128256 x 8192 of them input."""
    return ModelFigures(
        id="llama-3.1-70b",
        parameters=70_553_706_496,
        active=70_553_706_496,
        embedding=128_256 * 8192,
        layers=80,
        experts=0,
        experts_used=0,
        spans=(Span(kv_values=2 * 80 * 8 * 128, query_values=80 * 64 * 128),),
        state_values=0.0,
    )


def mixtral() -> ModelFigures:
    """Mixtral 8x7B: 46.7 B parameters, 12.88 B active, 8 experts of which 2 work (arXiv 2401.04088)."""
    return ModelFigures(
        id="mixtral-8x7b",
        parameters=46_702_792_704,
        active=12_879_925_248,
        embedding=131_072_000,
        layers=32,
        experts=8,
        experts_used=2,
        spans=(Span(kv_values=2 * 32 * 8 * 128, query_values=32 * 32 * 128),),
        state_values=0.0,
    )


def running(
    *,
    chip: ChipFigures | None = None,
    model: ModelFigures | None = None,
    engine: str = "vllm",
    precision: str = "FP8",
    devices: int = 4,
    concurrency: int = 8,
    input_tokens: int = 1024,
    output_tokens: int = 256,
    memory_bytes: float | None = None,
) -> Running:
    """Llama 3.1 70B in FP8 on four H100."""
    return Running(
        chip=chip or h100(),
        model=model or llama_70b(),
        engine=engine,
        precision=precision,
        devices=devices,
        concurrency=concurrency,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        memory_bytes=memory_bytes,
    )
