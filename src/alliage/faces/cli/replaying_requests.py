"""`alliage replay azure`, `alliage replay mooncake`: traces of LLM requests, our routing beside others'."""
# ruff: noqa: PLC0415 - bodies import when they run

from pathlib import Path
from typing import Annotated

import typer

REQUEST_POLICIES = (
    "alliage, alliage-refusing, round-robin, least-requests, two-choices, prefix-affinity, clairvoyant, "
    "clairvoyant-finish"
)
"""As in `alliage.replay.requests.policies`, which is not loaded for a help text; a test compares them."""
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The trace's file.", show_default=False)]
ExperimentOption = Annotated[
    Path,
    typer.Option(help="TOML file: fleet, model, replicas, objective; bench/route has some.", show_default=False),
]
PolicyOption = Annotated[str, typer.Option(help=f"Policies between commas: {REQUEST_POLICIES}.")]
SpeedUpOption = Annotated[
    str, typer.Option(help="How many times as fast: 4 or 1,2,4.", show_default="the experiment's")
]
CountOption = Annotated[int | None, typer.Option(min=1, help="Only so many requests.", show_default="all")]
SecondsOption = Annotated[
    float | None, typer.Option(min=0.0, help="Only the trace's first seconds.", show_default="all")
]
SeedsOption = Annotated[str, typer.Option(help="Which seeds: 1,2 or 1-3.", show_default="the experiment's")]
OutOption = Annotated[Path | None, typer.Option(help="Folder for the result file and the plot.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON a run.")]


def azure(
    file: FileArgument,
    *,
    experiment: ExperimentOption,
    policy: PolicyOption = "alliage,least-requests",
    speed_up: SpeedUpOption = "",
    count: CountOption = None,
    seconds: SecondsOption = None,
    seeds: SeedsOption = "",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay Azure's trace of LLM requests (2023, CSV): how many keep their objective under each router."""
    from alliage.faces.cli.request_runs import RequestsOrder, run_requests
    from alliage.replay.requests.reading import read_azure

    order = RequestsOrder(
        file=file, experiment=experiment, policies=policy, speed_ups=speed_up, count=count, seconds=seconds, seeds=seeds,
        out=out,
    )  # fmt: skip
    run_requests(order, read_azure, as_json=as_json)


def mooncake(
    file: FileArgument,
    *,
    experiment: ExperimentOption,
    policy: PolicyOption = "alliage,least-requests,prefix-affinity",
    speed_up: SpeedUpOption = "",
    count: CountOption = None,
    seconds: SecondsOption = None,
    seeds: SeedsOption = "",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a Mooncake trace (JSONL, with hashes of prefixes): how long the first token takes under each router."""
    from alliage.faces.cli.request_runs import RequestsOrder, run_requests
    from alliage.replay.requests.reading import read_mooncake

    order = RequestsOrder(
        file=file, experiment=experiment, policies=policy, speed_ups=speed_up, count=count, seconds=seconds, seeds=seeds,
        out=out,
    )  # fmt: skip
    run_requests(order, read_mooncake, as_json=as_json)
