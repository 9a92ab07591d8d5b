"""What `alliage node` and `alliage device` take: list, show, cordon, drain, uncordon, forget. Light as `main`."""
# ruff: noqa: PLC0415 - see above

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from alliage.faces.cli.options import DryRunOption, HomeAgain, JsonAtOnceOption, JsonOption, WaitTimeOption
from alliage.units import parse_seconds

node_app: Final = typer.Typer(
    help="Machines: take one out of use, let it in again.",
    epilog="Example: alliage node drain h20-1 --dry-run",
    no_args_is_help=True,
)
device_app: Final = typer.Typer(
    help="Single devices: take one out of use, let it in again.",
    epilog="Example: alliage device cordon h20-1/nvidia3",
    no_args_is_help=True,
)

_NODE_HELP: Final = "Its name, as in `alliage node list`."
NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help=_NODE_HELP)]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Show progress until it is empty.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What is taken out of use: a machine or a device, and how its commands are told of."""

    is_device: bool
    metavar: str
    help: str
    example: str
    words: Mapping[str, str]
    """The help of each command that is the same for both."""


_NODE: Final = _Kind(
    is_device=False,
    metavar="NODE",
    help=_NODE_HELP,
    example="alliage node {} h20-1",
    words={
        "cordon": "Place nothing new on a machine; what runs there stays. Ends a drain, too.",
        "drain": "Empty a machine: each replica is replaced elsewhere first, and leaves when its successor is ready.",
        "uncordon": "Let a machine in again. Its devices that were cordoned one by one stay so.",
    },
)
_DEVICE: Final = _Kind(
    is_device=True,
    metavar="NODE/DEVICE",
    help="Its name, as in `alliage device list NODE`.",
    example="alliage device {} h20-1/nvidia3",
    words={
        "cordon": "Place nothing new on a device; what runs on it stays.",
        "drain": "Empty a device: what runs on it is replaced elsewhere first, and leaves when its successor is ready.",
        "uncordon": "Let a device in again.",
    },
)


@node_app.command("list", epilog="Example: alliage node list --json")
def list_nodes(context: typer.Context, *, home: HomeAgain = None, as_json: JsonOption = False) -> None:
    """List machines and their devices, and which are cordoned or draining."""
    from alliage.faces.cli import looking

    looking.nodes(home or context.obj, as_json=as_json)


@node_app.command("show", epilog="Example: alliage node show h20-1")
def show_node(
    context: typer.Context, node: NodeArgument, *, home: HomeAgain = None, as_json: JsonOption = False
) -> None:
    """Show one machine, what runs there, and while it is drained what each replica waits for."""
    from alliage.faces.cli import taking_out

    taking_out.show_node(home or context.obj, node, as_json=as_json)


@device_app.command("list", epilog="Example: alliage device list h20-1 --json")
def list_devices(
    context: typer.Context,
    node: Annotated[
        str | None, typer.Argument(metavar="[NODE]", help="Of this machine only.", show_default=False)
    ] = None,
    *,
    home: HomeAgain = None,
    as_json: JsonOption = False,
) -> None:
    """List devices one by one, and which are cordoned or draining."""
    from alliage.faces.cli import taking_out

    taking_out.devices(home or context.obj, node, as_json=as_json)


def _add_word(app: typer.Typer, kind: _Kind, word: str) -> None:
    """`cordon` and `uncordon`, which are said and done at once."""

    @app.command(word, help=kind.words[word], epilog=f"Example: {kind.example.format(word)}")
    def command(
        context: typer.Context,
        name: Annotated[str, typer.Argument(metavar=kind.metavar, help=kind.help)],
        *,
        home: HomeAgain = None,
        dry_run: DryRunOption = False,
        as_json: JsonOption = False,
    ) -> None:
        from alliage.faces.cli import taking_out

        taking_out.say(home or context.obj, name, word, is_device=kind.is_device, dry_run=dry_run, as_json=as_json)


def _add_drain(app: typer.Typer, kind: _Kind) -> None:
    """`drain`, which takes its time."""

    @app.command("drain", help=kind.words["drain"], epilog=f"Example: {kind.example.format('drain')} --dry-run")
    def drain(
        context: typer.Context,
        name: Annotated[str, typer.Argument(metavar=kind.metavar, help=kind.help)],
        *,
        home: HomeAgain = None,
        dry_run: DryRunOption = False,
        wait: WaitOption = True,
        timeout: WaitTimeOption = "30m",
        as_json: JsonAtOnceOption = False,
    ) -> None:
        from alliage.faces.cli import taking_out

        wait_s = parse_seconds(timeout) if wait else 0.0
        code = taking_out.drain(
            home or context.obj, name, is_device=kind.is_device, dry_run=dry_run, wait_s=wait_s, as_json=as_json
        )
        raise typer.Exit(code)


for _app, _kind in ((node_app, _NODE), (device_app, _DEVICE)):
    _add_word(_app, _kind, "cordon")
    _add_drain(_app, _kind)
    _add_word(_app, _kind, "uncordon")


@node_app.command("forget", epilog="Example: alliage node forget old-rack-7")
def forget_node(
    context: typer.Context,
    node: NodeArgument,
    *,
    home: HomeAgain = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Drop a machine that is lost or cannot be reached and has no replicas. Should it come back, it joins anew."""
    from alliage.faces.cli import taking_out

    taking_out.forget(home or context.obj, node, dry_run=dry_run, as_json=as_json)
