"""The ledger: prices, charges, corrections, and running sums of them by day."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"

_ROW_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Six new tables."""
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("currency", sa.Text, nullable=False),
    )
    op.create_table(
        "prices",
        sa.Column("number", _ROW_ID, primary_key=True),
        sa.Column("pattern", sa.Text, nullable=False),
        sa.Column("from_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    _create_charges()
    _create_corrections()
    _create_sums()
    op.create_table(
        "spent",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
    )
    op.create_index("spent_by_day", "spent", ["day"])


def _create_charges() -> None:
    op.create_table(
        "charges",
        sa.Column("number", _ROW_ID, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("chip", sa.Text, nullable=False),
        sa.Column("began_s", sa.Double, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("is_estimated", sa.Boolean, nullable=False),
        sa.Column("is_priced", sa.Boolean, nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("charges_by_id", "charges", ["id"], unique=True)
    op.create_index("charges_by_time", "charges", ["began_s"])
    op.create_index("charges_by_tenant", "charges", ["tenant", "began_s"])
    op.create_index("charges_by_project", "charges", ["tenant", "project", "began_s"])
    op.create_index("charges_by_key", "charges", ["key", "began_s"])
    op.create_index("charges_by_service", "charges", ["service", "began_s"])


def _create_corrections() -> None:
    op.create_table(
        "corrections",
        sa.Column("number", _ROW_ID, primary_key=True),
        sa.Column("charge", sa.Text, sa.ForeignKey("charges.id"), nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("chip", sa.Text, nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("made_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("corrections_by_charge", "corrections", ["charge"])
    op.create_index("corrections_by_time", "corrections", ["made_s"])
    op.create_index("corrections_by_tenant", "corrections", ["tenant", "made_s"])


def _create_sums() -> None:
    op.create_table(
        "sums",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("chip", sa.Text, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("estimated", sa.BigInteger, nullable=False),
        sa.Column("unpriced", sa.BigInteger, nullable=False),
        sa.Column("charged_micros", sa.BigInteger, nullable=False),
    )
    op.create_index("sums_by_day", "sums", ["day"])
