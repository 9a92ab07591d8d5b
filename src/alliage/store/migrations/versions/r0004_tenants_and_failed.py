"""Tenants, and recipes that failed."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Two new tables."""
    op.create_table(
        "tenants",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "failed",
        sa.Column("node", sa.Text, primary_key=True),
        sa.Column("chip", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("engine", sa.Text, primary_key=True),
        sa.Column("precision", sa.Text, primary_key=True),
        sa.Column("devices", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("cores", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
