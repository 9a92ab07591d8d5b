"""Rows -> cases: what each source's columns mean, and which rows contradict themselves.

That is decided by inputs alone, never by how well the model predicts a row. Every row that is not scored has its reason.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from alliage.catalog.records import Catalog, Precision
from alliage.speed.figures import ChipFigures, ModelFigures, chip_figures, model_figures
from alliage.speed.formats import NumberFormat, number_format
from alliage.speed.predict import compute_rate, levels_of
from alliage.speed.roofline import Work, capacity, sequence_bytes, work
from alliage.speed.serving import Serving, serving_of
from bench.speed import names
from bench.speed.cases import Case, Group, Protocol, Skip
from bench.speed.rows import Row

UNKNOWN_BANDWIDTH: Final = 1e12
"""Where no source states a bandwidth, what the fit counts its multiplier from, in bytes/s."""
MLPERF_LENGTHS: Final[Mapping[str, tuple[float, float]]] = {
    "llama-2-70b": (294, 294),
    "llama-3.1-405b": (9428, 685),
    "mixtral-8x7b": (364, 145),
    "deepseek-r1": (800, 3886),
    "llama-3.1-8b": (778, 128),
}
"""Mean prompt and answer of MLPerf Inference v5.1's workloads (recalled; the result files state no prompt lengths)."""
MLPERF_LIMITS_S: Final[Mapping[tuple[str, str], float]] = {
    ("llama-2-70b", "server"): 0.2,
    ("llama-2-70b", "interactive"): 0.04,
    ("llama-3.1-405b", "server"): 0.175,
    ("llama-3.1-405b", "interactive"): 0.08,
    ("mixtral-8x7b", "server"): 0.2,
    ("deepseek-r1", "server"): 0.08,
    ("llama-3.1-8b", "server"): 0.1,
    ("llama-3.1-8b", "interactive"): 0.03,
}
"""Limits of time an output token in MLPerf Inference v5.1 (recalled), in seconds."""
RECENT_MODELS: Final = frozenset({"qwen3.5-2b", "qwen3.5-9b", "qwen3.5-35b-a3b", "glm-5.2", "deepseek-v4-flash"})
"""Models of 2026: their pages were measured with engines a year newer than the others'."""
PER_CHIP: Final = re.compile(r"PER GPU of an? (?:TP|DEP|EP)(\d+)", re.IGNORECASE)
TAIL_FILTERED: Final = 150.0
TAIL_UNFILTERED: Final = 700.0
"""Tokens that the longest answers of a ShareGPT burst go on for when the others are done (filtered set, whole set)."""
BURST_PEAKS: Final = frozenset({100.0, 200.0, 500.0, 512.0, 984.0, 1000.0})
CLOSED_PEAKS: Final = frozenset({1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0})


def source_of(row: Row) -> str:
    """A short name of the source, for tables."""
    for word in ("gpustack", "mlcommons", "TensorRT-LLM", "QwenLM", "neuron", "vllm-ascend", "ktransformers", "PPU"):
        if word.lower() in row.source.lower():
            return word
    return "others"


def to_case(row: Row, catalog: Catalog, bandwidths: Mapping[str, float] | None) -> Case | Skip:
    """The case of a row, or why there is none. `bandwidths` as in `read_cases`."""
    unusable = _unusable(row)
    if unusable is not None:
        return unusable
    chip = catalog.chips.get(names.chip_id(row.chip))
    card = catalog.models.get(names.model_id(row.model))
    if chip is None or card is None:
        return Skip.NO_CHIP if chip is None else Skip.NO_MODEL
    return _from_facts(row, chip_figures(chip), model_figures(card.id, card.architecture), bandwidths)


def _from_facts(
    row: Row, figures: ChipFigures, model: ModelFigures, bandwidths: Mapping[str, float] | None
) -> Case | Skip:
    form = number_format(_precision(row, figures))
    if form is None:
        return Skip.NO_PRECISION
    flops = compute_rate(figures, form)
    if flops is None:
        return Skip.NO_COMPUTE
    bandwidth = figures.bandwidth or (UNKNOWN_BANDWIDTH if bandwidths is None else bandwidths.get(figures.id))
    if bandwidth is None:
        return Skip.NO_BANDWIDTH
    return _case(row, figures, model, form=form, flops=flops, bandwidth=bandwidth)


def _unusable(row: Row) -> Skip | None:
    note = row.note.lower()
    if row.decode_tps is None:
        return Skip.OFFLOAD if "cpu experts" in row.precision.lower() else Skip.NO_SPEED
    if "do not fit" in note:
        return Skip.NOT_TO_FIT
    if row.confidence == "press":
        return Skip.PRESS
    if "cpu experts" in row.precision.lower() or "cpu experts" in note or "ktransformers" in row.engine.lower():
        return Skip.OFFLOAD
    if "cloudmatrix" in row.engine.lower() or " pd " in f" {row.engine.lower()} " or "prefill and decode nodes" in note:
        return Skip.SPLIT
    return None


def _precision(row: Row, chip: ChipFigures) -> str:
    if row.precision == "UNSET":
        return "FP4" if Precision.FP4 in chip.flops else "FP8"
    return row.precision or "BF16"


def _case(
    row: Row, chip: ChipFigures, model: ModelFigures, *, form: NumberFormat, flops: float, bandwidth: float
) -> Case | Skip:
    engine = names.engine_id(row.engine)
    source = source_of(row)
    setting = _setting(row, source)
    protocol, per_chip = _protocol(row, source, setting)

    def work_of(devices: int) -> Work:
        small_kv = source == "mlcommons" or (engine == "tensorrt-llm" and form.name in {"fp8", "fp4", "mxfp4"})
        return work(
            chip=chip,
            model=model,
            form=form,
            devices=devices,
            bandwidth=bandwidth,
            flops=flops,
            kv_bytes=1.0 if small_kv else 2.0,
        )

    lengths = _lengths(row, source, model.id)
    serving = serving_of("mlperf" if source == "mlcommons" else engine)
    groups = tuple(
        _group(one, replicas, serving, lengths[0] + lengths[1] / 2)
        for one, replicas in _divisions(row, source, work_of, per_chip=per_chip)
    )
    if not groups:
        return Skip.TOO_LARGE
    prompts = _prompts(row, lengths[0])
    levels = {**levels_of(chip, model, engine=engine, form=form), "setting": setting}
    case = Case(
        row=row,
        chip=chip.id,
        model=model.id,
        engine=engine,
        source=source,
        protocol=protocol,
        groups=groups,
        levels=levels,
        input_tokens=lengths[0],
        output_tokens=lengths[1],
        concurrency=_in_flight(row, protocol, prompts),
        prompts=prompts,
        tail_tokens=_tail(row, protocol),
        tpot_limit_s=MLPERF_LIMITS_S.get((model.id, setting.rpartition("-")[2]), math.inf),
        per_chip=per_chip,
        is_speculative="spec" in row.engine.lower(),
        bandwidth_is_fitted=chip.bandwidth is None,
        tpot_is_sound=False,
    )
    return replace(case, tpot_is_sound=_tpot_is_sound(case))


def _setting(row: Row, source: str) -> str:
    note = row.note.lower()
    if source == "mlcommons":
        for scenario in ("interactive", "server"):
            if scenario in note:
                return f"mlperf-{scenario}"
        return "mlperf-offline"
    if "spec" in row.engine.lower():
        return "speculative"
    if source == "gpustack" and names.model_id(row.model) in RECENT_MODELS:
        return f"recent-{names.engine_id(row.engine)}"
    return "highest" if "per gpu of" in note else "served"


def _protocol(row: Row, source: str, setting: str) -> tuple[Protocol, bool]:
    per_chip = "per gpu of" in row.note.lower()
    if source == "mlcommons":
        return (Protocol.OFFLINE if setting == "mlperf-offline" else Protocol.BOUND), False
    if "llama.cpp" in row.engine or "tpot derived" in row.note or row.output_tokens is None:
        return Protocol.DECODE, per_chip
    if per_chip or (row.concurrency is None and source != "gpustack"):
        return Protocol.OFFLINE, per_chip
    if source != "gpustack" or row.concurrency in CLOSED_PEAKS:
        return Protocol.CLOSED, per_chip
    return (
        Protocol.BURST if row.concurrency in BURST_PEAKS or row.concurrency is None else Protocol.ARRIVALS
    ), per_chip


def _lengths(row: Row, source: str, model: str) -> tuple[float, float]:
    """Prompt and answer; 550 where a source says "300-800 tokens", 128 and 256 where it says nothing at all."""
    if source == "mlcommons":
        prompt, answer = MLPERF_LENGTHS.get(model, (512.0, 256.0))
        return row.input_tokens or prompt, row.output_tokens or answer
    between = re.search(r"input (\d+)-(\d+) tokens", row.note)
    prompt = (float(between[1]) + float(between[2])) / 2 if between else 128.0
    return row.input_tokens or prompt, row.output_tokens or 256.0


def _divisions(
    row: Row, source: str, work_of: Callable[[int], Work], *, per_chip: bool
) -> tuple[tuple[Work, float], ...]:
    """Works of one group each, and how many groups: of so many chips as the source says, or those that may be meant."""
    chips = int(row.n_chips or 1)
    if per_chip:
        stated = PER_CHIP.search(row.note)
        works = [work_of(size) for size in ([int(stated[1])] if stated else [1, 2, 4, 8])]
        one = next((one for one in works if _holds(one, 0.1)), works[-1])
        return ((one, 1 / one.devices),)
    if source == "mlcommons":
        works = [work_of(size) for size in (1, 2, 4, 8) if size <= chips]
        held = [one for one in works if _holds(one, 0.25)] or [one for one in works if _holds(one, 0.0)][-1:]
        return tuple((one, chips / one.devices) for one in held)
    whole = work_of(chips)
    return ((whole, 1.0),) if _holds(whole, 0.0) else ()


def _group(one: Work, replicas: float, serving: Serving, context_tokens: float) -> Group:
    return Group(
        work=one,
        replicas=replicas,
        slots=max(1.0, capacity(one, serving, context_tokens=context_tokens)),
        bytes_each=sequence_bytes(one, context_tokens),
    )


def _holds(one: Work, spare: float) -> bool:
    """Whether the weights fit, with a share of them, and 8 GB where that is more, left for the KV cache."""
    if one.memory_bytes is None:
        return True
    return one.memory_bytes >= one.weight_bytes + (max(spare * one.weight_bytes, 8e9) if spare else 0)


def _prompts(row: Row, prompt_tokens: float) -> float:
    """GPUStack's protocol: 1000 prompts, 500 of 2k to 4k tokens, 100 of 32k."""
    usual = 1000.0 if prompt_tokens < 1500 else 500.0 if prompt_tokens < 8000 else 100.0
    return max(usual, row.concurrency or 0.0) if prompt_tokens < 1500 else max(row.concurrency or usual, 1.0)


def _in_flight(row: Row, protocol: Protocol, prompts: float) -> float:
    """Mean requests in flight. Arrivals at a rate are Poisson: the peak is near m + 3 sqrt(m)."""
    if protocol is Protocol.ARRIVALS and row.concurrency is not None:
        return max(1.0, ((math.sqrt(9 + 4 * row.concurrency) - 3) / 2) ** 2)
    if row.concurrency is not None:
        return row.concurrency
    return prompts if protocol is Protocol.BURST else 1.0 if protocol is Protocol.DECODE else math.inf


def _tail(row: Row, protocol: Protocol) -> float:
    prompt, answer = row.input_tokens or 0, row.output_tokens or 0
    if protocol is not Protocol.BURST or not (100 <= prompt <= 400 and 150 <= answer <= 300):
        return 0.0
    return TAIL_FILTERED if prompt < 300 else TAIL_UNFILTERED


def _tpot_is_sound(case: Case) -> bool:
    """Little's law: requests in flight = rate x time. A row of which it makes 0.4 to 1.3 of the stated ones is sound."""
    row = case.row
    if row.tpot_ms is None or row.decode_tps is None:
        return False
    if row.ttft_ms is None or case.source != "gpustack":
        return case.protocol is not Protocol.BOUND
    seconds = (row.ttft_ms + row.tpot_ms * case.output_tokens) / 1e3
    return 0.4 <= row.decode_tps / case.output_tokens * seconds / case.concurrency <= 1.3


def pasted(rows: Iterable[Row]) -> frozenset[int]:
    """Lines whose exact speeds and latencies stand under another chip too: a page that was pasted."""
    found: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row.decode_tps is not None and row.ttft_ms is not None:
            found[row.model.lower(), row.decode_tps, row.ttft_ms].append(row)
    return frozenset(row.line for same in found.values() if len({row.chip for row in same}) > 1 for row in same)


def read_cases(
    rows: Sequence[Row], catalog: Catalog, bandwidths: Mapping[str, float] | None = None
) -> tuple[tuple[Case, ...], Mapping[int, Skip]]:
    """All cases, and why each other line is not one.

    `bandwidths` has what was fitted for chips of which no source states it; without it the cases are for fitting it.
    """
    copies = pasted(rows)
    cases: list[Case] = []
    skipped: dict[int, Skip] = {}
    for row in rows:
        found = Skip.PASTED if row.line in copies else to_case(row, catalog, bandwidths)
        if isinstance(found, Skip):
            skipped[row.line] = found
        else:
            cases.append(found)
    return tuple(cases), skipped
