"""Routes of the ledger: usage, bills, single records and their corrections, prices.

A key of role `user` reads what is of its own tenant, and the price list; the rest is for admins.
"""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request

from alliage.control.bookkeeping import Bookkeeper
from alliage.control.books import Asked as AskedRecords
from alliage.control.desk import Desk
from alliage.errors import BadInput, Forbidden, NotFound
from alliage.faces.admin import ledger_answers as answers
from alliage.faces.admin import tell_ledger as tell
from alliage.faces.admin.access import Admin, Asked, Caller
from alliage.faces.admin.ledger_bodies import CorrectionBody, DevicePriceBody, PriceBody, price_of
from alliage.fleet.keys import Key, Role
from alliage.ledger.device_hours import ListedDevice
from alliage.ledger.periods import Month, parse_month
from alliage.ledger.scarcity import LIST_PPM
from alliage.ledger.statements import By

router = APIRouter(prefix="/v1", tags=["ledger"])

RECORDS_MAX: Final = 1000
"""Records of one page."""
_TEXT: Final = r"^[^\x00-\x1f\x7f]*$"


async def books_of(request: Request) -> Bookkeeper:
    """The bookkeeper that this application asks."""
    books = request.app.state.books
    if not isinstance(books, Bookkeeper):
        raise TypeError("build_admin sets app.state.books")
    return books


Books = Annotated[Bookkeeper, Depends(books_of)]
Tenant = Annotated[
    str, Query(max_length=100, pattern=_TEXT, description="Of whom; a user's key: its own, which is taken without.")
]
MonthAsked = Annotated[str, Query(max_length=7, description="Such as 2026-11, of UTC; this month without.")]
Recount = Annotated[bool, Query(description="Add up the single records, not the running sums: slow, and the same.")]
Name = Annotated[str, Query(max_length=200, pattern=_TEXT)]
RecordId = Annotated[str, Path(max_length=500, pattern=_TEXT)]


@router.get("/usage", summary="What was used in a month")
async def usage(
    books: Books,
    desk: Asked,
    key: Caller,
    tenant: Tenant = "",
    month: MonthAsked = "",
    *,
    by: By = By.SERVICE,
    recount: Recount = False,
) -> answers.UsageAnswer:
    """Sums of the requests that began in it, by something. Admins may leave the tenant out: all of them."""
    found = await books.usage(tenant=_whose(key, tenant), month=_month(books, month), by=by, recount=recount)
    labels = {each.id: each.name for each in desk.view().keys} if by is By.KEY else {}
    return tell.tell_usage(found, {str(name): label for name, label in labels.items()})


@router.get("/bill", summary="What a tenant owes for a month")
async def bill(books: Books, key: Caller, tenant: Tenant = "", month: MonthAsked = "") -> answers.BillAnswer:
    """By service and model, and each correction that was made in the month."""
    whose = _whose(key, tenant)
    if not whose:
        raise BadInput("a bill is one tenant's", remedy="name it: tenant=NAME (alliage bill --tenant NAME)")
    return tell.tell_bill(await books.bill(tenant=whose, month=_month(books, month)))


@router.get("/usage/records", summary="List single records")
async def records(  # noqa: PLR0917 - a query's fields
    books: Books,
    key: Caller,
    tenant: Tenant = "",
    project: Name = "",
    key_id: Annotated[str, Query(alias="key", max_length=200, pattern=_TEXT, description="A key's id.")] = "",
    service: Name = "",
    month: Annotated[str, Query(max_length=7, description="Such as 2026-11, of UTC; any time without.")] = "",
    limit: Annotated[int, Query(ge=1, le=RECORDS_MAX)] = 50,
    before: Annotated[
        str, Query(max_length=500, pattern=_TEXT, description="The record after which the page begins.")
    ] = "",
) -> answers.RecordsAnswer:
    """The newest first, by their beginning."""
    asked = AskedRecords(tenant=_whose(key, tenant), project=project, key=key_id, service=service)
    if month:
        within = parse_month(month)
        asked = replace(asked, from_s=within.begins_s, until_s=within.ends_s)
    found = await books.records(asked, limit=limit, before=before)
    return answers.RecordsAnswer(
        currency=books.currency,
        records=tuple(tell.tell_record(each) for each in found),
        before=found[-1].record.id if len(found) == limit else "",
    )


@router.get("/usage/records/{record}", summary="Read one record")
async def record(record: RecordId, books: Books, key: Caller) -> answers.RecordInFullAnswer:
    """With its corrections, and what it costs after them."""
    charge, corrections = await books.record(record)
    if key.role is not Role.ADMIN and charge.record.tenant != key.tenant:
        raise NotFound(f"the ledger has no record {record!r}", remedy="`alliage usage records` lists them")
    return tell.tell_in_full(charge, corrections, books.currency)


@router.post("/usage/records/{record}/corrections", status_code=201, summary="Correct what a record costs")
async def correct(record: RecordId, body: CorrectionBody, books: Books, key: Admin) -> answers.CorrectedAnswer:
    """By a counter-entry, which stands in the month in which it is made. Nothing is changed or taken out."""
    made = await books.correct(record, to_micros=body.to_micros, reason=body.reason, who=key.name, dry_run=body.dry_run)
    return answers.CorrectedAnswer(dry_run=body.dry_run, currency=books.currency, correction=tell.tell_correction(made))


@router.get("/prices", summary="List prices")
async def prices(books: Books, desk: Asked, _key: Caller) -> answers.PricesAnswer:
    """What a million tokens and a device-hour cost now, what is set to come, and what scarcity makes of prices now."""
    now_s = books.now_s()
    return answers.PricesAnswer(
        currency=books.currency,
        prices=tuple(tell.tell_price(each, now_s) for each in books.prices()),
        devices=tuple(tell.tell_device(each, now_s) for each in books.devices()),
        scarcity=_scarcity(books, desk),
    )


@router.post("/prices", status_code=201, summary="Set a price")
async def set_price(body: PriceBody, books: Books, key: Admin) -> answers.PriceSetAnswer:
    """From now on or from a later time; what was charged stays charged."""
    entry = await books.set_price(
        body.pattern,
        price_of(body),
        from_s=body.from_s,
        who=key.name,
        dry_run=body.dry_run,
        scarcity_max_ppm=body.scarcity_max_ppm,
    )
    return answers.PriceSetAnswer(
        dry_run=body.dry_run, currency=books.currency, price=tell.tell_price(entry, books.now_s())
    )


@router.delete("/prices/{pattern:path}", summary="Drop a price")
async def drop_price(
    pattern: str, books: Books, key: Admin, *, dry_run: Annotated[bool, Query()] = False
) -> answers.PriceSetAnswer:
    """From now on the pattern has no price; what was set to come for it is ended too."""
    entry = await books.drop_price(pattern, who=key.name, dry_run=dry_run)
    return answers.PriceSetAnswer(dry_run=dry_run, currency=books.currency, price=tell.tell_price(entry, books.now_s()))


@router.post("/device-prices", status_code=201, summary="Set the price of a device-hour")
async def set_device_price(
    body: DevicePriceBody, books: Books, desk: Asked, key: Admin
) -> answers.DevicePriceSetAnswer:
    """Of a chip, from now on or from a later time. Plans are made by it."""
    if body.chip not in desk.catalog().chips:
        raise NotFound(f"{body.chip!r} is no chip of the catalogue", remedy="`alliage chips` lists them")
    entry = await books.set_device(
        body.chip, body.micros_per_hour, from_s=body.from_s, who=key.name, dry_run=body.dry_run
    )
    return _device_set(books, entry, dry_run=body.dry_run)


@router.delete("/device-prices/{chip}", summary="Drop the price of a device-hour")
async def drop_device_price(
    chip: str, books: Books, key: Admin, *, dry_run: Annotated[bool, Query()] = False
) -> answers.DevicePriceSetAnswer:
    """From now on the settings' price holds, or what the chip was sold for; what was set to come is ended too."""
    return _device_set(books, await books.drop_device(chip, who=key.name, dry_run=dry_run), dry_run=dry_run)


def _device_set(books: Bookkeeper, entry: ListedDevice, *, dry_run: bool) -> answers.DevicePriceSetAnswer:
    return answers.DevicePriceSetAnswer(
        dry_run=dry_run, currency=books.currency, price=tell.tell_device(entry, books.now_s())
    )


def _scarcity(books: Bookkeeper, desk: Desk) -> tuple[answers.ScarcityAnswer, ...]:
    """Of the services that are here, those whose price it changes."""
    in_force = books.factors().in_force(books.now_s())
    found: list[answers.ScarcityAnswer] = []
    for service in sorted(desk.view().services, key=lambda each: each.name):
        factor, priced = in_force.get(service.name), books.priced(service)
        if factor is not None and priced is not None and priced.factor_ppm != LIST_PPM:
            found.append(tell.tell_scarcity(factor, priced))
    return tuple(found)


def _whose(key: Key, tenant: str) -> str:
    """The tenant that is asked about; raises Forbidden where a user asks about another one."""
    if key.role is Role.ADMIN:
        return tenant
    if tenant not in ("", key.tenant):
        message = f"the usage of tenant {tenant!r} is not for the key {key.name!r}, which is of {key.tenant!r}"
        raise Forbidden(message, remedy="use a key of that tenant, or one of role admin")
    return key.tenant


def _month(books: Bookkeeper, text: str) -> Month:
    return parse_month(text) if text else books.this_month()
