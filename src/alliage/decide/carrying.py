"""carrying: a recipe at a place -> how it works there, and how many requests at once keep an objective. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from alliage.catalog.records import ModelCard
from alliage.decide.places import Place
from alliage.decide.reasons import Reason, ReasonCode
from alliage.decide.recipes import Way
from alliage.fleet.demand import Demand
from alliage.fleet.measured import Measured
from alliage.fleet.replicas import Recipe
from alliage.fleet.services import Objective, Service
from alliage.speed.calibrate import UNCALIBRATED, Calibration
from alliage.speed.figures import of_cores
from alliage.speed.learned import Load, calibration_of, running_of
from alliage.speed.predict import Running, Speed, concurrency_within, predict

USERS_MAX: Final = 4096
INPUT_TOKENS: Final = 1024
OUTPUT_TOKENS: Final = 256
"""How long requests are reckoned to be until more is known, where the recipe has room for it."""


def running_at(model: ModelCard, recipe: Recipe, place: Place, *, input_tokens: int, output_tokens: int) -> Running:
    """One replica of the recipe at work, its size's number of requests in flight.

    Pipeline stages keep the time of a step and add their memory; that they overlap is not counted, so that such a
    replica is predicted slower than it may be. An engine on devices of its own may take more requests than were asked.
    """
    load = Load(concurrency=recipe.concurrency, input_tokens=input_tokens, output_tokens=output_tokens)
    running = running_of(recipe, model, of_cores(place.figures, recipe.cores), load)
    if place.cores:
        return running
    memory = (place.device_bytes or 0.0) * recipe.pipeline_parallel
    return replace(running, devices=recipe.tensor_parallel, memory_bytes=memory or None, slots=None)


def usual_lengths(recipe: Recipe) -> tuple[int, int]:
    """Tokens of a prompt and of an answer that a request of the recipe is reckoned to have."""
    context = recipe.context_tokens
    return max(1, min(INPUT_TOKENS, context // 2)), max(1, min(OUTPUT_TOKENS, context // 4))


def users_within(running: Running, objective: Objective, calibration: Calibration = UNCALIBRATED) -> int:
    """How many requests at once keep the objective, at most `USERS_MAX`; 0 where one alone does not."""
    most = concurrency_within(
        running,
        ttft_s=inf if objective.ttft_s is None else objective.ttft_s,
        tpot_s=inf if objective.tpot_s is None else objective.tpot_s,
        calibration=calibration,
    )
    return min(USERS_MAX, most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a recipe is predicted to keep: the objective, if one is asked, for `users` requests at once, with these times."""

    users: int
    ttft_s: float
    tpot_s: float
    stay_s: float
    """From a request's arrival to its last token."""


def carrying(
    service: Service, way: Way, place: Place, demand: Demand | None, measured: Sequence[Measured] = ()
) -> Promise | Reason | None:
    """What a way keeps of a service's objective, as `promise` says."""
    most = USERS_MAX if way.users_max is None else way.users_max
    return promise(
        service.model, service.objective, way.recipe, place, demand=demand, measured=measured, users_max=most
    )


def promise(
    model: ModelCard,
    objective: Objective,
    recipe: Recipe,
    place: Place,
    *,
    demand: Demand | None = None,
    measured: Sequence[Measured] = (),
    users_max: int = USERS_MAX,
) -> Promise | Reason | None:
    """The reason where it is known to be too slow, None where no speed is known.

    It is for as many as its size takes; on devices of its own and with an objective for as many as keep that, since few
    requests are as long as the longest that its size has room for, `users_max` at most. Requests are as long as `demand`
    says they are. What was `measured` of the recipe corrects its prediction.
    """
    input_tokens, output_tokens = lengths_of(recipe, demand)
    running = running_at(model, recipe, place, input_tokens=input_tokens, output_tokens=output_tokens)
    calibration = calibration_of(measured, running, cores=recipe.cores, node=place.node)
    alone = predict(replace(running, concurrency=1), calibration=calibration)
    if not isinstance(alone, Speed):
        return None
    most = users_max if objective.is_asked and not place.cores else recipe.concurrency
    users = min(most, users_within(running, objective, calibration))
    if not users:
        asked = {"ttft_s": objective.ttft_s, "tpot_s": objective.tpot_s}
        facts = {name: value for name, value in asked.items() if value is not None}
        return Reason(code=ReasonCode.OBJECTIVE_MISSED, facts=facts)
    speed = predict(replace(running, concurrency=users), calibration=calibration)
    if not isinstance(speed, Speed):
        return None
    stay_s = speed.ttft_s + (output_tokens - 1) * speed.tpot_s
    return Promise(users=users, ttft_s=speed.ttft_s, tpot_s=speed.tpot_s, stay_s=stay_s)


def lengths_of(recipe: Recipe, demand: Demand | None) -> tuple[int, int]:
    """Tokens of a prompt and of an answer: as they were seen, as far as the recipe has room for them; else as they usually are."""
    usual = usual_lengths(recipe)
    if demand is None or not demand.input_tokens or not demand.output_tokens:
        return usual
    room = recipe.context_tokens
    input_tokens = max(1, min(demand.input_tokens, room - 1))
    return input_tokens, max(1, min(demand.output_tokens, room - input_tokens))
