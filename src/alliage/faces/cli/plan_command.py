"""What `alliage plan` takes; `planning` does it. Light as `main`: the body imports what it needs when it runs."""
# ruff: noqa: PLC0415 - see above

from pathlib import Path
from typing import Annotated

import typer

from alliage.faces.cli.options import HomeAgain


def plan(
    context: typer.Context,
    fleet: Annotated[Path, typer.Option(metavar="FILE", help="Sites and pools of nodes, as TOML.")],
    work: Annotated[Path, typer.Option(metavar="FILE", help="Tenants, services, jobs and what runs, as TOML.")],
    *,
    home: HomeAgain = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why, what else, and what would change it.")] = False,
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAME", help="Explain this service or job.", show_default="all")
    ] = None,
    gap: Annotated[float, typer.Option(min=0, max=1, help="Stop when proven to be so close to the best.")] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """What if: plan a fleet and its work from two files. Needs no running cloud, changes nothing."""
    from alliage.faces.cli import planning

    order = planning.PlanOrder(fleet=fleet, work=work, explain=explain or only is not None, only=only, gap=gap)
    raise typer.Exit(planning.plan(home or context.obj, order, as_json=as_json))
