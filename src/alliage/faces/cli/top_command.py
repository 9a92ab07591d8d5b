"""What `alliage top` takes; `top` does it. Light as `main`: the body imports what it needs when it runs."""
# ruff: noqa: PLC0415 - see above

from typing import Annotated

import typer

from alliage.faces.cli.options import HomeAgain
from alliage.units import parse_seconds


def top(
    context: typer.Context,
    *,
    home: HomeAgain = None,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end, as into a pipe.")] = False,
    interval: Annotated[str, typer.Option(help="How often to look.")] = "1s",
    as_json: Annotated[bool, typer.Option("--json", help="Print what the API answered once, as JSON.")] = False,
) -> None:
    """Watch the cloud live: services and how they are served, sites, nodes, prices, events. Ctrl-C ends it."""
    from alliage.faces.cli import top as watching

    watching.top(home or context.obj, once=once, interval_s=parse_seconds(interval), as_json=as_json)
