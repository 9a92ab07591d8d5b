"""What the admin API accepts about limits. As `bodies`."""

from typing import Annotated

from pydantic import Field

from alliage.control.limiting import AS_IT_WAS, Limit, LimitsOrder
from alliage.faces.admin.bodies import Body
from alliage.fleet.limits import Limits


class LimitsBody(Body):
    """Limits that are to be set; what is left out stays as it was, and null lifts a limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Of prompts and answers together."""
    parallel: int | None = None
    """Requests in work at once."""
    context_tokens: int | None = None
    """Prompt and answer of one request."""
    models: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=63)]], Field(min_length=1, max_length=100)] | None
    ) = None
    """Services that may be asked for; all of them."""
    day_micros: int | None = None
    """What a day of UTC may cost, in millionths of the currency."""
    month_micros: int | None = None


def limits_order_of(body: LimitsBody | None) -> LimitsOrder:
    """The order that a body stands for; None: nothing is to be set."""
    if body is None:
        return AS_IT_WAS
    given = {name: getattr(body, name) for name in body.model_fields_set}
    lifts = frozenset(Limit(name) for name, value in given.items() if value is None)
    put = Limits(
        requests_per_minute=body.requests_per_minute,
        tokens_per_minute=body.tokens_per_minute,
        parallel=body.parallel,
        context_tokens=body.context_tokens,
        models=None if body.models is None else tuple(body.models),
        day_micros=body.day_micros,
        month_micros=body.month_micros,
    )
    return LimitsOrder(put=put, lifts=lifts)
