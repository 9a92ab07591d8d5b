"""tempo: a replica's pace in the few figures that routing needs. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from alliage.catalog.records import ModelCard
from alliage.decide.carrying import running_at, usual_lengths
from alliage.decide.places import Place
from alliage.fleet.measured import Measured
from alliage.fleet.replicas import Recipe
from alliage.fleet.routing import Tempo
from alliage.speed.learned import calibration_of
from alliage.speed.pace import Pace, pace_of
from alliage.speed.predict import Unknown

_PROMPTS: Final = (1, 1024, 8192)
"""Lengths at which a prompt's cost is taken over exactly."""


def tempo_at(model: ModelCard, recipe: Recipe, place: Place, measured: Iterable[Measured] = ()) -> Tempo | None:
    """Of one replica; None where the speed model says nothing. What was `measured` of the recipe corrects it."""
    input_tokens, output_tokens = usual_lengths(recipe)
    running = running_at(model, recipe, place, input_tokens=input_tokens, output_tokens=output_tokens)
    calibration = calibration_of(measured, running, cores=recipe.cores, node=place.node)
    found = pace_of(replace(running, concurrency=1, slots=recipe.concurrency), calibration=calibration)
    return None if isinstance(found, Unknown) else tempo_of(found, context_tokens=input_tokens + output_tokens)


def tempo_of(pace: Pace, *, context_tokens: int) -> Tempo:
    """Steps are taken over exactly for one request, and for as many as it has slots and room for, of `context_tokens` each."""
    request_s, prompt_token_s, prompt_pair_s = _reading(pace)
    model, reads = pace.work.model, pace.work.bandwidth * pace.efficiency.bandwidth * pace.efficiency.rate
    missed = 1 - model.experts_used / model.experts if model.is_sparse else 1.0
    experts_s = pace.work.expert_bytes / reads if model.is_sparse else 0.0
    most = max(2, min(pace.slots, pace.kv_tokens // context_tokens))

    def rest_s(batch: int, context: int) -> float:
        return pace.decode_s(batch, context) - experts_s * (1 - missed**batch)

    alone_s, full_s = rest_s(1, context_tokens), rest_s(most, context_tokens)
    held_s = max(0.0, (rest_s(most, 2 * context_tokens) - full_s) / (most * context_tokens))
    each_s = max(0.0, (full_s - alone_s) / (most - 1) - context_tokens * held_s)
    return Tempo(
        request_s=request_s,
        prompt_token_s=prompt_token_s,
        prompt_pair_s=prompt_pair_s,
        step_s=max(0.0, alone_s - each_s - context_tokens * held_s),
        step_request_s=each_s,
        step_held_s=held_s,
        step_tokens=pace.step_tokens,
        kv_tokens=pace.kv_tokens,
        step_experts_s=experts_s,
        experts_missed=missed,
    )


def _reading(pace: Pace) -> tuple[float, float, float]:
    """Seconds a request, a token and a pair of tokens."""
    one, usual, long = _PROMPTS
    one_s, usual_s, long_s = (pace.prefill_s(0, tokens, is_first=True) for tokens in _PROMPTS)
    usual_slope = (usual_s - one_s) / (usual - one)
    long_slope = (long_s - one_s) / (long - one)
    pair_s = max(0.0, (long_slope - usual_slope) / (long - usual))
    token_s = max(0.0, usual_slope - pair_s * (usual + one))
    return max(0.0, one_s - token_s - pair_s), token_s, pair_s
