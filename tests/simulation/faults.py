"""What may happen in the simulation: what people ask for, and what breaks. Each is one function of the simulation."""

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from alliage.control.observed import EngineState
from alliage.control.orders import DeployOrder
from alliage.control.taking_out import Word
from alliage.control.tenancy import TenantOrder
from alliage.errors import AlliageError
from alliage.fleet.ids import ServiceName
from alliage.fleet.tenants import Guarantee
from tests.simulation.fleet import CHIPS, MODELS, PLACES

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

SERVICES = tuple(ServiceName(f"s{number}") for number in range(6))
TENANTS = ("gold", "silver", "default")
Happening = Callable[["Simulation"], None]


def deploy(s: "Simulation") -> None:
    """A service is asked for, or something else of one that is there."""
    chance = s.random
    number = chance.randrange(len(SERVICES))
    least = chance.choice((0, 0, 1, 1, 2, 3))
    order = DeployOrder(
        model=MODELS[number % len(MODELS)],
        name=SERVICES[number],
        tenant=TENANTS[number % len(TENANTS)],
        ttft_s=chance.choice((None, 2.0, 10.0)),
        tpot_s=chance.choice((None, 0.1)),
        min_replicas=least,
        max_replicas=chance.choice((None, None, max(1, least))),
        remote_code=False,
        dry_run=chance.random() < 0.1,
        rate_rps=chance.choice((None, None, 0.5, 5.0)),
        residency=tuple(chance.sample(PLACES, chance.choice((0, 0, 0, 1, 2)))),
    )
    with contextlib.suppress(AlliageError):
        s.ask(s.cloud.desk.deploy(order))


def delete(s: "Simulation") -> None:
    """A service goes."""
    with contextlib.suppress(AlliageError):
        s.ask(s.cloud.desk.delete(s.random.choice(SERVICES)))


def grant(s: "Simulation") -> None:
    """A tenant's tier, weight and guarantees are set."""
    chance = s.random
    guarantees = tuple(
        Guarantee(chips=(chip,), devices=chance.randint(1, 3), site=chance.choice(("", "", "hohhot", "graz")))
        for chip in chance.sample(CHIPS, chance.choice((0, 1, 1, 2)))
    )
    order = TenantOrder(
        name=chance.choice(TENANTS),
        tier=chance.randint(0, 2),
        weight=chance.choice((0.5, 1.0, 4.0)),
        guarantees=guarantees,
    )
    s.cloud.desk.registry.set_tenant(order)


def take_out(s: "Simulation") -> None:
    """An admin takes a node or a device out, or lets it in again."""
    chance, desk, node = s.random, s.cloud.desk, s.a_node()
    word = chance.choice((Word.CORDON, Word.DRAIN, Word.UNCORDON, Word.UNCORDON))
    is_dry = chance.random() < 0.1
    with contextlib.suppress(AlliageError):
        if chance.random() < 0.5:
            s.ask(desk.take_out(node, word, dry_run=is_dry))
        else:
            device = chance.choice(s.cloud.agents.nodes[node].node.devices).id
            s.ask(desk.take_out_device(device, word, dry_run=is_dry))


def forget(s: "Simulation") -> None:
    """An admin forgets a node that is gone."""
    with contextlib.suppress(AlliageError):
        s.cloud.desk.forget_node(s.a_node(), dry_run=False)


def site_goes(s: "Simulation") -> None:
    """All nodes of a site are out of reach at once, or dead without a word."""
    agents, site = s.cloud.agents, s.random.choice(("hohhot", "graz", "lagos"))
    fault = s.random.choice((agents.part, agents.freeze))
    for name, node in agents.nodes.items():
        if node.node.site == site and name not in agents.gone:
            fault(name)


def node_goes(s: "Simulation") -> None:
    """A node dies with or without a word, or is out of reach, or only its agent is."""
    agents, node = s.cloud.agents, s.a_node()
    if node not in agents.gone:
        s.random.choice((agents.kill, agents.freeze, agents.part, agents.leave))(node)


def node_comes_back(s: "Simulation") -> None:
    """One of them."""
    s.cloud.agents.come_back(s.a_node())


def nodes_come_back(s: "Simulation") -> None:
    """All of them."""
    for node in s.cloud.agents.nodes:
        s.cloud.agents.come_back(node)


def device_goes(s: "Simulation") -> None:
    """A card falls off its bus."""
    node = s.cloud.agents.nodes[s.a_node()].node
    s.cloud.agents.lose_device(s.random.choice(node.devices).id)


def starts_go_wrong(s: "Simulation") -> None:
    """Engines that are started on a node end at once, or hang; rather on one where an engine just ended."""
    agents, replica = s.cloud.agents, s.a_replica()
    node = next((name for name, engines in agents.holding.items() if replica in engines), s.a_node())
    agents.spoil(node, s.random.choice((EngineState.ENDED, EngineState.STARTING)))
    agents.end(replica)


def starts_go_well(s: "Simulation") -> None:
    """Everywhere again."""
    for node in s.cloud.agents.nodes:
        s.cloud.agents.spoil(node, None)


def engine_slows(s: "Simulation") -> None:
    """An engine takes several times as long for each step, or no longer does."""
    s.cloud.engines.slow(s.a_replica(), s.random.choice((1.0, 3.0, 20.0)))


def control_restarts(s: "Simulation") -> None:
    """At once: what it kept in memory is gone."""
    s.cloud.restart_control()
    s.is_control_away = False


def control_goes(s: "Simulation") -> None:
    """It is gone until it comes back or is restarted."""
    s.is_control_away = True


def gateway_dies(s: "Simulation") -> None:
    """With all its connections; it is started again at once."""
    s.cloud.doors.restart(s.random.randrange(2), is_away=s.random.random() < 0.3)


def gateway_is_away(s: "Simulation") -> None:
    """Its line to control is closed."""
    s.cloud.doors.away.add(s.random.choice(s.cloud.doors.all).name)


def gateway_is_blind(s: "Simulation") -> None:
    """It reaches nothing new: its own trouble."""
    s.random.choice(s.cloud.doors.all).reach.is_blind = True


def gateways_are_well(s: "Simulation") -> None:
    """All are on the line and see."""
    s.cloud.doors.come_back()
    for door in s.cloud.doors.all:
        door.reach.is_blind = False


def client_leaves(s: "Simulation") -> None:
    """Before its answer is whole."""
    door = s.random.choice(s.cloud.doors.all)
    if door.open:
        door.leave(s.random.choice(list(door.open)))


def calm(s: "Simulation") -> None:
    """Nothing happens for some time, but for traffic."""
    s.calm = s.random.choice((5, 20, 60))


def wall_clock_jumps(s: "Simulation") -> None:
    """Somebody sets it."""
    s.cloud.clock.shift_s = s.random.uniform(-1e4, 1e4)


HAPPENINGS: Mapping[str, Happening] = {
    "a service is asked for": deploy,
    "a service goes": delete,
    "a tenant is granted": grant,
    "an admin takes out": take_out,
    "a node is forgotten": forget,
    "a site goes": site_goes,
    "a node goes": node_goes,
    "a node comes back": node_comes_back,
    "all nodes come back": nodes_come_back,
    "a device goes": device_goes,
    "devices come back": lambda s: s.cloud.agents.restore(),
    "an engine ends": lambda s: s.cloud.agents.end(s.a_replica()),
    "an engine hangs": lambda s: s.cloud.agents.hang(s.a_replica()),
    "an engine slows": engine_slows,
    "starts go wrong": starts_go_wrong,
    "starts go well": starts_go_well,
    "reports are late": lambda s: s.cloud.agents.delay(),
    "reports are here": lambda s: s.cloud.agents.tell(),
    "control restarts": control_restarts,
    "control goes": control_goes,
    "control comes back": lambda s: setattr(s, "is_control_away", False),
    "a gateway dies": gateway_dies,
    "a gateway is away": gateway_is_away,
    "a gateway is blind": gateway_is_blind,
    "gateways are well": gateways_are_well,
    "a client leaves": client_leaves,
    "calm": calm,
    "the wall clock jumps": wall_clock_jumps,
}
_ASKED_OF_CONTROL = frozenset(
    {"a service is asked for", "a service goes", "a tenant is granted", "an admin takes out", "a node is forgotten"}
)
"""Where it is away there is nobody to ask."""
_WEIGHTS: Mapping[str, float] = {
    "a service is asked for": 5.0,
    "calm": 3.0,
    "all nodes come back": 2.0,
    "devices come back": 2.0,
    "reports are here": 3.0,
    "gateways are well": 2.0,
    "control comes back": 3.0,
    "an engine ends": 2.0,
    "a site goes": 0.4,
    "control goes": 0.5,
    "the wall clock jumps": 0.3,
}


def choose(s: "Simulation") -> str:
    """What happens next; the first are services, so that there is something to break."""
    if s.steps <= 4:
        return "a service is asked for"
    names = [name for name in HAPPENINGS if not (s.is_control_away and name in _ASKED_OF_CONTROL)]
    return s.random.choices(names, [_WEIGHTS.get(name, 1.0) for name in names])[0]


def end_all(s: "Simulation") -> None:
    """Everything that is broken is well again; what admins closed stays closed."""
    nodes_come_back(s)
    starts_go_well(s)
    s.cloud.agents.restore()
    s.cloud.agents.tell()
    gateways_are_well(s)
    s.is_control_away = False


def open_all(s: "Simulation") -> None:
    """What admins closed is open."""
    for node in s.cloud.store.snapshot().nodes:
        s.ask(s.cloud.desk.take_out(node.id, Word.UNCORDON, dry_run=False))
        for device in node.cordoned:
            s.ask(s.cloud.desk.take_out_device(device, Word.UNCORDON, dry_run=False))
