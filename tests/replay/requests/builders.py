"""Small worlds: two replicas by the real decisions, and requests as a hand can count them."""

from functools import cache
from pathlib import Path
from random import Random

from alliage.catalog.loader import load_catalog
from alliage.replay.requests.experiment import read_experiment
from alliage.replay.requests.making import Playable, make_replicas
from alliage.replay.requests.trace import Request, Trace

SAMPLES = Path(__file__).parents[3] / "examples" / "replay"
EXPERIMENT = SAMPLES / "small.toml"


@cache
def two_replicas() -> tuple[Playable, ...]:
    """One on an H20 and one on a slower chip, of the committed small experiment."""
    return make_replicas(read_experiment(EXPERIMENT), load_catalog())


def a_trace(*requests: tuple[float, int, int], block_tokens: int = 16) -> Trace:
    """Of (seconds, prompt tokens, output tokens)."""
    made = (Request(at_s=at_s, prompt_tokens=prompt, output_tokens=output) for at_s, prompt, output in requests)
    return Trace(name="made", requests=tuple(made), block_tokens=block_tokens)


def some_requests(seed: int, count: int = 60, *, rate: float = 6.0) -> Trace:
    """Requests at random times; some begin alike."""
    dice, at_s, requests = Random(seed), 0.0, []
    for _ in range(count):
        at_s += dice.expovariate(rate)
        blocks = tuple(range(dice.choice((0, 100, 200)), dice.choice((203, 206))))
        prompt = dice.randint(1, 3000)
        request = Request(
            at_s=at_s, prompt_tokens=prompt, output_tokens=dice.randint(1, 200), blocks=blocks[: prompt // 16]
        )
        requests.append(request)
    return Trace(name="made", requests=tuple(requests), block_tokens=16)
