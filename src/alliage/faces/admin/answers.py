"""What the admin API answers: one model a noun. Also read by the CLI, so nothing heavier than Pydantic here.

Sizes are bytes, durations seconds, times seconds since 1970. Fields may be added, never taken away or renamed.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A part of an answer. A reader ignores fields that a newer Alliage added."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class ErrorDetail(Answer):
    """What was wrong, with which value, and the way out."""

    code: str
    message: str
    remedy: str


class ErrorAnswer(Answer):
    """Every error has this shape."""

    error: ErrorDetail


class DeviceAnswer(Answer):
    """One schedulable device. `free_bytes` is what the driver reports now, null while its agent is away."""

    id: str
    chip: str
    chip_name: str
    cores: tuple[int, ...]
    cores_bound: tuple[int, ...]
    memory_bytes: int
    bound_bytes: int
    free_bytes: int | None
    facts: Mapping[str, str]
    cordoned: bool = False
    """By itself or with its node: nothing new is placed on it."""
    draining: bool = False
    """By itself or with its node: what runs on it is replaced elsewhere and leaves."""


class EngineAnswer(Answer):
    """An engine program that a node has."""

    engine: str
    version: str
    program: str


class NodeAnswer(Answer):
    """A machine. `connected`: its agent is on the line now; `rehearsed`: its engines only keep time, nobody has its devices."""

    id: str
    site: str
    phase: str
    connected: bool
    rehearsed: bool
    region: str = ""
    """Of its site, with the site's other `tags`: what a service's residency may name."""
    tags: tuple[str, ...] = ()
    devices: tuple[DeviceAnswer, ...]
    engines: tuple[EngineAnswer, ...]
    cordoned: bool = False
    """As a whole: nothing new is placed there."""
    draining: bool = False
    """As a whole: what runs there is replaced elsewhere and leaves."""
    cordoned_devices: tuple[str, ...] = ()
    """One by one; a device that is not there now may be among them."""


class ModelAnswer(Answer):
    """A model card. `parameters`, `active_parameters` and `size_bytes` are 0 where they are not told."""

    id: str
    name: str
    licence: str
    precision: str
    tasks: tuple[str, ...]
    family: str
    parameters: int
    active_parameters: int = 0
    context_tokens: int
    source: str
    format: str
    size_bytes: int


class ObjectiveAnswer(Answer):
    """What is promised, in seconds; null: not asked."""

    ttft_s: float | None
    tpot_s: float | None


class ServiceAnswer(Answer):
    """An endpoint. `why` says in a sentence why it is not ready; "" when it is."""

    name: str
    tenant: str
    phase: str
    why: str
    model: ModelAnswer
    objective: ObjectiveAnswer
    rate_rps: float | None = None
    """Requests a second that are to be expected, as was asked; null: what is seen."""
    residency: tuple[str, ...] = ()
    """Sites, regions or tags of sites where it may live; empty: anywhere."""
    min_replicas: int
    max_replicas: int
    replicas: int
    replicas_ready: int
    created_s: float
    replicas_asleep: int = 0
    """They hold no device and are back in seconds."""
    replicas_wanted: int = 0
    """What is aimed at, which changes with what is asked."""
    expected_rps: float = 0.0
    """Requests a second that are planned for: told with the order, or forecast from what was seen."""
    seen_rps: float | None = None
    """What came in the last seconds; null while no gateway has counted for long enough."""


class RecipeAnswer(Answer):
    """How a model runs: `concurrency` requests of `context_tokens` each."""

    model: str
    chip: str
    engine: str
    precision: str
    tensor_parallel: int
    pipeline_parallel: int
    context_tokens: int
    concurrency: int
    cores: int
    memory_bytes: int
    evidence: str


class BindingAnswer(Answer):
    """A part of one device that a replica has."""

    device: str
    cores: tuple[int, ...]
    memory_bytes: int


class LiveAnswer(Answer):
    """What really runs, as the agent sees it. `fetched_bytes` of `total_bytes` while the model's files come."""

    state: str
    attempt: int
    pid: int
    resident_bytes: int
    ready_for_s: float
    fetched_bytes: int
    total_bytes: int


class ReplicaAnswer(Answer):
    """One engine of a service. `live` is null while its agent is away or has not begun; `in_flight` over all gateways."""

    id: str
    service: str
    node: str
    phase: str
    note: str
    starts: int
    failures: int
    retry_s: float
    recipe: RecipeAnswer
    bindings: tuple[BindingAnswer, ...]
    live: LiveAnswer | None
    in_flight: int
    created_s: float
    asleep_bytes: int = 0
    """Of its node's memory: its weights, while it sleeps."""


class DoorAnswer(Answer):
    """A gateway process."""

    door: str
    table_version: int
    in_flight: int


class StatusAnswer(Answer):
    """Everything in one. `problems` are sentences, empty when all is well."""

    version: str
    gateway_url: str
    state_version: int
    nodes: tuple[NodeAnswer, ...]
    services: tuple[ServiceAnswer, ...]
    replicas: tuple[ReplicaAnswer, ...]
    doors: tuple[DoorAnswer, ...]
    problems: tuple[str, ...]


class ReasonAnswer(Answer):
    """A reason as data, and as a sentence."""

    code: str
    facts: Mapping[str, str | int | float]
    text: str


class RejectedAnswer(Answer):
    """An option that was not taken."""

    option: str
    reason: ReasonAnswer


class DecisionAnswer(Answer):
    """One stored decision."""

    at_s: float
    service: str
    outcome: str
    where: str
    recipe: RecipeAnswer | None
    because: tuple[ReasonAnswer, ...]
    rejected: tuple[RejectedAnswer, ...]
    would_change: tuple[ReasonAnswer, ...]
    text: str


class ExplainAnswer(Answer):
    """Why a service is as it is: for people as `text`, for programs as `decisions`, the newest first."""

    service: str
    text: str
    decisions: tuple[DecisionAnswer, ...]


class DeployAnswer(Answer):
    """The answer to an order. `accepted` is false when nothing can serve it; then `error` says why and nothing changed."""

    accepted: bool
    created: bool
    dry_run: bool
    service: ServiceAnswer
    text: str = ""
    """What was decided, in a few lines; each decision has all of its own."""
    decisions: tuple[DecisionAnswer, ...]
    error: ErrorDetail | None


class ObservationAnswer(Answer):
    """One thing that happened."""

    at_s: float
    subject: str
    what: str


class ServicesAnswer(Answer):
    """All services, oldest first."""

    services: tuple[ServiceAnswer, ...]


class ReplicasAnswer(Answer):
    """All replicas, oldest first."""

    replicas: tuple[ReplicaAnswer, ...]


class NodesAnswer(Answer):
    """All nodes."""

    nodes: tuple[NodeAnswer, ...]


class ModelsAnswer(Answer):
    """The catalogue's models."""

    models: tuple[ModelAnswer, ...]


class HistoryAnswer(Answer):
    """What happened to a node, service or replica, the newest first."""

    subject: str
    observations: tuple[ObservationAnswer, ...]


class HealthAnswer(Answer):
    """Control answers."""

    status: str
    version: str
