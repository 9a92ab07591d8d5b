"""What `alliage key ...` takes; `keys` does it. Light as `main`: the bodies import what they need when they run."""
# ruff: noqa: PLC0415 - see above

from enum import StrEnum
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

key_app = typer.Typer(
    help="Keys: who may ask, for which tenant and project, and how much. For admins.",
    epilog="Example: alliage key create ci --role user",
    no_args_is_help=True,
)
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its name or id.")]
KeyDryRun = Annotated[bool, typer.Option("--dry-run", help="Check and tell, change nothing.")]


class KeyRole(StrEnum):
    """The roles as choices of the command line."""

    USER = "user"
    ADMIN = "admin"


class KeyPriority(StrEnum):
    """The priority classes, likewise."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


@key_app.command("create", epilog="Example: KEY=$(alliage key create --tenant acme --project web --rpm 60)")
def create_key(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="Names are unique; the tenant's and a number when left out.", show_default=False
        ),
    ] = None,
    role: Annotated[KeyRole, typer.Option(help="What it may do.")] = KeyRole.USER,
    tenant: Annotated[str, typer.Option(help="Whose it is.")] = "default",
    *,
    home: HomeAgain = None,
    project: Annotated[str | None, typer.Option(help="Of the tenant; it needs no making.", show_default="none")] = None,
    priority: Annotated[
        KeyPriority, typer.Option(help="Which of a tenant's requests go first where a service is full.")
    ] = KeyPriority.STANDARD,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    parallel: ParallelOption = None,
    context_tokens: ContextOption = None,
    model: ModelsOption = None,
    day: DayOption = None,
    month: MonthOption = None,
    dry_run: KeyDryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its secret is printed once and kept nowhere."""
    from alliage.faces.cli import keys, limits

    body = {
        "name": name,
        "role": role.value,
        "tenant": tenant,
        "project": None if project == "none" else project,
        "priority": priority.value,
        "limits": limits.limits_body(
            rpm=rpm, tpm=tpm, parallel=parallel, context=context_tokens, models=model, day=day, month=month
        ),
        "dry_run": dry_run,
    }
    keys.create_key(home or context.obj, body, as_json=as_json)


@key_app.command("list", epilog="Example: alliage key list --json")
def list_keys(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List keys, without their secrets."""
    from alliage.faces.cli import keys

    keys.list_keys(home or context.obj, as_json=as_json)


@key_app.command("show", epilog="Example: alliage key show ci")
def show_key(context: typer.Context, key: KeyArgument, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """Show one key: whose it is, its priority and its own limits. `alliage limit show key:KEY` shows all that hold."""
    from alliage.faces.cli import keys

    keys.show_key(home or context.obj, key, as_json=as_json)


@key_app.command("set", epilog="Example: alliage key set ci --priority batch --rpm none")
def set_key(
    context: typer.Context,
    key: KeyArgument,
    *,
    home: HomeAgain = None,
    project: Annotated[str | None, typer.Option(help="Of its tenant; `none` for none.", show_default=False)] = None,
    priority: Annotated[
        KeyPriority | None,
        typer.Option(help="Which of a tenant's requests go first where a service is full.", show_default=False),
    ] = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    parallel: ParallelOption = None,
    context_tokens: ContextOption = None,
    model: ModelsOption = None,
    day: DayOption = None,
    month: MonthOption = None,
    dry_run: KeyDryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Set a key's project, priority and limits. What is left out stays as it was; the secret stays good."""
    from alliage.faces.cli import keys, limits

    given = limits.limits_body(
        rpm=rpm, tpm=tpm, parallel=parallel, context=context_tokens, models=model, day=day, month=month
    )
    body = keys.change_body(project=project, priority=priority.value if priority else None, limits=given)
    keys.set_key(home or context.obj, key, body | {"dry_run": dry_run}, as_json=as_json)


@key_app.command("revoke", epilog="Example: alliage key revoke ci")
def revoke_key(
    context: typer.Context,
    key: KeyArgument,
    *,
    home: HomeAgain = None,
    dry_run: KeyDryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Take a key back: from now on it opens nothing."""
    from alliage.faces.cli import keys

    keys.revoke_key(home or context.obj, key, dry_run=dry_run, as_json=as_json)
