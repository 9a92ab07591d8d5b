"""The names of the measured rows -> the catalogue's ids and the speed model's words."""

import re
from collections.abc import Mapping
from typing import Final

CHIPS: Final[Mapping[str, str]] = {
    "A100-SXM4-80GB": "nvidia-a100-sxm-80gb",
    "Arc-Pro-B60": "intel-arc-pro-b60",
    "Ascend-910B": "huawei-910b",
    "Ascend-910C": "huawei-910c",
    "Ascend-910C-die": "huawei-910c",
    "B200": "nvidia-b200",
    "GB200": "nvidia-gb200",
    "GB300": "nvidia-gb300",
    "H100-SXM5": "nvidia-h100-sxm",
    "H20": "nvidia-h20",
    "H200-NVL": "nvidia-h200-nvl",
    "H200-SXM": "nvidia-h200-sxm",
    "INTEL(R) XEON(R) 6787P": "intel-xeon6-6787p",
    "INTEL(R) XEON(R) 6980P": "intel-xeon6-6980p",
    "Inferentia2": "aws-inf2",
    "Kunlun-P800": "kunlun-p800",
    "L20": "nvidia-l20",
    "L40S": "nvidia-l40s",
    "MI300X": "amd-mi300x",
    "MI325X": "amd-mi325x",
    "MI355X": "amd-mi355x",
    "MTT-S5000": "mthreads-s5000",
    "P40": "nvidia-p40",
    "PPU-810E": "thead-ppu-810e",
    "RTX-3090": "nvidia-rtx-3090",
    "RTX-4090": "nvidia-rtx-4090",
    "RTX-4090-48G": "nvidia-rtx-4090-48gb",
    "RTX-PRO-6000-Server": "nvidia-rtx-pro-6000-server",
    "Trainium1": "aws-trn1",
    "Trainium2": "aws-trn2",
}
MODELS: Final[Mapping[str, str]] = {
    "deepseek-r1": "deepseek-r1",
    "deepseek-r1-0528": "deepseek-r1",
    "deepseek-r1 (671b)": "deepseek-r1",
    "deepseek-v3.1": "deepseek-v3.1",
    "deepseek-v3.2": "deepseek-v3.2",
    "deepseek-v4-flash": "deepseek-v4-flash",
    "glm-4.6": "glm-4.6",
    "glm-5.2": "glm-5.2",
    "gpt-oss-120b": "gpt-oss-120b",
    "gpt-oss-20b": "gpt-oss-20b",
    "kimi-k2-thinking": "kimi-k2-thinking",
    "llama-2-13b": "llama-2-13b",
    "llama-2-70b": "llama-2-70b",
    "llama-2-7b": "llama-2-7b",
    "llama-3-70b": "llama-3-70b",
    "llama-3-8b": "llama-3-8b",
    "llama-3.1-405b": "llama-3.1-405b",
    "llama-3.1-8b": "llama-3.1-8b",
    "llama-3.3-70b": "llama-3.3-70b",
    "mixtral-8x7b": "mixtral-8x7b",
    "qwen3-0.6b": "qwen3-0.6b",
    "qwen3-14b": "qwen3-14b",
    "qwen3-235b-a22b": "qwen3-235b-a22b",
    "qwen3-30b-a3b": "qwen3-30b-a3b",
    "qwen3-32b": "qwen3-32b",
    "qwen3-4b": "qwen3-4b",
    "qwen3-8b": "qwen3-8b",
    "qwen3.5-2b": "qwen3.5-2b",
    "qwen3.5-35b-a3b": "qwen3.5-35b-a3b",
    "qwen3.5-9b": "qwen3.5-9b",
}

# The first that matches the beginning, without regard to case.
_ENGINES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), engine)
    for pattern, engine in (
        (r"vllm.*eager", "vllm-eager"),
        (r"vllm-ascend", "vllm"),
        (r"vllm|flagos", "vllm"),
        (r"mango", "mango-llmboost"),
        (r"sglang", "sglang"),
        (r"tensorrt", "tensorrt-llm"),
        (r"mindie", "mindie"),
        (r"llama\.cpp", "llama.cpp"),
        (r"transformers neuronx|nxd", "neuronx"),
        (r"pytorch", "pytorch"),
        (r"ktransformers", "ktransformers"),
        (r"cloudmatrix", "cloudmatrix-infer"),
    )
)


def chip_id(name: str) -> str:
    """The catalogue's id; the name itself, in lower case, where no other is known."""
    return CHIPS.get(name, re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-"))


def model_id(name: str) -> str:
    """The card's id; the name itself, in lower case, where no other is known."""
    return MODELS.get(name.lower(), name.lower().replace(" ", "-"))


def engine_id(name: str) -> str:
    """The engine as the coefficients call it; "unnamed" where the source does not say."""
    return next((engine for pattern, engine in _ENGINES if pattern.match(name)), "unnamed")
