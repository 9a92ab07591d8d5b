"""What `alliage node` and `alliage device` take: list, show, cordon, drain, uncordon, forget. Light as `main`."""
# ruff: noqa: PLC0415 - see above

from typing import Annotated, Final

import typer

from alliage.faces.cli.options import HomeAgain, JsonOption
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

NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Its name, as in `alliage node list`.")]
DeviceArgument = Annotated[
    str, typer.Argument(metavar="NODE/DEVICE", help="Its name, as in `alliage device list NODE`.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would come of it, change nothing.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Show progress until it is empty.")]
TimeoutOption = Annotated[str, typer.Option(help="How long --wait waits.")]


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


@node_app.command("cordon", epilog="Example: alliage node cordon h20-1")
def cordon_node(
    context: typer.Context,
    node: NodeArgument,
    *,
    home: HomeAgain = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Place nothing new on a machine; what runs there stays. Ends a drain, too."""
    from alliage.faces.cli import taking_out

    taking_out.say(home or context.obj, node, "cordon", dry_run=dry_run, as_json=as_json)


@node_app.command("drain", epilog="Example: alliage node drain h20-1 --dry-run")
def drain_node(
    context: typer.Context,
    node: NodeArgument,
    *,
    home: HomeAgain = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = True,
    timeout: TimeoutOption = "30m",
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON; does not wait.")] = False,
) -> None:
    """Empty a machine: each replica is replaced elsewhere first, and leaves when its successor is ready."""
    from alliage.faces.cli import taking_out

    wait_s = parse_seconds(timeout) if wait else 0.0
    raise typer.Exit(taking_out.drain(home or context.obj, node, dry_run=dry_run, wait_s=wait_s, as_json=as_json))


@node_app.command("uncordon", epilog="Example: alliage node uncordon h20-1")
def uncordon_node(
    context: typer.Context,
    node: NodeArgument,
    *,
    home: HomeAgain = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a machine in again. Its devices that were cordoned one by one stay so."""
    from alliage.faces.cli import taking_out

    taking_out.say(home or context.obj, node, "uncordon", dry_run=dry_run, as_json=as_json)


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


@device_app.command("cordon", epilog="Example: alliage device cordon h20-1/nvidia3")
def cordon_device(
    context: typer.Context,
    device: DeviceArgument,
    *,
    home: HomeAgain = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Place nothing new on a device; what runs on it stays."""
    from alliage.faces.cli import taking_out

    taking_out.say(home or context.obj, device, "cordon", is_device=True, dry_run=dry_run, as_json=as_json)


@device_app.command("drain", epilog="Example: alliage device drain h20-1/nvidia3 --dry-run")
def drain_device(
    context: typer.Context,
    device: DeviceArgument,
    *,
    home: HomeAgain = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = True,
    timeout: TimeoutOption = "30m",
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON; does not wait.")] = False,
) -> None:
    """Empty a device: what runs on it is replaced elsewhere first, and leaves when its successor is ready."""
    from alliage.faces.cli import taking_out

    wait_s = parse_seconds(timeout) if wait else 0.0
    code = taking_out.drain(
        home or context.obj, device, is_device=True, dry_run=dry_run, wait_s=wait_s, as_json=as_json
    )
    raise typer.Exit(code)


@device_app.command("uncordon", epilog="Example: alliage device uncordon h20-1/nvidia3")
def uncordon_device(
    context: typer.Context,
    device: DeviceArgument,
    *,
    home: HomeAgain = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a device in again."""
    from alliage.faces.cli import taking_out

    taking_out.say(home or context.obj, device, "uncordon", is_device=True, dry_run=dry_run, as_json=as_json)
