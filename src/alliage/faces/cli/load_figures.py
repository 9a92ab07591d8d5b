"""From the answers of a load to its figures. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from alliage.errors import AlliageError
from alliage.faces.cli.load import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one load, as `MeasurementBody` of the admin API has them: times are medians, tokens a request the mean."""

    concurrency: int
    input_tokens: int
    output_tokens: int
    throughput_tps: float
    decode_tps: float
    ttft_s: float
    tpot_s: float
    requests: int
    duration_s: float


def figures_of(answers: Sequence[Answered], concurrency: int) -> Figures:
    """The figures; raises AlliageError where the answers are too short to have any.

    Throughput: output tokens over the time from the first request to the last end. Decode: `concurrency` over the mean
    time a token after the first; at more than one at once that holds the prompts of others, read in between.
    """
    later = [(each.completion_tokens - 1, each.last_s - each.first_s) for each in answers]
    timed = [(tokens, seconds) for tokens, seconds in later if tokens > 0 and seconds > 0]
    if not timed:
        raise AlliageError(
            "the answers had no time between tokens", remedy="ask for longer answers (--output-tokens), or look at one"
        )
    written = sum(each.completion_tokens for each in answers)
    duration_s = max(each.ended_s for each in answers) - min(each.asked_s for each in answers)
    return Figures(
        concurrency=concurrency,
        input_tokens=round(sum(each.prompt_tokens for each in answers) / len(answers)),
        output_tokens=round(written / len(answers)),
        throughput_tps=written / duration_s,
        decode_tps=concurrency * sum(tokens for tokens, _ in timed) / sum(seconds for _, seconds in timed),
        ttft_s=median(each.first_s - each.asked_s for each in answers),
        tpot_s=median(seconds / tokens for tokens, seconds in timed),
        requests=len(answers),
        duration_s=duration_s,
    )
