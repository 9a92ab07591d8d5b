"""The first schema."""

import uuid
from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None  # the one before; the next file says "0001" here

_ROW_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """From an empty database."""
    _make_meta()
    _make_desired_state()
    _make_bindings()
    _make_records()


def _make_meta() -> None:
    meta = op.create_table(
        "meta",
        sa.Column(
            "id", sa.Integer, sa.CheckConstraint("id = 1", name="meta_one_row"), primary_key=True, autoincrement=False
        ),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("installation", sa.Text, nullable=False),
    )
    op.bulk_insert(meta, [{"id": 1, "version": 0, "installation": uuid.uuid4().hex}])


def _make_desired_state() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "services",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "replicas",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )


def _make_bindings() -> None:
    op.create_table(
        "bindings",
        sa.Column("replica", sa.Text, sa.ForeignKey("replicas.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("cores", sa.Text, nullable=False),
        sa.Column("memory_bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("bindings_by_device", "bindings", ["device"])


def _make_records() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("decisions_by_service", "decisions", ["service", "id"])
    op.create_table(
        "observations",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("observations_by_subject", "observations", ["subject", "id"])
