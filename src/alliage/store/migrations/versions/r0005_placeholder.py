"""Stands in for the revision that another branch brings; to be deleted when that is merged."""

from typing import Final

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    """Nothing."""
