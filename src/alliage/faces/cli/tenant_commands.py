"""What `alliage tenant ...` takes; `tenants` does it. Light as `main`: the bodies import what they need when they run."""
# ruff: noqa: PLC0415 - see above

from typing import Annotated

import typer

from alliage.faces.cli.limit_options import (
    ContextOption,
    DayOption,
    ModelsOption,
    MonthOption,
    ParallelOption,
    RpmOption,
    TpmOption,
)
from alliage.faces.cli.options import HomeAgain, JsonOption

tenant_app = typer.Typer(
    help="Tenants: who asks for services, and what each has a right to. For admins.",
    epilog="Example: alliage tenant set research --guarantee nvidia-h20:8",
    no_args_is_help=True,
)
TenantDryRun = Annotated[bool, typer.Option("--dry-run", help="Check and tell, change nothing.")]
TenantArgument = Annotated[str, typer.Argument(metavar="NAME", help="As in `alliage tenant list`.")]


@tenant_app.command("list", epilog="Example: alliage tenant list --json")
def list_tenants(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List tenants: those of whom something is set, and those whom services, keys and projects name."""
    from alliage.faces.cli import tenants

    tenants.list_tenants(home or context.obj, as_json=as_json)


@tenant_app.command("show", epilog="Example: alliage tenant show research")
def show_tenant(
    context: typer.Context, name: TenantArgument, *, home: HomeAgain = None, as_json: JsonOption = False
) -> None:
    """Show one tenant: what it has a right to, its limits, and what it has."""
    from alliage.faces.cli import tenants

    tenants.show_tenant(home or context.obj, name, as_json=as_json)


@tenant_app.command(
    "set",
    epilog="Example: alliage tenant set research --tier 0 --weight 2 --guarantee nvidia-h20+huawei-910b:16@hall --rpm 600 --month 1000",
)
def set_tenant(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a tenant; it need not be there yet.")],
    *,
    home: HomeAgain = None,
    tier: Annotated[
        int | None, typer.Option(help="Guarantees of tier 0 are kept before those of tier 1.", show_default=False)
    ] = None,
    weight: Annotated[
        float | None, typer.Option(help="Its share of what is beyond guarantees.", show_default=False)
    ] = None,
    guarantee: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHIP[+CHIP]:DEVICES[@SITE]",
            help="Devices it has a right to; repeat it for more. These take the place of all before; `none` for none.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="MONEY/h", help="The most its devices may cost an hour; `none` for no limit.", show_default=False
        ),
    ] = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    parallel: ParallelOption = None,
    context_tokens: ContextOption = None,
    model: ModelsOption = None,
    day: DayOption = None,
    month: MonthOption = None,
    log_prompts: Annotated[
        bool | None,
        typer.Option(
            "--log-prompts/--no-log-prompts",
            help="Write its prompts in the gateways' access log, where there is one; nobody's are unless this says so.",
            show_default=False,
        ),
    ] = None,
    dry_run: TenantDryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Set what a tenant has a right to, limits of all its keys together, and whether its prompts are logged. The rest stays."""
    from alliage.faces.cli import limits, tenants

    given = limits.limits_body(
        rpm=rpm, tpm=tpm, parallel=parallel, context=context_tokens, models=model, day=day, month=month
    )
    order = tenants.tenant_body(
        tier=tier, weight=weight, guarantees=guarantee, budget=budget, limits=given, logs_prompts=log_prompts
    )
    tenants.set_tenant(home or context.obj, name, order | {"dry_run": dry_run}, as_json=as_json)


@tenant_app.command("drop", epilog="Example: alliage tenant drop research")
def drop_tenant(
    context: typer.Context,
    name: TenantArgument,
    *,
    home: HomeAgain = None,
    dry_run: TenantDryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Take away what was set of a tenant: it has the defaults again, without limits. Services, keys, projects stay."""
    from alliage.faces.cli import tenants

    tenants.drop_tenant(home or context.obj, name, dry_run=dry_run, as_json=as_json)
