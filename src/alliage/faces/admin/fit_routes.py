"""The route that fits a model of the catalogue to every chip, and what it answers."""

from typing import Annotated

from fastapi import APIRouter, Query

from alliage.decide.fit import Fit, FitAsk, FitRow, fit
from alliage.faces.admin.access import Asked, Caller
from alliage.faces.admin.catalog_routes import no_such
from alliage.faces.admin.fit_answers import FitAnswer, FitRejectedAnswer, FitRowAnswer
from alliage.faces.reasons import sentence
from alliage.speed.predict import Speed

router = APIRouter(prefix="/v1", tags=["catalogue"])

Tokens = Annotated[int, Query(ge=1, le=10_000_000)]
Seconds = Annotated[float | None, Query(gt=0, le=3600)]


@router.get("/models/{model}/fit", summary="Fit a model to every chip")
async def fit_model(  # noqa: PLR0917 - query parameters have names
    model: str,
    desk: Asked,
    _key: Caller,
    context_tokens: Tokens = 8192,
    concurrency: Annotated[int, Query(ge=1, le=4096)] = 16,
    input_tokens: Tokens = 1024,
    output_tokens: Tokens = 256,
    ttft_s: Seconds = None,
    tpot_s: Seconds = None,
    chips: str = "",
) -> FitAnswer:
    """What a model would take on each chip, engine and precision, best first; and who cannot run it, and why.

    `chips` is a list of ids between commas. All speeds are estimates of a model fitted on published measurements.
    """
    catalog = desk.catalog()
    card = catalog.models.get(model)
    if card is None:
        raise no_such("model", model, catalog.models)
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
    )
    return tell_fit(model, fit(card, ask, catalog))


def tell_fit(model: str, found: Fit) -> FitAnswer:
    """A fit as the API answers it."""
    rejected = tuple(
        FitRejectedAnswer(
            option=each.option, code=each.reason.code, facts=each.reason.facts, text=sentence(each.reason)
        )
        for each in found.rejected
    )
    return FitAnswer(model=model, rows=tuple(_row(row) for row in found.rows), rejected=rejected)


def _row(row: FitRow) -> FitRowAnswer:
    speed = row.speed if isinstance(row.speed, Speed) else None
    return FitRowAnswer(
        chip=row.chip,
        engine=row.engine,
        precision=row.precision,
        devices=row.devices,
        weight_bytes=row.weight_bytes,
        kv_bytes=row.kv_bytes,
        usable_bytes=row.usable_bytes,
        users=row.users,
        ttft_s=speed.ttft_s if speed else None,
        tpot_s=speed.tpot_s if speed else None,
        throughput_tps=speed.throughput_tps if speed else None,
        throughput_low_tps=speed.throughput_low_tps if speed else None,
        throughput_high_tps=speed.throughput_high_tps if speed else None,
        evidence=speed.evidence if speed else "unknown",
        unknown="" if isinstance(row.speed, Speed) else f"{row.speed.missing} of {row.speed.value}",
    )
