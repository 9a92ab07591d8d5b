"""What `GET /v1/top` and the plan's part of `explain` answer. As `answers`: also read by the CLI, nothing heavier than Pydantic.

Money is in micros of one currency; rates are requests a second; times seconds since 1970.
"""

from alliage.faces.admin.answers import Answer, ExplainAnswer, ObjectiveAnswer, ReasonAnswer


class TopSite(Answer):
    """A site by its nodes. `cordoned` are those of any phase that take nothing new, whole or draining."""

    site: str
    region: str
    nodes: int
    ready: int
    unreachable: int
    lost: int
    cordoned: int
    rehearsed: int
    devices: int
    """All of its nodes; a CPU is one."""
    devices_bound: int
    """Those of which a replica has at least a part."""


class TopDevices(Answer):
    """The devices of one chip on a node. For chips that are shared by cores `cores` and `cores_bound` count these."""

    chip: str
    devices: int
    bound: int
    cores: int
    cores_bound: int
    cordoned: int
    draining: int


class TopNode(Answer):
    """A machine. `connected`: its agent is on the line; `rehearsed`: nobody has its devices, its engines only keep time."""

    id: str
    site: str
    phase: str
    connected: bool
    rehearsed: bool
    cordoned: bool
    draining: bool
    replicas: int
    devices: tuple[TopDevices, ...]


class TopSeen(Answer):
    """What the gateways saw of a service in the last `window_s` seconds; means and shares are null where nothing was seen."""

    window_s: float
    asked_rps: float
    in_flight: int
    """Now: being answered."""
    held: int
    """Now: waiting for a replica."""
    ttft_s: float | None
    """The mean time to the first token, waiting included."""
    tpot_s: float | None
    """The mean time of a token after it."""
    kept_share: float | None
    """Of the requests with an objective that ended: how many kept it, 0 to 1."""
    judged: int
    """How many these were."""
    answered: int
    failed: int
    continued: int
    """Answers that another replica went on with."""


class TopService(Answer):
    """A service. `why` says in a sentence why it is not ready; `seen` is null while no gateway tells of it."""

    name: str
    tenant: str
    phase: str
    why: str
    objective: ObjectiveAnswer
    replicas_ready: int
    replicas_wanted: int
    """What is aimed at."""
    expected_rps: float
    """What is planned for: told with the order or forecast from what was seen."""
    missing_rps: float
    """Of that: what found no room by the plan."""
    seen: TopSeen | None
    replicas_asleep: int = 0


class TopPrice(Answer):
    """A device-hour at one kind of nodes: list price, and with scarcity by the last plan (null: not known)."""

    kind: str
    site: str
    chip: str
    devices: int
    given: int
    list_micros: int
    price_micros: int | None


class TopEvent(Answer):
    """One thing that happened or was decided."""

    at_s: float
    subject: str
    text: str


class TopAnswer(Answer):
    """The cloud now, for a live view. Events are the newest first."""

    version: str
    at_s: float
    gateways: int
    sites: tuple[TopSite, ...]
    nodes: tuple[TopNode, ...]
    services: tuple[TopService, ...]
    prices: tuple[TopPrice, ...]
    events: tuple[TopEvent, ...]


class AimAnswer(Answer):
    """So many replicas by one way at one kind of nodes; `rate_rps` is what one carries, null where it is not known."""

    way: str
    kind: str
    count: int
    rate_rps: float | None


class ByPlanAnswer(Answer):
    """What the plan of now says of a service. `cut_short`: not every change could be tried to its end.

    `settled` is false while it was not watched for long enough: then what runs is planned for as if all of it were needed.
    """

    told_rps: float | None
    seen_rps: float
    planned_rps: float
    settled: bool
    aims: tuple[AimAnswer, ...]
    missing_rps: float
    missing_replicas: int
    because: tuple[ReasonAnswer, ...]
    """Why it is missing."""
    chosen: tuple[ReasonAnswer, ...]
    rejected: tuple[ReasonAnswer, ...]
    would_change: tuple[ReasonAnswer, ...]
    cut_short: bool


class ExplainInFullAnswer(ExplainAnswer):
    """As `ExplainAnswer`, with what the plan of now says; null where no plan knows the service."""

    by_plan: ByPlanAnswer | None = None
