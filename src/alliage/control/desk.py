"""The desk: what faces may ask of control. It checks, decides through the pure functions, and commits."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from alliage.catalog.records import Catalog, ModelCard
from alliage.control.aimed import wanted_replicas
from alliage.control.by_plan import ByPlan, by_plan
from alliage.control.committing import COMMIT_TRIES_MAX, Result, committed, kept_changing
from alliage.control.draining import as_leaving
from alliage.control.explaining import Explaining
from alliage.control.measuring import MeasureOrder, measured_by
from alliage.control.names import SERVICE_NAME, SERVICE_NAME_RULE
from alliage.control.observed import DoorReport, NodeReport, Observation
from alliage.control.odd import odd_nodes
from alliage.control.orders import DeployOrder, asked_service, check_order, tried_again
from alliage.control.planning import Planning
from alliage.control.ports import Changes, Clock, Doors, Models, Runtime, Stale, Store
from alliage.control.recent import Recent, Seen
from alliage.control.registry import Registry
from alliage.control.scopes import history_subject
from alliage.control.taking_out import Move, Word, device_after, find_node, forgotten, moves, node_after, with_node
from alliage.control.top import Top, top_of
from alliage.control.used import CountsUse, Used, used_by
from alliage.decide.fit import Fit, FitAsk, fit
from alliage.decide.places import places_of_node
from alliage.decide.plan import Budget, plan
from alliage.decide.reasons import Decision, Outcome
from alliage.errors import BadInput, NotFound, WeightsError
from alliage.fleet.demand import Demand
from alliage.fleet.ids import NodeId, ReplicaId, ServiceName
from alliage.fleet.lifecycles import SERVICE_TRANSITIONS, NodePhase, ServiceEvent, advance
from alliage.fleet.limits import Scope
from alliage.fleet.measured import Measured
from alliage.fleet.nodes import Node
from alliage.fleet.services import Service
from alliage.fleet.view import FleetView


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The answer to a DeployOrder. A refused one changed nothing: its decision's outcome is `refused`."""

    service: Service
    decisions: tuple[Decision, ...]
    dry_run: bool
    created: bool


class Desk:
    """Reads and asks, for faces. All methods are called from control's own event loop.

    `registry` is its part about tenants, projects and keys.
    """

    def __init__(
        self,
        *,
        store: Store,
        runtime: Runtime,
        doors: Doors,
        models: Models,
        catalog: Catalog,
        clock: Clock,
        new_secret: Callable[[], str],
        wake: Callable[[], None],
        planning: Planning,
        recent: Recent,
        demand: Callable[[], Mapping[ServiceName, Demand]],
        counting: Sequence[CountsUse] = (),
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._doors = doors
        self._models = models
        self._catalog = catalog
        self._clock = clock
        self._wake = wake
        self._planning = planning
        self._recent = recent
        self._demand = demand
        self._counting = counting
        self.registry = Registry(store=store, clock=clock, chips=catalog.chips, new_secret=new_secret, wake=wake)
        self._explaining = Explaining(clock.monotonic_s)

    def view(self) -> FleetView:
        """Desired state and bindings, with the memory that is free now."""
        free = {device: count for report in self.reports().values() for device, count in report.free_bytes.items()}
        measured = self._store.measured()
        view = self._store.snapshot()
        return replace(
            view,
            free_bytes=free,
            measured=measured,
            odd=odd_nodes(measured, self._clock.now_s()),
            demand=self._demand(),
        )

    def reports(self) -> Mapping[NodeId, NodeReport]:
        """The agents that are connected now."""
        return self._runtime.observe()

    def doors(self) -> tuple[DoorReport, ...]:
        """The gateways that are connected now."""
        return self._doors.observe()

    def wanted(self, view: FleetView) -> Mapping[ServiceName, int]:
        """How many replicas each service is to have by the plan of now."""
        return wanted_replicas(view, self._planning.aims)

    def seen(self) -> Mapping[ServiceName, Seen]:
        """What the gateways saw of services in the last seconds."""
        return self._recent.seen()

    def used(self) -> Mapping[Scope, Used]:
        """What scopes used of their limits, as far as anybody counts it."""
        return used_by(self._counting)

    def top(self, *, events: int) -> Top:
        """All that a live view shows, with so many of the newest observations and as many decisions."""
        return top_of(
            self.view(),
            frozenset(self.reports()),
            len(self.doors()),
            self._planning.aims,
            self._recent.seen(),
            self._store.newest_observations(events),
            self._store.newest_decisions(events),
            self._clock.now_s(),
        )

    async def explained_by_plan(self, name: str) -> ByPlan | None:
        """What the plan of now says of a service, None where it knows none of that name. Changes are tried for some seconds."""
        view, aims = self.view(), self._planning.aims
        service = next((each for each in view.services if each.name == name), None)
        if service is None or aims is None:
            return None
        told = await self._explaining.told(service.name, aims)
        return None if told is None else by_plan(service, view.demand, aims, told)

    def catalog(self) -> Catalog:
        """All facts."""
        return self._catalog

    async def fit(self, reference: str, ask: FitAsk) -> tuple[ModelCard, Fit]:
        """A model (as in a DeployOrder) against every chip, and the CPUs of the nodes there are; by this installation's prices."""
        known = self._catalog.models.get(reference)
        card = known or await self._models.resolve(reference, remote_code=False)
        nodes = (node for node in self.view().nodes if node.phase is NodePhase.READY)
        here = tuple(place for node in nodes for place in places_of_node(node, self._catalog))
        return card, fit(
            card, replace(ask, prices=self._planning.prices), self._catalog, here=here, measured=self.measured()
        )

    async def deploy(self, order: DeployOrder) -> Deployed:
        """Ask for a service. Asking again changes what is asked of it, and tries recipes of its model again that failed.

        Raises BadInput for what means nothing, Conflict for another model under the name.
        """
        check_order(order)
        card = await self._card(order)
        name = ServiceName(order.name or card.id)
        if SERVICE_NAME.fullmatch(name) is None:
            raise BadInput(f"{name!r} cannot be the name of a service", remedy=f"{SERVICE_NAME_RULE} (--name)")
        for _ in range(COMMIT_TRIES_MAX):
            deployed, version = await self._consider(order, name, card)
            refused = any(decision.outcome is Outcome.REFUSED for decision in deployed.decisions)
            if order.dry_run:
                return deployed
            changes = Changes(decisions=deployed.decisions) if refused else self._granted(deployed.service)
            if not isinstance(self._store.commit(version, changes), Stale):
                self._wake()
                return deployed
        raise kept_changing()

    def _granted(self, service: Service) -> Changes:
        """The service is desired from now on, and what failed of its model is tried again."""
        forgiven = tried_again(service.model, self._store.snapshot())
        return Changes(services=(service,), drop_failed=tuple((each.node, each.recipe) for each in forgiven))

    async def _card(self, order: DeployOrder) -> ModelCard:
        """The model's card; of the catalogue alone where its files cannot be had and rehearsed nodes, which need none, are there."""
        try:
            return await self._models.resolve(order.model, remote_code=order.remote_code)
        except WeightsError:
            card = self._catalog.models.get(order.model)
            if card is None or not any(node.is_rehearsed for node in self.view().nodes):
                raise
            return card

    async def _consider(self, order: DeployOrder, name: ServiceName, card: ModelCard) -> tuple[Deployed, int]:
        """What the order comes to at the version that is returned beside it."""
        view = self.view()
        old = next((service for service in view.services if service.name == name), None)
        service = asked_service(order, name, card, old, now_s=self._clock.now_s())
        others = tuple(other for other in view.services if other.name != name)
        forgiven = tried_again(card, view)
        failed = tuple(each for each in view.failed if each not in forgiven)
        asked = replace(view, services=(*others, service), failed=failed)
        aims = await self._planning.consider(asked)
        answer = plan(
            asked,
            self._catalog,
            now_s=self._clock.now_s(),
            budget=Budget.unlimited(),
            aims=aims,
            reckoner=self._planning.reckoner,
        )
        decisions = tuple(decision for decision in answer.decisions if decision.service == name)
        return Deployed(service=service, decisions=decisions, dry_run=order.dry_run, created=old is None), view.version

    async def delete(self, name: str) -> Service:
        """Mark a service for deletion; its replicas are drained and stopped, then it is gone."""

        def changes(view: FleetView) -> tuple[Changes, Service]:
            service = view.service(name)
            phase = advance(SERVICE_TRANSITIONS, service.phase, ServiceEvent.DELETED) or service.phase
            leaving = replace(service, phase=phase)
            return Changes(services=(leaving,)), leaving

        return self._commit(changes)

    def decisions(self, name: str, limit: int) -> tuple[Decision, ...]:
        """What was decided about a service, the newest first; raises NotFound where nothing ever was."""
        found = self._store.decisions(ServiceName(name), limit)
        if not found:
            self._store.snapshot().service(name)
        return found

    def history(self, subject: str, limit: int) -> tuple[Observation, ...]:
        """What happened to a node, service or replica, or was changed of a tenant, project or key, the newest first."""
        return self._store.observations(history_subject(subject, self._store.snapshot()), limit)

    def measured(self) -> tuple[Measured, ...]:
        """All measurements that are kept, the newest first."""
        return self._store.measured()

    def record_measured(self, name: str, order: MeasureOrder) -> Measured:
        """Keep figures of one of the service's replicas; raises NotFound, or BadInput for figures that cannot be."""
        view, now_s = self._store.snapshot(), self._clock.now_s()
        mine = view.replicas_of(view.service(name).name)
        replica = next((each for each in mine if each.id == order.replica), None)
        if replica is None:
            known = ", ".join(each.id for each in mine) or "none"
            raise NotFound(f"{name!r} has no replica {order.replica!r}", remedy=f"replicas of {name}: {known}")
        node = view.node(replica.node)
        if node is not None and node.is_rehearsed:
            raise BadInput(
                f"{replica.id} runs on the rehearsed node {node.id}: it only keeps the time that was predicted",
                remedy="measure on a machine that has the chip",
            )
        made = measured_by(order, replica, node, now_s=now_s)
        self._store.record_measured((made,))
        what = f"measured {made.throughput_tps:.3g} tokens/s at {made.concurrency} at once on {replica.id}"
        self._store.append((Observation(at_s=now_s, subject=name, what=what),))
        return made

    def logs(self, replica: str, *, lines: int, follow: bool) -> AsyncIterator[str]:
        """Pieces of a replica's log; raises NotFound, or Unavailable when its agent is away."""
        view = self._store.snapshot()
        found = next((known for known in view.replicas if known.id == replica), None)
        if found is None:
            known_ids = ", ".join(known.id for known in view.replicas) or "none"
            raise NotFound(f"there is no replica {replica!r}", remedy=f"replicas: {known_ids}")
        return self._runtime.logs(found.node, ReplicaId(replica), lines=lines, follow=follow)

    async def moves(self, name: str) -> tuple[Move, ...]:
        """What becomes of the replicas on a node whose admins empty it or a device of it; raises NotFound."""
        view = self.view()
        return await self._moves(view, find_node(view, name))

    async def _moves(self, view: FleetView, node: Node) -> tuple[Move, ...]:
        aims = await self._planning.consider(as_leaving(with_node(view, node)))
        return moves(view, node, self._catalog, aims, now_s=self._clock.now_s())

    async def take_out(self, name: str, word: Word, *, dry_run: bool) -> tuple[Node, tuple[Move, ...]]:
        """Cordon, drain or uncordon a node: the node as it is then, and what becomes of its replicas."""
        return await self._changed(name, word, node_after, dry_run=dry_run)

    async def take_out_device(self, name: str, word: Word, *, dry_run: bool) -> tuple[Node, tuple[Move, ...]]:
        """The same for one device; the node that has it."""
        return await self._changed(name, word, device_after, dry_run=dry_run)

    async def _changed(
        self,
        name: str,
        word: Word,
        after: Callable[[FleetView, str, Word], Node],
        *,
        dry_run: bool,
    ) -> tuple[Node, tuple[Move, ...]]:
        view, now_s = self.view(), self._clock.now_s()
        made = after(view, name, word)
        coming = await self._moves(view, made)
        if not dry_run and made != view.node(made.id):

            def changes(view: FleetView) -> tuple[Changes, Node]:
                node = after(view, name, word)
                return Changes(nodes=(node,)), node

            made = self._commit(changes)
            self._store.append((Observation(at_s=now_s, subject=made.id, what=f"{word} {name} by an admin"),))
        return made, coming

    def forget_node(self, name: str, *, dry_run: bool) -> Node:
        """Drop a node that is gone for good; raises Conflict for one that is there or has replicas, NotFound."""

        def changes(view: FleetView) -> tuple[Changes, Node]:
            node = forgotten(view, name)
            return Changes() if dry_run else Changes(drop_nodes=(node.id,)), node

        return self._commit(changes)

    def _commit(self, decide: Callable[[FleetView], tuple[Changes, Result]]) -> Result:
        return committed(self._store, self._wake, decide)
