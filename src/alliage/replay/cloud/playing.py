"""One experiment with a whole cloud, played and judged."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from alliage.catalog.records import Catalog
from alliage.control.loop import LoopSettings
from alliage.control.orders import DeployOrder
from alliage.fleet.ids import ServiceName
from alliage.rehearsal.fleet_file import read_fleet
from alliage.replay.cloud.agents import Use
from alliage.replay.cloud.bursts import draw_requests
from alliage.replay.cloud.experiment import Experiment
from alliage.replay.cloud.fates import Fate
from alliage.replay.cloud.world import Cloud, Coming
from alliage.replay.requests.trace import Request

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How it is played: the services' least number of replicas, and whether engines may sleep (else nodes have no memory for it).

    After `rest_s` seconds without it, demand counts no more and a service that can sleep does.
    """

    name: str
    min_replicas: int
    sleeps: bool = True
    rest_s: float = LoopSettings().rest_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of each request, and the starts of replicas; times from the order of the services."""

    began_s: float
    ended_s: float
    fates: tuple[Fate, ...]
    uses: tuple[Use, ...]
    solves: int

    def device_hours(self, service: ServiceName | None = None) -> float:
        """Held while the traffic lasted, by one service or by all."""
        uses = (use for use in self.uses if service is None or use.replica.rpartition("-")[0] == service)
        return sum(use.devices * self._held_s(use) for use in uses) / HOUR_S

    def _held_s(self, use: Use) -> float:
        end_s = self.ended_s if use.ended_s is None else min(self.ended_s, use.ended_s)
        return max(0.0, end_s - max(self.began_s, use.began_s))


def requests_of(experiment: Experiment) -> tuple[Coming, ...]:
    """Its traffic, from 0 on, with what is not counted."""
    return draw_requests(experiment.bursts, experiment.models, experiment.seed)


def counted(experiment: Experiment, model: ServiceName) -> list[Request]:
    """The requests of one model that count."""
    every = (one.request for one in requests_of(experiment) if one.service == model)
    return [request for request in every if request.at_s >= experiment.run_in_s]


def play(
    experiment: Experiment, variant: Variant, catalog: Catalog, look: Callable[[float], None] = lambda _: None
) -> Played:
    """Ask for all services, wait for `warm_s`, then let the traffic come."""
    warm_s, until_s = experiment.warm_s, experiment.warm_s + experiment.bursts.length_s
    began_s = warm_s + experiment.run_in_s
    later = [
        replace(one, request=replace(one.request, at_s=one.request.at_s + warm_s)) for one in requests_of(experiment)
    ]
    nodes = read_fleet(experiment.fleet, catalog)
    if not variant.sleeps:
        nodes = tuple(replace(each, node=replace(each.node, memory_bytes=0)) for each in nodes)
    settings = LoopSettings(rest_s=variant.rest_s)
    cloud = Cloud(catalog, nodes, prices=experiment.prices, settings=settings)
    try:
        for model in experiment.models:
            cloud.deploy(an_order(model, experiment, variant))
        cloud.run(later, until_s=until_s, look=look)
        return Played(
            began_s=began_s,
            ended_s=until_s,
            fates=tuple(fate for fate in cloud.doors.fates if fate.request.at_s >= began_s),
            uses=cloud.agents.uses,
            solves=cloud.solves,
        )
    finally:
        cloud.close()


def an_order(model: ServiceName, experiment: Experiment, variant: Variant) -> DeployOrder:
    """A service of the model's name, by the objective."""
    return DeployOrder(
        model=model,
        name=None,
        tenant="default",
        ttft_s=experiment.objective.ttft_s,
        tpot_s=experiment.objective.tpot_s,
        min_replicas=variant.min_replicas,
        max_replicas=None,
        remote_code=False,
        dry_run=False,
    )
