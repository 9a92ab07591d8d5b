"""Keys: who may ask. The secret itself is never kept, only its SHA-256."""

from dataclasses import dataclass
from enum import StrEnum

from alliage.fleet.ids import KeyId
from alliage.fleet.limits import UNLIMITED, Limits, Priority


class Role(StrEnum):
    ADMIN = "admin"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key by its digest (`sha256` in hex of the whole secret, `alliage-...`)."""

    id: KeyId
    name: str
    role: Role
    tenant: str
    sha256: str
    created_s: float
    project: str = ""
    """Of the tenant; "" for none."""
    priority: Priority = Priority.STANDARD
    limits: Limits = UNLIMITED
    """Of what is asked for with this key."""
