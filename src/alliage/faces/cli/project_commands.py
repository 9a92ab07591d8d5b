"""What `alliage project ...` takes; `projects` does it. Light as `main`: the bodies import what they need when they run."""
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

project_app = typer.Typer(
    help="Projects: parts of a tenant's work that keys belong to, and their limits. For admins.",
    epilog="Example: alliage project set acme/web --rpm 600",
    no_args_is_help=True,
)
ProjectArgument = Annotated[
    str, typer.Argument(metavar="TENANT/NAME", help="As in `alliage project list`, such as acme/web.")
]
ProjectDryRun = Annotated[bool, typer.Option("--dry-run", help="Check and tell, change nothing.")]


@project_app.command("list", epilog="Example: alliage project list --tenant acme")
def list_projects(
    context: typer.Context,
    *,
    home: HomeAgain = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.", show_default="all")] = None,
    as_json: JsonOption = False,
) -> None:
    """List projects: those of which something is set, and those that keys name."""
    from alliage.faces.cli import projects

    projects.list_projects(home or context.obj, tenant, as_json=as_json)


@project_app.command("show", epilog="Example: alliage project show acme/web")
def show_project(
    context: typer.Context, name: ProjectArgument, *, home: HomeAgain = None, as_json: JsonOption = False
) -> None:
    """Show one project: its limits and its keys."""
    from alliage.faces.cli import projects

    projects.show_project(home or context.obj, name, as_json=as_json)


@project_app.command("set", epilog="Example: alliage project set acme/web --rpm 600 --tpm 1M --day 50")
def set_project(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TENANT/NAME", help="Of a project; it need not be there yet.")],
    *,
    home: HomeAgain = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    parallel: ParallelOption = None,
    context_tokens: ContextOption = None,
    model: ModelsOption = None,
    day: DayOption = None,
    month: MonthOption = None,
    dry_run: ProjectDryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Set limits of all keys of a project together. What is left out stays as it was."""
    from alliage.faces.cli import limits, projects

    body = limits.limits_body(
        rpm=rpm, tpm=tpm, parallel=parallel, context=context_tokens, models=model, day=day, month=month
    )
    projects.set_project(home or context.obj, name, body, dry_run=dry_run, as_json=as_json)


@project_app.command("drop", epilog="Example: alliage project drop acme/web")
def drop_project(
    context: typer.Context,
    name: ProjectArgument,
    *,
    home: HomeAgain = None,
    dry_run: ProjectDryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Lift all limits of a project. Its keys stay in it; one without keys is gone."""
    from alliage.faces.cli import projects

    projects.drop_project(home or context.obj, name, dry_run=dry_run, as_json=as_json)
