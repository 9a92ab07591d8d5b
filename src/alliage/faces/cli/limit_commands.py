"""What `alliage limit ...` takes; `limits` does it. Light as `main`: the bodies import what they need when they run."""
# ruff: noqa: PLC0415 - see above

from typing import Annotated

import typer

from alliage.faces.cli.options import HomeAgain, JsonOption

limit_app = typer.Typer(
    help="Limits of tenants, projects and keys, in one view. They are set with `tenant set`, `project set` and `key set`.",
    epilog="Example: alliage limit show key:ci",
    no_args_is_help=True,
)


@limit_app.command("list", epilog="Example: alliage limit list --json")
def list_limits(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List limits: of every tenant, project and key that has any. Who is no admin sees what holds for the own key."""
    from alliage.faces.cli import limits

    limits.list_limits(home or context.obj, as_json=as_json)


@limit_app.command("show", epilog="Example: alliage limit show project:acme/web")
def show_limits(
    context: typer.Context,
    scope: Annotated[
        str, typer.Argument(metavar="WHOSE", help="tenant:NAME, project:TENANT/NAME or key:NAME (or its id).")
    ],
    *,
    home: HomeAgain = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that holds for one: a key's own limits, its project's and its tenant's. For admins."""
    from alliage.faces.cli import limits

    limits.show_limits(home or context.obj, scope, as_json=as_json)
