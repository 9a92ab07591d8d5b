"""Usage: what one request used, metered by the gateway and taken into the ledger once."""

from dataclasses import dataclass
from enum import StrEnum

from alliage.fleet.ids import KeyId, ReplicaId, ServiceName


class Ending(StrEnum):
    """How a request ended."""

    FINISHED = "finished"
    """The answer went to the client whole."""
    FAILED = "failed"
    """It could not be answered, or not to its end."""
    CANCELLED = "cancelled"
    """The client left."""
    CUT = "cut"
    """The gateway process ended in the middle: what its journal knew last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a replica is, in the words that a usage record keeps after it is gone."""

    model: str = ""
    recipe: str = ""
    engine: str = ""
    chip: str = ""
    site: str = ""


UNKNOWN_ORIGIN = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """One request that was let in and named a service. Times are seconds; tokens those of the whole answer, whoever said them."""

    id: str
    """Given by the gateway, unique for ever; the ledger takes each once."""
    request: str
    """The request id that the client saw: its own, where it sent one."""
    tenant: str
    project: str
    key: KeyId
    service: ServiceName
    endpoint: str
    replica: ReplicaId
    """The one that answered last; "" where none did."""
    origin: Origin
    is_rehearsed: bool
    began_s: float
    """Since 1970."""
    duration_s: float
    ttft_s: float | None
    tpot_s: float | None
    prompt_tokens: int
    cached_tokens: int
    """Of the prompt's, those that the engine held already, where it tells."""
    output_tokens: int
    status: int
    ending: Ending
    is_continued: bool
    """More than one replica had a part in the answer."""
    is_estimated: bool
    """The engine did not tell its tokens: they were counted."""
