"""What `alliage probe` takes; `probing` does it. Light as `main`: the body imports what it needs when it runs."""
# ruff: noqa: PLC0415 - see above

from typing import Annotated

import typer

from alliage.errors import BadInput
from alliage.faces.cli.options import HomeAgain
from alliage.units import parse_seconds


def probe(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="SERVICE|MODEL",
            help="A service; or a model as in `deploy`, which is served for the probe alone and deleted after it.",
            show_default=False,
        ),
    ] = None,
    *,
    home: HomeAgain = None,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Requests at once, beside 1.", show_default="what the recipe is made for"),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="New requests are begun for so long, a load.")] = 5,
    input_tokens: Annotated[int, typer.Option(min=1, max=1_000_000, help="Prompt tokens of a request.")] = 128,
    output_tokens: Annotated[int, typer.Option(min=8, max=100_000, help="Answer tokens of a request.")] = 64,
    replica: Annotated[
        str | None, typer.Option(help="Measure this one, where they run differently.", show_default="any")
    ] = None,
    timeout: Annotated[str, typer.Option(help="How long to wait until the service is ready.")] = "30m",
    show_list: Annotated[bool, typer.Option("--list", help="Measure nothing: show what was measured.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")] = False,
) -> None:
    """Measure how fast a service runs, by a short load, and keep that beside the estimate."""
    from alliage.faces.cli import probing

    place = home or context.obj
    if show_list:
        raise typer.Exit(probing.list_measured(place, name, as_json=as_json))
    if name is None:
        raise BadInput("probe what?", remedy="alliage probe SERVICE, alliage probe MODEL or alliage probe --list")
    order = probing.ProbeOrder(
        concurrency=concurrency,
        seconds=seconds,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        replica=replica,
        wait_s=parse_seconds(timeout),
    )
    raise typer.Exit(probing.probe(place, name, order, as_json=as_json))
