"""`alliage replay azure`, `alliage replay mooncake`: traces of LLM requests, our routing beside others'."""
# ruff: noqa: PLC0415 - bodies import when they run

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from alliage.faces.cli.options import JsonRunsOption, OutOption

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


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceKind:
    """A published format of traces, and how its command is told of."""

    name: str
    """The command's."""
    policies: str
    """Those that are compared unless others are asked for."""
    help: str
    example: str


AZURE: Final = TraceKind(
    name="azure",
    policies="alliage,least-requests",
    help="Replay Azure's trace of LLM requests (2023, CSV): how many keep their objective under each router.",
    example="alliage replay azure conv.csv --experiment bench/route/azure.toml --speed-up 4,5 --out replay/",
)
MOONCAKE: Final = TraceKind(
    name="mooncake",
    policies="alliage,least-requests,prefix-affinity",
    help="Replay a Mooncake trace (JSONL, with hashes of prefixes): how long the first token takes under each router.",
    example="alliage replay mooncake trace.jsonl --experiment bench/route/mooncake.toml --speed-up 2 --out replay/",
)


def add_requests_command(app: typer.Typer, kind: TraceKind) -> None:
    """The command that replays traces of a kind."""

    @app.command(kind.name, help=kind.help, epilog=f"Example: {kind.example}")
    def replay(
        file: FileArgument,
        *,
        experiment: ExperimentOption,
        policy: PolicyOption = kind.policies,
        speed_up: SpeedUpOption = "",
        count: CountOption = None,
        seconds: SecondsOption = None,
        seeds: SeedsOption = "",
        out: OutOption = None,
        as_json: JsonRunsOption = False,
    ) -> None:
        from alliage.faces.cli.request_runs import RequestsOrder, run_requests
        from alliage.replay.requests.reading import read_azure, read_mooncake

        order = RequestsOrder(
            file=file,
            experiment=experiment,
            policies=policy,
            speed_ups=speed_up,
            count=count,
            seconds=seconds,
            seeds=seeds,
            out=out,
        )
        run_requests(order, {"azure": read_azure, "mooncake": read_mooncake}[kind.name], as_json=as_json)
