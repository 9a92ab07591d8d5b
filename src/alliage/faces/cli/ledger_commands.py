"""What `alliage usage`, `bill` and `price` take; `billing` and `pricing` do it. Light as `main`: bodies import what they need."""
# ruff: noqa: PLC0415 - see above

from enum import StrEnum
from typing import Annotated

import typer

from alliage.errors import BadInput
from alliage.faces.cli.options import HomeAgain, JsonOption

usage_app = typer.Typer(
    help="What was used, and what it cost.",
    epilog="Example: alliage usage --tenant acme --month 2026-11 --by key",
    invoke_without_command=True,
)
price_app = typer.Typer(
    help="What tokens and device-hours cost. Setting is for admins.",
    epilog="Example: alliage price set 'qwen3-*' --prompt 0.30 --output 1.20",
    no_args_is_help=True,
)
CsvOption = Annotated[bool, typer.Option("--csv", help="Print it as CSV, for a spreadsheet or another program.")]
TenantOption = Annotated[
    str, typer.Option(metavar="NAME", help="Of whom; all of them when left out, of a user's key its own.")
]
MonthOption = Annotated[str, typer.Option(metavar="YYYY-MM", help="Of UTC; this month when left out.")]
RecordArgument = Annotated[str, typer.Argument(metavar="RECORD", help="Its id, as in `alliage usage records`.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and tell, change nothing.")]


class UsageBy(StrEnum):
    """What a line is of, as choices of the command line."""

    SERVICE = "service"
    PROJECT = "project"
    KEY = "key"
    MODEL = "model"
    CHIP = "chip"
    DAY = "day"
    TENANT = "tenant"


@usage_app.callback(epilog="Example: alliage usage --tenant acme --month 2026-11 --by key")
def usage(
    context: typer.Context,
    *,
    home: HomeAgain = None,
    tenant: TenantOption = "",
    month: MonthOption = "",
    by: Annotated[UsageBy, typer.Option(help="What a line is of.")] = UsageBy.SERVICE,
    recount: Annotated[
        bool, typer.Option("--recount", help="Add up the single records, not the running sums: slow, and the same.")
    ] = False,
    as_csv: CsvOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what was used in a month, and what it cost: requests that began in it, and corrections made in it."""
    context.obj = home or context.obj
    if context.invoked_subcommand is not None:
        if tenant or month or as_csv or as_json or recount or by is not UsageBy.SERVICE:
            name = context.invoked_subcommand
            raise BadInput(
                f"`alliage usage {name}` takes its options behind its name", remedy=f"see alliage usage {name} --help"
            )
        return
    from alliage.faces.cli import billing

    query: dict[str, str | int] = {"tenant": tenant, "month": month, "by": by.value}
    billing.usage(context.obj, query | {"recount": "true"} if recount else query, as_csv=as_csv, as_json=as_json)


@usage_app.command("records", epilog="Example: alliage usage records --tenant acme --limit 20")
def records(
    context: typer.Context,
    *,
    home: HomeAgain = None,
    tenant: TenantOption = "",
    project: Annotated[str, typer.Option(metavar="NAME", help="Of this project only.")] = "",
    key: Annotated[str, typer.Option(metavar="ID", help="Of this key only.")] = "",
    service: Annotated[str, typer.Option(metavar="NAME", help="Of this service only.")] = "",
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="Of UTC; any time when left out.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many of the newest.")] = 50,
    before: Annotated[str, typer.Option(metavar="RECORD", help="Only those that are older than this one.")] = "",
    as_csv: CsvOption = False,
    as_json: JsonOption = False,
) -> None:
    """List single records, the newest first: one a request that was let in."""
    from alliage.faces.cli import billing

    query: dict[str, str | int] = {"tenant": tenant, "project": project, "key": key, "service": service}
    query |= {"month": month, "before": before, "limit": limit}
    billing.records(home or context.obj, query, as_csv=as_csv, as_json=as_json)


@usage_app.command("show", epilog="Example: alliage usage show 01J9Z-17")
def show_record(
    context: typer.Context, record: RecordArgument, *, home: HomeAgain = None, as_json: JsonOption = False
) -> None:
    """Show one record, by which price it was charged, and its corrections."""
    from alliage.faces.cli import billing

    billing.record(home or context.obj, record, as_json=as_json)


@usage_app.command("correct", epilog="Example: alliage usage correct 01J9Z-17 --to 0 --reason 'the answer was garbled'")
def correct(
    context: typer.Context,
    record: RecordArgument,
    *,
    home: HomeAgain = None,
    to: Annotated[str, typer.Option(metavar="MONEY", help="What the request is to cost after all; 0 for nothing.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands on the bill.")],
    dry_run: DryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Correct what a request costs. The charge stays; an entry against it is added, with the reason and your key's name."""
    from alliage.faces.cli import billing

    billing.correct(home or context.obj, record, to=to, reason=reason, dry_run=dry_run, as_json=as_json)


def bill(
    context: typer.Context,
    *,
    home: HomeAgain = None,
    tenant: Annotated[str, typer.Option(metavar="NAME", help="Whose; a user's key: its own when left out.")] = "",
    month: MonthOption = "",
    as_csv: CsvOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a tenant owes for a month: its requests by service and model, and each correction made in it."""
    from alliage.faces.cli import billing

    billing.bill(home or context.obj, tenant=tenant, month=month, as_csv=as_csv, as_json=as_json)


@price_app.command("list", epilog="Example: alliage price list --json")
def list_prices(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List what a million tokens and a device-hour cost now, what is set to come, and what scarcity makes of it."""
    from alliage.faces.cli import pricing

    pricing.list_prices(home or context.obj, as_json=as_json)


@price_app.command("set", epilog="Example: alliage price set 'qwen3-*' --prompt 0.30 --cached 0.06 --output 1.20")
def set_price(
    context: typer.Context,
    pattern: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Of a service or model; `*` stands for anything. Or --chip.")
    ] = "",
    *,
    home: HomeAgain = None,
    prompt: Annotated[str, typer.Option(metavar="MONEY", help="A million tokens of prompts.")] = "",
    output: Annotated[str, typer.Option(metavar="MONEY", help="A million tokens of answers.")] = "",
    cached: Annotated[
        str,
        typer.Option(metavar="MONEY", help="A million prompt tokens that the engine held; as --prompt if left out."),
    ] = "",
    scarcity_max: Annotated[
        str,
        typer.Option(metavar="TIMES", help="While its devices are scarce, up to so many times; once if left out."),
    ] = "",
    chip: Annotated[str, typer.Option(metavar="CHIP", help="Instead of NAME: the price of its device-hour.")] = "",
    per_device_hour: Annotated[str, typer.Option(metavar="MONEY", help="An hour of one device of --chip.")] = "",
    from_: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="From this day of UTC on; from now on when left out.")
    ] = "",
    dry_run: DryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Set a price, from now on: of tokens, for requests that begin then, or of a device-hour. What was charged stays charged."""
    from alliage.faces.cli import pricing

    place = home or context.obj
    if chip or per_device_hour:
        if pattern or prompt or output or cached or scarcity_max:
            raise BadInput("the price of a device-hour is set alone", remedy="give --chip and --per-device-hour only")
        body = pricing.device_body(chip, per_device_hour=per_device_hour, from_=from_)
        pricing.set_device(place, body | {"dry_run": dry_run}, as_json=as_json)
        return
    body = pricing.price_body(
        pattern, prompt=prompt, output=output, cached=cached, from_=from_, scarcity_max=scarcity_max
    )
    pricing.set_price(place, body | {"dry_run": dry_run}, as_json=as_json)


@price_app.command("drop", epilog="Example: alliage price drop 'qwen3-*'")
def drop_price(
    context: typer.Context,
    pattern: Annotated[str, typer.Argument(metavar="[NAME]", help="As in `alliage price list`. Or --chip.")] = "",
    *,
    home: HomeAgain = None,
    chip: Annotated[str, typer.Option(metavar="CHIP", help="Instead of NAME: the price of its device-hour.")] = "",
    dry_run: DryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Take a price off the list, from now on; what was set to come for it too."""
    from alliage.faces.cli import pricing

    if bool(pattern) == bool(chip):
        raise BadInput("one price is dropped at a time", remedy="give either NAME or --chip CHIP")
    place = home or context.obj
    if chip:
        pricing.drop_device(place, chip, dry_run=dry_run, as_json=as_json)
    else:
        pricing.drop_price(place, pattern, dry_run=dry_run, as_json=as_json)
