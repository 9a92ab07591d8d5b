"""The route that fits a model to every chip, and what it answers."""

from typing import Annotated

from fastapi import APIRouter, Query

from alliage.decide.fit import Fit, FitAsk, FitRow, best_of_each
from alliage.errors import Forbidden
from alliage.faces.admin.access import Asked, Caller
from alliage.faces.admin.catalog_routes import no_such
from alliage.faces.admin.fit_answers import FitAnswer, FitRejectedAnswer, FitRowAnswer
from alliage.faces.reasons import sentence
from alliage.fleet.keys import Role
from alliage.speed.predict import Speed

router = APIRouter(prefix="/v1", tags=["catalogue"])

Tokens = Annotated[int, Query(ge=1, le=10_000_000)]
Seconds = Annotated[float | None, Query(gt=0, le=3600)]


@router.get("/fit", summary="Fit a model to every chip")
async def fit_model(  # noqa: PLR0917 - query parameters have names
    model: Annotated[str, Query(min_length=1, max_length=4096)],
    desk: Asked,
    key: Caller,
    context_tokens: Tokens = 8192,
    concurrency: Annotated[int, Query(ge=1, le=4096)] = 16,
    input_tokens: Tokens = 1024,
    output_tokens: Tokens = 256,
    ttft_s: Seconds = None,
    tpot_s: Seconds = None,
    rate: Annotated[float | None, Query(gt=0, le=1_000_000)] = None,
    chips: str = "",
    every: bool = False,  # noqa: FBT001, FBT002 - a query parameter
) -> FitAnswer:
    """What a model would take on each chip, engine and precision, best first; and who cannot run it, and why.

    `model` is a name of the catalogue, or (asked with an admin key) an absolute path or a hub id. `chips` is a list of ids between
    commas; `every` also tells the ways that differ in their number of devices only.
    """
    catalog = desk.catalog()
    if model not in catalog.models and "/" not in model:
        raise no_such("model", model, catalog.models)
    if model not in catalog.models and key.role is not Role.ADMIN:
        raise Forbidden("only an admin key may name files and models of the hub", remedy="`alliage models` lists names")
    wanted = frozenset(name.strip() for name in chips.split(",") if name.strip())
    for name in sorted(wanted - catalog.chips.keys()):
        raise no_such("chip", name, catalog.chips)
    ask = FitAsk(
        context_tokens=context_tokens,
        concurrency=concurrency,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        ttft_s=ttft_s,
        tpot_s=tpot_s,
        chips=wanted,
        rate=rate,
    )
    card, found = await desk.fit(model, ask)
    return tell_fit(card.id, found, every=every)


def tell_fit(model: str, found: Fit, *, every: bool) -> FitAnswer:
    """A fit as the API answers it."""
    rejected = tuple(
        FitRejectedAnswer(
            option=each.option, code=each.reason.code, facts=each.reason.facts, text=sentence(each.reason)
        )
        for each in found.rejected
    )
    rows = found.rows if every else best_of_each(found.rows)
    return FitAnswer(model=model, rows=tuple(_row(row) for row in rows), ways=len(found.rows), rejected=rejected)


def _row(row: FitRow) -> FitRowAnswer:
    speed = row.speed if isinstance(row.speed, Speed) else None
    recipe = row.way.recipe
    return FitRowAnswer(
        chip=recipe.chip,
        node=row.where.node or "",
        engine=recipe.engine,
        precision=recipe.precision,
        devices=row.way.devices,
        tensor_parallel=recipe.tensor_parallel,
        pipeline_parallel=recipe.pipeline_parallel,
        cores=recipe.cores,
        weight_bytes=row.way.weight_bytes,
        kv_bytes=row.way.kv_bytes,
        usable_bytes=row.way.usable_bytes,
        users=row.users,
        rate=row.rate,
        replicas=row.replicas,
        price_micros_per_million_tokens=row.price_micros,
        price_basis=row.price.basis if row.price else "",
        ttft_s=speed.ttft_s if speed else None,
        tpot_s=speed.tpot_s if speed else None,
        throughput_tps=speed.throughput_tps if speed else None,
        throughput_low_tps=speed.throughput_low_tps if speed else None,
        throughput_high_tps=speed.throughput_high_tps if speed else None,
        evidence=speed.evidence if speed else "unknown",
        unknown="" if isinstance(row.speed, Speed) else f"{row.speed.missing} of {row.speed.value}",
    )
