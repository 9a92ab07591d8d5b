"""Traffic made up: several services of unlike popularity, each of which is asked in bursts. The same seed gives the same requests."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

from alliage.fleet.ids import ServiceName
from alliage.replay.cloud.world import Coming
from alliage.replay.requests.trace import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Log-normal lengths in tokens, cut at `least` and `most`."""

    median: int
    sigma: float
    least: int
    most: int

    def draw(self, chance: random.Random) -> int:
        """One length."""
        return max(self.least, min(self.most, round(self.median * exp(chance.gauss(0.0, self.sigma)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """`rate_rps` is the mean of all services together; the k-th has a share of it as 1 / k^zipf.

    A service is asked only while it is on: for `on_s` in the mean, then not for `off_s` in the mean (both exponential).
    """

    rate_rps: float
    zipf: float
    on_s: float
    off_s: float
    length_s: float
    prompt: Lengths
    output: Lengths


def draw_requests(bursts: Bursts, services: Sequence[ServiceName], seed: int) -> tuple[Coming, ...]:
    """All requests, in order of arrival; `services` in order of popularity."""
    weights = [1.0 / rank**bursts.zipf for rank in range(1, len(services) + 1)]
    duty = bursts.on_s / (bursts.on_s + bursts.off_s)
    found: list[Coming] = []
    for number, (service, weight) in enumerate(zip(services, weights, strict=True)):
        chance = random.Random(f"{seed}/{number}")  # noqa: S311 - traffic, no secret
        rate_rps = bursts.rate_rps * weight / sum(weights) / duty
        found.extend(_of_one(bursts, service, rate_rps, chance))
    return tuple(sorted(found, key=lambda one: one.request.at_s))


def _of_one(bursts: Bursts, service: ServiceName, rate_rps: float, chance: random.Random) -> Iterator[Coming]:
    for begin_s, end_s in _on(bursts, chance):
        at_s = begin_s + chance.expovariate(rate_rps)
        while at_s < end_s:
            prompt, output = bursts.prompt.draw(chance), bursts.output.draw(chance)
            yield Coming(service=service, request=Request(at_s=at_s, prompt_tokens=prompt, output_tokens=output))
            at_s += chance.expovariate(rate_rps)


def _on(bursts: Bursts, chance: random.Random) -> Iterator[tuple[float, float]]:
    """When it is on, from 0 to `length_s`: as likely on at the beginning as at any other time."""
    at_s, is_on = 0.0, chance.random() < bursts.on_s / (bursts.on_s + bursts.off_s)
    while at_s < bursts.length_s:
        end_s = at_s + chance.expovariate(1.0 / (bursts.on_s if is_on else bursts.off_s))
        if is_on:
            yield at_s, min(end_s, bursts.length_s)
        at_s, is_on = end_s, not is_on
