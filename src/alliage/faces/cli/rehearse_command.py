"""What `alliage rehearse` takes: faults on command, for rehearsed nodes only. Light as `main`."""
# ruff: noqa: PLC0415 - see above

from enum import StrEnum
from typing import Annotated

import typer

from alliage.faces.cli.options import HomeAgain


class What(StrEnum):
    """What can be made to happen (`rehearsal.faults.Calamity`; a test holds them equal)."""

    DIE = "die"
    HANG = "hang"
    SLOW = "slow"
    LOSE = "lose"
    REFUSE = "refuse"
    REVIVE = "revive"


def rehearse(
    context: typer.Context,
    what: Annotated[
        What,
        typer.Argument(
            help="die, hang, slow: a replica, node or site. lose: a device. refuse (starts), revive: a node or site.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Name of a replica, node, site or device.", show_default=False)
    ],
    *,
    home: HomeAgain = None,
    factor: Annotated[float, typer.Option(min=0.001, max=1000, help="slow: so many times as long.")] = 3.0,
) -> None:
    """Let something go wrong in a rehearsed fleet, to see what becomes of it. Real nodes cannot be named."""
    from alliage.app.rehearsal import make_happen
    from alliage.faces.cli.place import home_of
    from alliage.faces.cli.screen import remark

    remark(make_happen(home_of(home or context.obj), what.value, target, factor))
