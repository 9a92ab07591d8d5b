"""The command `alliage`: what commands and options there are, and what an error looks like.

Light on purpose: each body imports what it needs when it runs, so that `--help` answers at once (a test holds that).
"""
# ruff: noqa: PLC0415 - see above

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from alliage.app.defaults import ADMIN_PORT, DEFAULT_MODEL, HOST, PORT
from alliage.errors import AlliageError, BadInput, NotRunning
from alliage.faces.cli import facts
from alliage.faces.cli.key_commands import key_app
from alliage.faces.cli.ledger_commands import bill, price_app, usage_app
from alliage.faces.cli.limit_commands import limit_app
from alliage.faces.cli.node_commands import device_app, node_app
from alliage.faces.cli.options import (
    CLOUD,
    FLEET,
    SERVICES,
    HomeAgain,
    HomeOption,
    JsonAtOnceOption,
    JsonOption,
    ServiceArgument,
    WaitTimeOption,
)
from alliage.faces.cli.plan_command import plan
from alliage.faces.cli.probe_command import probe
from alliage.faces.cli.project_commands import project_app
from alliage.faces.cli.rehearse_command import rehearse
from alliage.faces.cli.replaying import replay_app
from alliage.faces.cli.tenant_commands import tenant_app
from alliage.faces.cli.top_command import top
from alliage.faces.telling import error_text
from alliage.units import parse_seconds

app = typer.Typer(
    name="alliage",
    help="One AI cloud from whatever chips you have.",
    epilog="Begin with: alliage up    then: alliage chat",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 refused or failed, 2 bad input, 3 no cloud runs, 130 interrupted."""
    try:
        app(prog_name="alliage")
    except AlliageError as error:
        sys.stderr.write(error_text(error) + "\n")
        sys.exit(exit_code(error))


def exit_code(error: AlliageError) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, BadInput):
        return 2
    return 3 if isinstance(error, NotRunning) else 1


def _show_version(*, wanted: bool) -> None:
    if wanted:
        from alliage import __version__

        typer.echo(f"alliage {__version__}")
        raise typer.Exit


@app.callback()
def alliage(
    context: typer.Context,
    home: HomeOption = Path("~/.alliage"),
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=lambda wanted: _show_version(wanted=wanted), is_eager=True, help="Print it."
        ),
    ] = False,
) -> None:
    """One AI cloud from whatever chips you have."""
    context.obj = home


@app.command(rich_help_panel=CLOUD, epilog="Example: alliage up --port 9000")
def up(
    context: typer.Context,
    home: HomeAgain = None,
    *,
    host: Annotated[str, typer.Option(envvar="ALLIAGE_HOST", help="Address of the OpenAI API.")] = HOST,
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="ALLIAGE_PORT", help="Port of the OpenAI API; 0: any.")
    ] = PORT,
    admin_port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="ALLIAGE_ADMIN_PORT", help="Port of the admin API; 0: any.")
    ] = ADMIN_PORT,
    model: Annotated[str, typer.Option(help="Deployed the first time; `none` for nothing.")] = DEFAULT_MODEL,
    fleet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Rehearse the nodes of this TOML file beside this machine.", show_default=False
        ),
    ] = None,
    gateways: Annotated[
        str,
        typer.Option(
            metavar="N", help="Gateway processes; `auto`: one a core.", show_default="1, or as in the settings"
        ),
    ] = "",
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Certificate of the OpenAI API (PEM), with --tls-key.", show_default=False),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key; not for others to read.", show_default=False)
    ] = None,
) -> None:
    """Start the cloud on this machine, in the foreground. Ctrl-C drains and stops it, twice stops it at once."""
    from alliage.faces.cli.up import UpOrder
    from alliage.faces.cli.up import up as start

    order = UpOrder(
        host=host,
        port=port,
        admin_port=admin_port,
        model=model,
        fleet=fleet,
        gateways=gateways,
        tls_certificate=tls_cert,
        tls_key=tls_key,
    )
    raise typer.Exit(start(home or context.obj, order))


@app.command(rich_help_panel=CLOUD, epilog="Example: alliage down --now")
def down(
    context: typer.Context,
    home: HomeAgain = None,
    *,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for running requests.")] = False,
    timeout: Annotated[str, typer.Option(help="How long to wait until it is gone.")] = "2m",
) -> None:
    """Stop the cloud of this home folder: running requests finish first."""
    from alliage.faces.cli import stopping

    stopping.down(home or context.obj, now=now, wait_s=parse_seconds(timeout))


@app.command(rich_help_panel=CLOUD, epilog="Example: alliage status --json")
def status(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """Everything in one: nodes, services, replicas, and what is wrong."""
    from alliage.faces.cli import looking

    looking.status(home or context.obj, as_json=as_json)


app.command(rich_help_panel=CLOUD, epilog="Example: alliage top    or: alliage top --once")(top)


@app.command(rich_help_panel=CLOUD, epilog="Example: alliage doctor --json")
def doctor(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found, as JSON.")] = False,
) -> None:
    """Examine this machine: its devices, what is missing, and the command that mends it. Needs no running cloud."""
    from alliage.faces.cli import doctor as examining

    if not examining.doctor(context.obj, as_json=as_json):
        raise typer.Exit(1)


@app.command(rich_help_panel=SERVICES, epilog="Example: alliage deploy smollm2-135m --ttft 500ms --tpot 50ms")
def deploy(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A name of `alliage models`, a GGUF file or model folder, or ORG/NAME of the hub."
        ),
    ],
    *,
    home: HomeAgain = None,
    name: Annotated[str | None, typer.Option(help="Of the service.", show_default="the model's own")] = None,
    ttft: Annotated[str | None, typer.Option(help="Goal: time to the first token, such as 500ms.")] = None,
    tpot: Annotated[str | None, typer.Option(help="Goal: time a token after it, such as 50ms.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second to expect.", show_default="what is seen")
    ] = None,
    residency: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Site, region or tag where it may live; repeatable.", show_default="any"),
    ] = None,
    min_replicas: Annotated[int, typer.Option(min=0, help="Least number; 0: none while nobody asks.")] = 1,
    max_replicas: Annotated[
        int | None,
        typer.Option(min=1, help="Most replicas.", show_default="the least; as needed with a goal, a rate or least 0"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and explain, change nothing.")] = False,
    remote_code: Annotated[
        bool, typer.Option("--remote-code", help="Let code that comes with the model run (admins).")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show progress until it is ready.")] = True,
    timeout: WaitTimeOption = "30m",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell all that was not chosen, and why.")] = False,
    as_json: JsonAtOnceOption = False,
) -> None:
    """Ask for a model to be served. Where, on what and how is decided for you, and explained."""
    from alliage.faces.cli import deploying

    order: dict[str, Any] = {
        "name": name,
        "ttft_s": parse_seconds(ttft) if ttft is not None else None,
        "tpot_s": parse_seconds(tpot) if tpot is not None else None,
        "rate_rps": deploying.checked_rate(rate),
        "residency": residency or [],
        "min_replicas": min_replicas,
        "max_replicas": max_replicas,
        "remote_code": remote_code,
        "dry_run": dry_run,
    }
    wait_s = parse_seconds(timeout) if wait else 0.0
    place = home or context.obj
    code = deploying.deploy(place, model, order=order, wait_s=wait_s, as_json=as_json, verbose=verbose)
    raise typer.Exit(code)


@app.command(rich_help_panel=SERVICES, epilog="Example: alliage services --json")
def services(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List services, and why those that are not ready are not."""
    from alliage.faces.cli import looking

    looking.services(home or context.obj, as_json=as_json)


@app.command(rich_help_panel=SERVICES, epilog="Example: alliage explain smollm2-135m")
def explain(
    context: typer.Context, service: ServiceArgument, *, home: HomeAgain = None, as_json: JsonOption = False
) -> None:
    """Say why a service runs where it runs, what was rejected, and what would change that."""
    from alliage.faces.cli import looking

    looking.explain(home or context.obj, service, as_json=as_json)


app.command(rich_help_panel=SERVICES, epilog="Example: alliage probe smollm2-135m    or: alliage probe --list")(probe)
app.command(
    rich_help_panel=FLEET,
    epilog="Example: alliage rehearse die h20-1    or: alliage rehearse slow h20-2 --factor 4",
)(rehearse)
app.command(
    rich_help_panel=FLEET,
    epilog="Example: alliage plan --fleet examples/plan/fleet.toml --work examples/plan/work.toml --explain",
)(plan)


@app.command(
    rich_help_panel=SERVICES, epilog='Example: alliage chat -m "Hello"    or: echo Hello | alliage chat smollm2-135m'
)
def chat(
    context: typer.Context,
    service: Annotated[
        str | None,
        typer.Argument(metavar="[SERVICE]", help="The first one that is ready when left out.", show_default=False),
    ] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Ask this once instead of talking.")] = None,
    *,
    home: HomeAgain = None,
) -> None:
    """Talk to a model. Ctrl-C stops an answer, Ctrl-D leaves."""
    from alliage.faces.cli import chatting

    raise typer.Exit(chatting.chat(home or context.obj, service, message=message))


@app.command(rich_help_panel=SERVICES, epilog="Example: alliage delete smollm2-135m")
def delete(
    context: typer.Context,
    service: ServiceArgument,
    *,
    home: HomeAgain = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask (nor when the input is no terminal).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a service. Its replicas finish what they answer, then stop."""
    from alliage.faces.cli import changing

    if not changing.delete(home or context.obj, service, yes=yes, as_json=as_json):
        raise typer.Exit(1)


@app.command(rich_help_panel=FLEET, epilog="Example: alliage replicas")
def replicas(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List replicas: the engines that run, where, and how busy they are."""
    from alliage.faces.cli import looking

    looking.replicas(home or context.obj, as_json=as_json)


@app.command(rich_help_panel=FLEET, epilog="Example: alliage nodes --json")
def nodes(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List machines and their devices: what is bound, what is free."""
    from alliage.faces.cli import looking

    looking.nodes(home or context.obj, as_json=as_json)


for command, example in facts.COMMANDS:
    app.command(rich_help_panel=FLEET, epilog=f"Example: {example}")(command)


@app.command(rich_help_panel=FLEET, epilog="Example: alliage history smollm2-135m")
def history(
    context: typer.Context,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Of a node, service or replica; or tenant:NAME, project:TENANT/NAME or key:NAME (for admins).",
        ),
    ],
    *,
    home: HomeAgain = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened to a node, service or replica, or what was changed of a tenant, project or key and by whom."""
    from alliage.faces.cli import looking

    looking.history(home or context.obj, subject, as_json=as_json)


@app.command(rich_help_panel=FLEET, epilog="Example: alliage logs smollm2-135m -f")
def logs(
    context: typer.Context,
    replica: Annotated[str, typer.Argument(metavar="REPLICA", help="Its id, or a service for its newest replica.")],
    *,
    home: HomeAgain = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends it.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=10_000, help="How many of the last lines.")] = 200,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print it as JSON: one object, or one for each line with -f.")
    ] = False,
) -> None:
    """Show the log of a replica's engine."""
    from alliage.faces.cli import looking

    looking.logs(home or context.obj, replica, lines=lines, follow=follow, as_json=as_json)


app.add_typer(tenant_app, name="tenant", rich_help_panel=CLOUD)
app.add_typer(project_app, name="project", rich_help_panel=CLOUD)
app.add_typer(key_app, name="key", rich_help_panel=CLOUD)
app.add_typer(key_app, name="keys", hidden=True)  # how it was spelled first
app.add_typer(limit_app, name="limit", rich_help_panel=CLOUD)
app.add_typer(usage_app, name="usage", rich_help_panel=CLOUD)
app.command(rich_help_panel=CLOUD, epilog="Example: alliage bill --tenant acme --month 2026-11 --csv")(bill)
app.add_typer(price_app, name="price", rich_help_panel=CLOUD)
app.add_typer(node_app, name="node", rich_help_panel=FLEET)
app.add_typer(device_app, name="device", rich_help_panel=FLEET)
app.add_typer(replay_app, name="replay", rich_help_panel=FLEET)
