"""A large made-up fleet and what is asked of it: three sites, six makes, three sizes of node; a hundred services. Seeded."""

import random
from dataclasses import dataclass, replace
from typing import Final

from alliage.catalog.records import Catalog
from alliage.decide.aiming.kinds import kinds
from alliage.decide.aiming.live_ways import live_ways
from alliage.decide.reckoning import Reckoner
from alliage.fleet.ids import DeviceId, NodeId, ServiceName
from alliage.fleet.lifecycles import NodePhase, ServicePhase
from alliage.fleet.nodes import Device, EngineFound, Node
from alliage.fleet.services import Objective, Service
from alliage.fleet.view import FleetView
from alliage.speed.figures import chip_figures

SITES: Final = (("hohhot-1", "cn"), ("paris-1", "eu"), ("virginia-2", "us"))
CHIPS: Final = ("nvidia-h20", "nvidia-h100-sxm", "huawei-910b", "thead-ppu-810e", "metax-c500", "amd-mi300x")
SIZES: Final = ((4, 50), (8, 125), (16, 25))
"""Devices of a node, and how many such nodes there are: 200 nodes, 1,600 devices."""
MODELS: Final = (
    "qwen3-4b",
    "qwen3-8b",
    "llama-3.1-8b",
    "qwen3-14b",
    "qwen3-30b-a3b",
    "qwen3-32b",
    "llama-3.3-70b",
    "qwen2.5-72b",
)
OBJECTIVES: Final = ((1.0, 0.05), (2.0, 0.06), (3.0, 0.1), (None, None))
GOOD: Final = 0.6
SMALL: Final = 12
"""Services that ask for fewer devices may be bound to a region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of it there is: a part of the nodes, and the services."""

    nodes: float = 1.0
    services: int = 100
    asked: float = 0.8
    """The part of the devices that is asked for, by what a service's better ways do: the plan takes those that are cheap."""


def a_fleet(catalog: Catalog, size: Size, seed: int) -> tuple[Node, ...]:
    """Nodes of one make each, as their agents would tell of them."""
    draw = random.Random(seed)
    counts = [devices for devices, nodes in SIZES for _ in range(max(1, round(nodes * size.nodes)))]
    return tuple(_node(number, devices, catalog, draw) for number, devices in enumerate(counts))


def _node(number: int, devices: int, catalog: Catalog, draw: random.Random) -> Node:
    site, region = draw.choice(SITES)
    chip = catalog.chips[draw.choice(CHIPS)]
    name = NodeId(f"{site}-{number:03d}")
    memory_bytes = int(chip_figures(chip).memory_bytes or 0)
    facts = {"model": chip.id, "memory": f"{memory_bytes}", "driver": "1.0"}
    return Node(
        id=name,
        site=site,
        region=region,
        tags=(f"{region}-only",),
        phase=NodePhase.READY,
        devices=tuple(
            Device(id=DeviceId(f"{name}/{place}"), chip=chip.id, cores=(), memory_bytes=memory_bytes, facts=facts)
            for place in range(devices)
        ),
        engines=tuple(
            EngineFound(engine=engine.id, version="1", program=f"/opt/{engine.id}")
            for engine in catalog.engines.values()
            if engine.on_stack(chip.stack) is not None
        ),
    )


def the_services(
    nodes: tuple[Node, ...], catalog: Catalog, size: Size, seed: int, *, now_s: float
) -> tuple[Service, ...]:
    """Services of very different sizes (Zipf), which together ask for `asked` of the devices; of the small ones some may live in one region only."""
    draw = random.Random(seed + 1)
    view, reckoner = FleetView(version=0, nodes=nodes), Reckoner(catalog)
    devices = sum(len(node.devices) for node in nodes)
    shares = [1.0 / (rank + 1) ** 0.7 for rank in range(size.services)]
    draw.shuffle(shares)
    asked = (share / sum(shares) * size.asked * devices for share in shares)
    return tuple(_service(number, each, view, reckoner, draw, now_s) for number, each in enumerate(asked))


def _service(  # noqa: PLR0917 - what one is made of
    number: int, devices: float, view: FleetView, reckoner: Reckoner, draw: random.Random, now_s: float
) -> Service:
    model = reckoner.catalog.models[draw.choice(MODELS)]
    ttft_s, tpot_s = draw.choice(OBJECTIVES)
    _, region = draw.choice(SITES)
    service = Service(
        name=ServiceName(f"service-{number:03d}"),
        tenant=f"tenant-{number % 10}",
        model=model,
        objective=Objective(ttft_s=ttft_s, tpot_s=tpot_s),
        min_replicas=1,
        max_replicas=400,
        phase=ServicePhase.STARTING,
        created_s=now_s + number * 1e-3,
        residency=(region,) if devices < SMALL and draw.random() < 0.3 else (),
    )
    each = sorted(
        way.rate_rps / way.units
        for kind in kinds(view, reckoner.catalog)
        for way in live_ways(kind, None, reckoner.at(service, kind.place, kind.nodes[0], view, is_rehearsed=False))
        if way.rate_rps and not way.is_failed
    )
    rate_rps = devices * each[int(GOOD * len(each))] if each else None
    return replace(service, rate_rps=rate_rps)
