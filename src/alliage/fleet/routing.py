"""The routing table: all that the gateway needs to know, pushed by control, a value with a version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from alliage.catalog.records import ApiPath, Task
from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.keys import Role
from alliage.fleet.limits import Limits, Priority, Scope
from alliage.fleet.prices import FREE, TokenPrice
from alliage.fleet.services import UNASKED, Objective
from alliage.fleet.usage import UNKNOWN_ORIGIN, Origin

REPLICA_HEADER: Final = "X-Alliage-Replica"
"""Names the one replica that may answer a request, so that what is measured can be told of it. For admins."""
REHEARSAL_HEADER: Final = "X-Alliage-Rehearsal"
"""`true` in each answer of an engine that only keeps time."""
REHEARSED: Final = "rehearsed"
"""In `RoutingTable.serves`: the engines that only keep time, whichever they stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """How fast a replica is by the speed model, in as few figures as routing needs; what is seen of it corrects them.

    Reading u of a prompt's p tokens takes `request_s + u prompt_token_s + u (2 p - u) prompt_pair_s`: later tokens look at
    all before them. Each of a step's requests leaves the share `experts_missed` of a model's experts unread; to read all of
    them takes `step_experts_s`. A dense model has none.
    """

    request_s: float
    prompt_token_s: float
    prompt_pair_s: float
    step_s: float
    step_request_s: float
    step_held_s: float
    step_tokens: int
    """Tokens that one step takes at most, prompts' and those decoded together."""
    kv_tokens: int
    """Tokens that its requests may hold together."""
    step_experts_s: float = 0.0
    experts_missed: float = 1.0

    def decode_s(self, batch: float, held_tokens: float) -> float:
        """Seconds of a step in which so many requests, that hold so many tokens together, get a token."""
        missed: float = self.experts_missed**batch
        experts_s = self.step_experts_s * (1.0 - missed)
        return self.step_s + batch * self.step_request_s + held_tokens * self.step_held_s + experts_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A ready replica as the gateway reaches it: `host`, `port`, and the key that only it accepts."""

    replica: ReplicaId
    host: str
    port: int
    key: str
    concurrency: int
    engine: str = ""
    """Its engine by the catalogue's id: whether and how it goes on with an answer that another one began."""
    is_rehearsed: bool = False
    """It only keeps time, and each answer says so."""
    is_doubted: bool = False
    """Control does not hear its agent: gateways find out whether they still reach it, and tell."""
    tempo: Tempo | None = None
    """None where nothing is known of its speed."""
    origin: Origin = UNKNOWN_ORIGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A service at the gateway. `waiting` says why there is no upstream yet; "" when it will not come by itself.

    `upstreams` are all that may answer it, so residency is obeyed by whoever chooses among them and from nowhere else.
    """

    service: ServiceName
    created_s: int
    tasks: tuple[Task, ...]
    upstreams: tuple[Upstream, ...]
    waiting: str
    refusal: str
    """Why it cannot be served now (a sentence); "" while it can or will be."""
    objective: Objective = UNASKED
    price: TokenPrice = FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """Who a key is. `scopes` are those of it that have limits: its own, its project's, its tenant's."""

    key: KeyId
    tenant: str
    role: Role
    project: str = ""
    priority: Priority = Priority.STANDARD
    scopes: tuple[Scope, ...] = ()
    logs_prompts: bool = False
    """Whether its tenant wants its prompts in the access log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """`version` grows with every change; `keys` maps the hex SHA-256 of a secret to who it is.

    `limits` are those of every scope that has any, `weights` those of tenants that are not 1. `serves` are the paths that
    each engine of an upstream serves, by the catalogue.
    """

    version: int
    routes: Mapping[ServiceName, Route]
    keys: Mapping[str, KeyEntry]
    limits: Mapping[Scope, Limits] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    serves: Mapping[str, tuple[ApiPath, ...]] = field(default_factory=dict)
