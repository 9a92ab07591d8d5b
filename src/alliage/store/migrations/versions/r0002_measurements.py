"""Measurements of recipes."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"

_ROW_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One new table."""
    op.create_table(
        "measurements",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("chip", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("precision", sa.Text, nullable=False),
        sa.Column("devices", sa.Integer, nullable=False),
        sa.Column("cores", sa.Integer, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    recipe = ["node", "chip", "model", "engine", "precision", "devices", "cores"]
    op.create_index("measurements_by_recipe", "measurements", [*recipe, "id"])
