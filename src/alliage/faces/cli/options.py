"""Options and arguments that several commands take, and the panels of the help. As light as `main`."""

from pathlib import Path
from typing import Annotated

import typer

CLOUD, SERVICES, FLEET = "The cloud", "Services", "What runs"

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="ALLIAGE_HOME", help="Folder where this cloud keeps everything.")
]
HomeAgain = Annotated[
    Path | None, typer.Option("--home", help="As `alliage --home`, after the command.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what the API answered, as JSON.")]
ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="Its name, as in `alliage services`.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would come of it, change nothing.")]
WaitTimeOption = Annotated[str, typer.Option("--timeout", help="How long --wait waits.")]
JsonAtOnceOption = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON; does not wait.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for the result file and the plot.")]
JsonRunsOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON a run.")]
