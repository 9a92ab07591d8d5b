"""Prices of device-hours; factors for scarcity, and what they made of charges."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"

_ROW_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Two new tables, and a column of two others; nothing that was charged before was for scarcity."""
    op.create_table(
        "device_prices",
        sa.Column("number", _ROW_ID, primary_key=True),
        sa.Column("chip", sa.Text, nullable=False),
        sa.Column("from_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "factors",
        sa.Column("number", _ROW_ID, primary_key=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("from_s", sa.Double, nullable=False),
        sa.Column("factor_ppm", sa.BigInteger, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    for table in ("charges", "sums"):
        op.add_column(table, sa.Column("scarcity_micros", sa.BigInteger, nullable=False, server_default=sa.text("0")))
