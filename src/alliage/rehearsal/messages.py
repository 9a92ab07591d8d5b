"""What the agent of rehearsed nodes and the process of rehearsed engines say to each other, a tagged union a direction."""

from enum import StrEnum

import msgspec

from alliage.control.observed import EngineState
from alliage.fleet.ids import ReplicaId
from alliage.speed.pace import Pace


class FaultKind(StrEnum):
    """What can be made to happen to a replica."""

    DIE = "die"
    HANG = "hang"
    """It takes connections and says nothing more."""
    SLOW = "slow"


class Open(msgspec.Struct, frozen=True, kw_only=True, tag="open"):
    """Be one replica: listen at `host`, accept `key`, call yourself `model`, keep the `pace`; steps take `slow` times as long."""

    replica: ReplicaId
    attempt: int
    host: str
    key: str
    model: str
    context_tokens: int
    pace: Pace
    slow: float


class Shut(msgspec.Struct, frozen=True, kw_only=True, tag="shut"):
    """Stop being it: what it answers breaks off."""

    replica: ReplicaId


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag="fault"):
    """Let something happen to it. `factor` is by how much it is slower from now on."""

    replica: ReplicaId
    kind: FaultKind
    factor: float = 1.0


class Told(msgspec.Struct, frozen=True, kw_only=True, tag="told"):
    """How a replica is now: sent on a change, and for all of them to an agent that comes anew."""

    replica: ReplicaId
    attempt: int
    state: EngineState
    host: str
    port: int
    key: str
    why: str = ""


class Lag(msgspec.Struct, frozen=True, kw_only=True, tag="lag"):
    """By how much steps ended late in the last second, at most; above `replica.LAG_S_MAX` the pace is not kept."""

    late_s: float


ToEngines = Open | Shut | Fault
FromEngines = Told | Lag
