"""What the plan of now says of a service, in words: what is expected, what is to run, and why. No decisions."""

from alliage.control.by_plan import ByPlan
from alliage.decide.aiming.aims import Aim
from alliage.faces.plan_explained import explanation_lines
from alliage.faces.plan_words import amount, readable


def by_plan_text(told: ByPlan) -> str:
    """A section of `explain`."""
    runs = [f"  {_aimed(each)}" for each in told.aims] or ["  no replica is to run"]
    return "\n".join(["By the plan of now:", f"  {_expected(told)}", *runs, *explanation_lines(told.explanation)])


def rate(rps: float) -> str:
    """`12 req/s`."""
    return f"{amount(rps)} req/s"


def _expected(told: ByPlan) -> str:
    """Where the demand comes from, and what of it the plan gives replicas for."""
    parts = [f"{rate(told.told_rps)} told with the order"] if told.told_rps else []
    parts += [f"{rate(told.seen_rps)} forecast from what was seen"] if told.seen_rps else []
    known = " and ".join(parts) or "no requests were told or seen yet"
    planned = f"; planned for {rate(told.planned_rps)}" if parts or told.planned_rps else ""
    if not told.is_settled and told.planned_rps > max(told.told_rps or 0.0, told.seen_rps):
        planned += ", so that what runs stays until it was watched for long enough"
    return f"expected: {known}{planned}"


def _aimed(aim: Aim) -> str:
    counted = "1 replica" if aim.count == 1 else f"{aim.count} replicas"
    carries = f"carries {rate(aim.rate_rps)}" if aim.rate_rps is not None else "at a speed that is not known"
    each = "which" if aim.count == 1 else "each of which"
    how = f", {each} {carries}" if aim.rate_rps is not None else f", {carries}"
    return f"{counted} by {readable(aim.way)}{how}"
