"""`alliage replay gavel`: training jobs that share unlike chips, our rule beside Gavel's. Bodies import when they run."""
# ruff: noqa: PLC0415 - see above

from pathlib import Path
from typing import Annotated

import typer

from alliage.errors import BadInput
from alliage.faces.cli.options import JsonRunsOption, OutOption


def gavel(
    throughputs: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="Gavel's simulation_throughputs.json; else gavel/ in the folder of $ALLIAGE_TEST_DATA.",
            show_default=False,
        ),
    ] = None,
    *,
    jobs: Annotated[str, typer.Option(help="single: all take one device; multi: gangs of 1 to 8.")] = "single",
    rate: Annotated[float | None, typer.Option(help="Jobs an hour.", show_default="5.6 single, 2.6 multi")] = None,
    seeds: Annotated[str, typer.Option(help="Which seeds: 0,1,2.")] = "0,1,2",
    policy: Annotated[
        str, typer.Option(help="Policies between commas: alliage, gavel, gavel-fill.")
    ] = "alliage,gavel,gavel-fill",
    out: OutOption = None,
    as_json: JsonRunsOption = False,
) -> None:
    """Replay training jobs on 36 each of V100, P100 and K80: how long jobs take under each policy."""
    from alliage.faces.cli.gavel_runs import GavelOrder, run_gavel

    if jobs not in ("single", "multi"):
        raise BadInput(f"--jobs {jobs}", remedy="say single or multi")
    multi = jobs == "multi"
    per_h = rate if rate is not None else (2.6 if multi else 5.6)
    if not 0.0 < per_h < 1e6:
        raise BadInput(f"--rate {per_h}", remedy="give jobs an hour, above 0")
    order = GavelOrder(throughputs=throughputs, multi=multi, rate_per_h=per_h, seeds=seeds, policies=policy, out=out)
    run_gavel(order, as_json=as_json)
