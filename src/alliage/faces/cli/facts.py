"""The commands that show facts and what follows from them: models, fit, chips, chip. As light as `main`, which registers them."""
# ruff: noqa: PLC0415 - see `main`

from collections.abc import Callable
from typing import Annotated, Final

import typer

from alliage.faces.cli.options import HomeAgain, JsonOption
from alliage.units import parse_seconds


def models(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List the models of the catalogue, which can be deployed by name."""
    from alliage.faces.cli import looking

    looking.models(home or context.obj, as_json=as_json)


def fit(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Its id, as in `alliage models`; or, as admin, a GGUF file or a hub id."),
    ],
    home: HomeAgain = None,
    *,
    ttft: Annotated[str, typer.Option(help="Promised time to the first token, such as 1s.", show_default="any")] = "",
    tpot: Annotated[str, typer.Option(help="Promised time a token, such as 50ms.", show_default="any")] = "",
    context_tokens: Annotated[int, typer.Option("--context", min=1, help="Tokens each request may hold.")] = 8192,
    concurrency: Annotated[int, typer.Option(min=1, max=4096, help="Requests that must fit at once.")] = 16,
    input_tokens: Annotated[int, typer.Option("--input", min=1, help="Prompt tokens of a request.")] = 1024,
    output_tokens: Annotated[int, typer.Option("--output", min=1, help="Answer tokens of a request.")] = 256,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests a second, to tell how many replicas.", show_default="any")
    ] = 0,
    chips: Annotated[str, typer.Option(help="Only these, between commas.", show_default="all")] = "",
    show_all: Annotated[bool, typer.Option("--all", help="Every way and every reason.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fit a model to every chip: what it would take, how fast it would be, how many users it carries; and who cannot."""
    from alliage.faces.cli import fitting

    query: dict[str, str | int] = {
        **({"rate": str(rate)} if rate else {}),
        "context_tokens": context_tokens,
        "concurrency": concurrency,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "chips": chips,
    }
    query |= {name: str(parse_seconds(text)) for name, text in (("ttft_s", ttft), ("tpot_s", tpot)) if text}
    place = home or context.obj
    raise typer.Exit(fitting.fit(place, model, query=query, show_all=show_all, as_json=as_json))


def chips(
    context: typer.Context,
    *,
    maker: Annotated[str | None, typer.Option(help="Only those of one maker.", show_default="all")] = None,
    here: Annotated[bool, typer.Option("--here", help="Only those that a connected node has.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the chips of the catalogue: memory, bandwidth, speeds, and who says so."""
    from alliage.faces.cli import chips as showing

    showing.chips(context.obj, maker=maker, here=here, as_json=as_json)


def chip(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="CHIP", help="Its id, as in `alliage chips`.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Tell everything about a chip and its software, each value with its source and confidence."""
    from alliage.faces.cli import chips as showing

    showing.chip(context.obj, name, as_json=as_json)


COMMANDS: Final[tuple[tuple[Callable[..., None], str], ...]] = (
    (models, "alliage models"),
    (fit, "alliage fit qwen3-32b --tpot 50ms --chips nvidia-h20,huawei-910b"),
    (chips, "alliage chips --maker huawei    or: alliage chips --here"),
    (chip, "alliage chip thead-ppu-810e"),
)
"""Each with its example, in the order of the help."""
