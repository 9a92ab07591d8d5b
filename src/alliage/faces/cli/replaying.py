"""`alliage replay`: published traces and generated stress, replayed on a virtual clock against published rivals.

Light like `main`: each body imports what it needs when it runs.
"""
# ruff: noqa: PLC0415 - see above

from pathlib import Path
from typing import Annotated, Final

import typer

from alliage.faces.cli.options import OutOption
from alliage.faces.cli.replaying_gavel import gavel
from alliage.faces.cli.replaying_requests import AZURE, MOONCAKE, add_requests_command

replay_app = typer.Typer(
    help="Replay: traces of others, on the real decisions, against published rivals.",
    epilog="Example: alliage replay openb TRACE_FOLDER --policy alliage,fgd --out replay/",
    no_args_is_help=True,
)

STRESS_KINDS: Final = (
    "gangs, fractions, mixed, cpu-heavy, pins, departures, pins-departures, drift, drift-departures, "
    "wrong-statistics, gangs-unforeseen, no-statistics"
)
"""As in `alliage.replay.stress`, which is not loaded for a help text; a test compares them."""
PolicyOption = Annotated[
    str, typer.Option(help="Policies between commas: alliage, fgd, fgd-least-idle, best-fit, gpu-packing, random.")
]


@replay_app.command(
    epilog="Example: alliage replay openb data/openb --workload gpuspec33 --policy alliage,fgd --out replay/"
)
def openb(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="TRACE_FOLDER", help="Folder with the trace's files.", show_default=False),
    ] = None,
    *,
    workload: Annotated[str, typer.Option(help="Which pods of the folder: default, gpuspec33 ...")] = "default",
    nodes: Annotated[Path | None, typer.Option(help="Node list (CSV), in place of the folder's.")] = None,
    pods: Annotated[Path | None, typer.Option(help="Pod list (CSV), in place of the folder's.")] = None,
    arrivals: Annotated[
        Path | None,
        typer.Option(
            help="Arrival orders, a line a seed: SEED i0 i1 ...", show_default="the folder's, else drawn from the seed"
        ),
    ] = None,
    policy: PolicyOption = "alliage,fgd",
    seeds: Annotated[
        str, typer.Option(help="Which seeds: 42,45 or 42-51.", show_default="all of the arrivals, else 42-51")
    ] = "",
    permute: Annotated[int, typer.Option(min=1, max=1000, help="How many orders of the nodes to try for each.")] = 1,
    out: OutOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a seed.")] = False,
) -> None:
    """Replay Alibaba's GPU trace `openb` by the protocol of the FGD study: how much each policy can allocate."""
    from alliage.faces.cli.replay_runs import OpenbOrder, run_openb
    from alliage.replay.openb.files import TraceFiles, find_files

    files = TraceFiles(nodes=nodes, pods=pods, arrivals=arrivals)
    order = OpenbOrder(
        files=find_files(folder, workload, files), policies=policy, seeds=seeds, permutations=permute, out=out
    )
    run_openb(order, as_json=as_json)


@replay_app.command(epilog="Example: alliage replay stress --policy alliage,fgd,best-fit --kind gangs,departures")
def stress(
    *,
    kind: Annotated[
        str, typer.Option(help=f"Which workloads, between commas: {STRESS_KINDS}.", show_default="all")
    ] = "",
    nodes: Annotated[
        Path | None, typer.Option(help="Node list (CSV) of the openb trace.", show_default="a made-up fleet")
    ] = None,
    policy: PolicyOption = "alliage,fgd,best-fit",
    seeds: Annotated[str, typer.Option(help="Which seeds: 1,2 or 1-3.")] = "1-3",
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a mix, seed and policy.")] = False,
) -> None:
    """Replay generated workloads that are unkind to a placement rule: gangs, fractions, departures, wrong statistics."""
    from alliage.faces.cli.replay_runs import StressOrder, run_stress

    run_stress(StressOrder(kinds=kind, nodes=nodes, policies=policy, seeds=seeds), as_json=as_json)


replay_app.command(epilog="Example: alliage replay gavel throughputs.json --jobs multi --rate 2.6 --out replay/")(gavel)
add_requests_command(replay_app, AZURE)
add_requests_command(replay_app, MOONCAKE)
