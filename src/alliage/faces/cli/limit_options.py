"""The options of limits, which tenants, projects and keys have alike. As light as `main`."""

from typing import Annotated

import typer

RpmOption = Annotated[
    str | None,
    typer.Option("--rpm", metavar="COUNT", help="Requests a minute; `none` for no limit.", show_default=False),
]
TpmOption = Annotated[
    str | None,
    typer.Option(
        "--tpm",
        metavar="COUNT",
        help="Tokens a minute, prompts and answers, such as 1M; or `none`.",
        show_default=False,
    ),
]
ParallelOption = Annotated[
    str | None,
    typer.Option("--parallel", metavar="COUNT", help="Requests at once; or `none`.", show_default=False),
]
ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="COUNT",
        help="Tokens of one request and its answer, such as 32k; or `none`.",
        show_default=False,
    ),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="SERVICE",
        help="May ask for this one only; repeat it for more. These take the place of all before; `none` for any.",
        show_default=False,
    ),
]
DayOption = Annotated[
    str | None,
    typer.Option("--day", metavar="MONEY", help="What a day of UTC may cost; or `none`.", show_default=False),
]
MonthOption = Annotated[
    str | None,
    typer.Option("--month", metavar="MONEY", help="What a month of UTC may cost; or `none`.", show_default=False),
]
