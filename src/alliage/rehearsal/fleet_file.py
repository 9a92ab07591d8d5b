"""A fleet as a file: sites, nodes and devices that are rehearsed. TOML in, nodes out; every mistake names its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from alliage.catalog.records import Catalog, Chip, Sharing
from alliage.errors import BadInput
from alliage.fleet.ids import DeviceId, NodeId
from alliage.fleet.lifecycles import NodePhase
from alliage.fleet.nodes import REHEARSAL, Device, EngineFound, Node
from alliage.rehearsal.toml_file import read_table
from alliage.speed.figures import chip_figures
from alliage.units import format_bytes

NODES_MAX: Final = 1000
DEVICES_MAX: Final = 16_000

Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteTable(_Table):
    """A place: `region` and `tags` are what residency rules look at, `power_price` is of a kilowatt-hour."""

    name: Name
    region: str = ""
    tags: tuple[Name, ...] = ()
    power_price: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] | None = None


class DevicesTable(_Table):
    """`count` devices of a chip; they are `speed` times as fast as their data sheet says, or that of the chip `like`."""

    chip: str
    like: str | None = None
    count: Annotated[int, Field(ge=1, le=64, strict=True)] = 1
    speed: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)] = 1.0


class NodesTable(_Table):
    """`count` nodes alike, `NAME-1`, `NAME-2` and so on; one alone is called NAME.

    `memory_gb` is what each has beside its devices', for replicas that sleep: without it none does.
    """

    name: Name
    site: Name
    count: Annotated[int, Field(ge=1, le=NODES_MAX, strict=True)] = 1
    devices: Annotated[tuple[DevicesTable, ...], Field(min_length=1)]
    memory_gb: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None


class FleetTable(_Table):
    """The file."""

    sites: tuple[SiteTable, ...] = ()
    nodes: tuple[NodesTable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedNode:
    """A node, and by chip how fast its devices are beside a data sheet, and which chip's that is."""

    node: Node
    speeds: Mapping[str, float]
    likes: Mapping[str, Chip]


def read_fleet(path: Path, catalog: Catalog) -> tuple[RehearsedNode, ...]:
    """The nodes of a file; raises BadInput naming file, field and value."""
    table = read_table(path, FleetTable, examples="examples/fleets")
    sites = {each.name: each for each in table.sites}
    found: dict[NodeId, RehearsedNode] = {}
    for group in table.nodes:
        if group.site not in sites:
            known = ", ".join(sorted(sites)) or "none"
            raise BadInput(
                f"{path}: nodes {group.name} are at site {group.site!r}", remedy=f"sites of the file: {known}"
            )
        for each in _nodes(group, sites[group.site], catalog, path):
            if each.node.id in found:
                raise BadInput(f"{path}: two nodes are called {each.node.id}", remedy="give one of them another name")
            found[each.node.id] = each
    devices = sum(len(each.node.devices) for each in found.values())
    if len(found) > NODES_MAX or devices > DEVICES_MAX:
        raise BadInput(
            f"{path}: {len(found)} nodes with {devices} devices",
            remedy=f"at most {NODES_MAX} nodes and {DEVICES_MAX} devices are rehearsed on one machine",
        )
    return tuple(found.values())


def _nodes(group: NodesTable, site: SiteTable, catalog: Catalog, path: Path) -> Iterator[RehearsedNode]:
    chips = {each.chip: _chip(each.chip, catalog, path) for each in group.devices}
    likes = {each.chip: _chip(each.like or each.chip, catalog, path) for each in group.devices}
    stacks = {chip.stack for chip in chips.values()}
    engines = tuple(
        EngineFound(engine=engine.id, version="", program=REHEARSAL)
        for engine in catalog.engines.values()
        if any(engine.on_stack(stack) is not None for stack in stacks)
    )
    for number in range(1, group.count + 1):
        name = NodeId(group.name if group.count == 1 else f"{group.name}-{number}")
        devices = tuple(_devices(name, group.devices, chips, path))
        node = Node(
            id=name,
            site=site.name,
            phase=NodePhase.READY,
            devices=devices,
            engines=engines,
            region=site.region,
            tags=site.tags,
            memory_bytes=int((group.memory_gb or 0.0) * 1e9),
        )
        yield RehearsedNode(
            node=node,
            speeds={each.chip: each.speed for each in group.devices},
            likes={each.chip: likes[each.chip] for each in group.devices},
        )


def _devices(node: NodeId, tables: tuple[DevicesTable, ...], chips: Mapping[str, Chip], path: Path) -> Iterator[Device]:
    number = 0
    for table in tables:
        chip = chips[table.chip]
        memory_bytes = chip_figures(chip).memory_bytes
        if memory_bytes is None:
            message = f"{path}: the memory of {chip.id} is not known, so it cannot be rehearsed"
            raise BadInput(message, remedy="add a file of this chip, with its memory, to chips/ in the home folder")
        for _ in range(table.count):
            facts = {"model": chip.name, "memory": format_bytes(int(memory_bytes)), "rehearsed": "yes"}
            if table.like is not None:
                facts["as fast as"] = table.like
            yield Device(
                id=DeviceId(f"{node}/{chip.maker}{number}"),
                chip=chip.id,
                cores=(),
                memory_bytes=int(memory_bytes),
                facts=facts,
            )
            number += 1


def _chip(name: str, catalog: Catalog, path: Path) -> Chip:
    chip = catalog.chips.get(name)
    if chip is None:
        near = get_close_matches(name, catalog.chips, n=1)
        remedy = f"did you mean {near[0]}?" if near else "`alliage chips` lists them"
        raise BadInput(f"{path}: there is no chip {name!r} in the catalogue", remedy=remedy)
    if chip.sharing is Sharing.CORES:
        raise BadInput(
            f"{path}: {name} is shared by cores", remedy="this machine's own CPU serves beside the rehearsed nodes"
        )
    return chip
