"""Nodes that are taken out by an admin."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Two columns; every node that is there takes part, as before."""
    for name in ("is_cordoned", "is_draining"):
        op.add_column("nodes", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
