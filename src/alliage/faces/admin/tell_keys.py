"""Keys -> answers. As `tell`: reads, decides nothing."""

from alliage.control.limiting import limit_doubts
from alliage.faces.admin.key_answers import KeyAnswer
from alliage.faces.admin.tell_limits import tell_limits
from alliage.fleet.keys import Key
from alliage.fleet.view import FleetView


def tell_key(key: Key, view: FleetView) -> KeyAnswer:
    """A key without its digest."""
    return KeyAnswer(
        id=key.id,
        name=key.name,
        role=key.role,
        tenant=key.tenant,
        project=key.project,
        priority=key.priority,
        limits=tell_limits(key.limits),
        created_s=key.created_s,
        doubts=limit_doubts(key.limits, view),
    )
