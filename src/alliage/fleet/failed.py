"""Recipes that failed: what an engine could not run on a node, so that plans leave it alone until somebody asks again."""

from dataclasses import dataclass

from alliage.fleet.ids import NodeId, ServiceName
from alliage.fleet.measured import RecipeKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """One recipe on one node."""

    node: NodeId
    recipe: RecipeKey
    service: ServiceName
    """Whose replica it was."""
    at_s: float
    """Seconds since 1970."""
    why: str
    """The engine's last words."""
