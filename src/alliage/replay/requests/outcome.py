"""What a run comes to: objectives kept, requests refused, times to the first token and between tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from alliage.fleet.services import Objective
from alliage.replay.requests.trace import Request
from alliage.replay.requests.world import Life, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Shares are of all requests; a refused one has not kept its objective. Times are of those that were answered."""

    requests: int
    kept_share: float
    refused_share: float
    ttft_s_mean: float
    ttft_s_p50: float
    ttft_s_p90: float
    ttft_s_p99: float
    tpot_s_mean: float
    tpot_s_p99: float
    hit_share: float
    """Of the prompts' tokens, those that were found in a cache."""
    length_s: float
    """From the first arrival to the last token."""


def judge(run: Run, requests: Sequence[Request], objective: Objective) -> Outcome:
    """Hold every answer against the objective: its first token in time, and its tokens after that fast enough, in the mean."""
    told = list(zip(run.lives, requests, strict=True))
    ttfts_s = sorted(life.ttft_s for life in run.lives if life.replica is not None)
    tpots_s = sorted(token_s(life, of) for life, of in told if life.replica is not None and of.output_tokens > 1)
    tokens = run.read_tokens + run.hit_tokens
    count = len(requests)
    return Outcome(
        requests=count,
        kept_share=sum(keeps(life, of, objective) for life, of in told) / count,
        refused_share=(count - len(ttfts_s)) / count,
        ttft_s_mean=_mean(ttfts_s),
        ttft_s_p50=_part(ttfts_s, 0.5),
        ttft_s_p90=_part(ttfts_s, 0.9),
        ttft_s_p99=_part(ttfts_s, 0.99),
        tpot_s_mean=_mean(tpots_s),
        tpot_s_p99=_part(tpots_s, 0.99),
        hit_share=run.hit_tokens / tokens if tokens else 0.0,
        length_s=max((life.ended_s for life in run.lives if life.replica is not None), default=0.0),
    )


def token_s(life: Life, request: Request) -> float:
    """Seconds a token after the first; 0 for an answer of one token."""
    return (life.ended_s - life.first_s) / (request.output_tokens - 1) if request.output_tokens > 1 else 0.0


def keeps(life: Life, request: Request, objective: Objective) -> bool:
    """Whether it was answered as was promised."""
    if life.replica is None:
        return False
    first = objective.ttft_s is None or life.ttft_s <= objective.ttft_s
    return first and (objective.tpot_s is None or token_s(life, request) <= objective.tpot_s)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _part(values: Sequence[float], part: float) -> float:
    """The value that so great a part of them does not exceed."""
    return values[min(len(values) - 1, int(part * len(values)))] if values else 0.0
