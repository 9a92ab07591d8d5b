"""tempo: a few figures that say what the pace says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alliage.decide.tempo import tempo_of
from alliage.fleet.routing import Tempo
from alliage.speed.pace import Pace, pace_of
from tests.speed.running import llama_70b, mixtral, running


def paces() -> list[Pace]:
    """A dense model and one of experts."""
    found = [
        pace_of(replace(running(model=model, precision=precision, devices=4), slots=64))
        for model, precision in ((llama_70b(), "FP8"), (mixtral(), "FP8"))
    ]
    return [pace for pace in found if isinstance(pace, Pace)]


def reading_s(tempo: Tempo, unread: int, tokens: int) -> float:
    """As `Tempo` says it."""
    return tempo.request_s + unread * tempo.prompt_token_s + unread * (2 * tokens - unread) * tempo.prompt_pair_s


@given(st.integers(1, 30_000), st.integers(0, 29_999))
def test_reading_takes_what_the_pace_says(tokens: int, held: int) -> None:
    """Of a whole prompt or the rest of it, to 2 %."""
    held = min(held, tokens - 1)
    for pace in paces():
        expected = pace.prefill_s(held, tokens, is_first=True)
        assert abs(reading_s(tempo_of(pace, context_tokens=1280), tokens - held, tokens) - expected) <= 0.02 * expected


@given(st.integers(1, 64), st.integers(100, 6000))
def test_steps_take_what_the_pace_says(batch: int, context: int) -> None:
    """To 10 %, also where each request reads other experts."""
    for pace in paces():
        expected = pace.decode_s(batch, context)
        assert abs(tempo_of(pace, context_tokens=1280).decode_s(batch, batch * context) - expected) <= 0.10 * expected
