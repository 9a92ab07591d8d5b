"""shortages: what the plan's programme says of a service that it cannot give all it asks for, as decisions. Pure."""

from collections.abc import Iterator

from alliage.decide.aiming.aims import Shortage
from alliage.decide.choice import Choice
from alliage.decide.reasons import Decision, Outcome, Reason, ReasonCode, Rejected
from alliage.decide.solve.reasons import Why
from alliage.fleet.services import Service


def shortage(service: Service, lacks: Shortage, now_s: float) -> Decision:
    """It runs, but carries less than is asked."""
    return Decision(
        at_s=now_s,
        service=service.name,
        outcome=Outcome.SHORT,
        recipe=None,
        where="",
        because=(_missing(lacks),),
        rejected=tuple(_told(lacks.unmet.because)),
        would_change=tuple(_reason(why) for why in lacks.would_change),
    )


def refused_by_plan(service: Service, lacks: Shortage, choice: Choice, now_s: float) -> Decision:
    """It has nothing: what stops every option, by the plan and by the room there is."""
    return Decision(
        at_s=now_s,
        service=service.name,
        outcome=Outcome.REFUSED,
        recipe=None,
        where="",
        because=(),
        rejected=(*(choice.rejected if choice.recipe is None else ()), *_told(lacks.unmet.because)),
        would_change=(*choice.would_change, *(_reason(why) for why in lacks.would_change)),
    )


def _missing(lacks: Shortage) -> Reason:
    unmet = lacks.unmet
    facts = {"missing_rps": unmet.missing, "missing_replicas": unmet.missing_replicas}
    return Reason(code=ReasonCode.DEMAND_UNMET, facts=facts)


def _told(whys: tuple[Why, ...]) -> Iterator[Rejected]:
    for why in whys:
        option = str(why.facts.get("way") or why.facts.get("pool") or why.facts.get("work") or "the plan")
        yield Rejected(option=option, reason=_reason(why))


def _reason(why: Why) -> Reason:
    return Reason(code=ReasonCode.BY_PLAN, facts={**why.facts, "why": why.code.value})
