"""The tables as this version reads and writes them. How a database gets them is in `migrations/`.

What SQL asks for has a column; the rest of each noun is in `record`, as JSON text, so that a noun may gain a field
with a default without a migration.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    false,
    text,
)

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every schema there has been, oldest first; the last one is what this version works on. One file each in `migrations/`."""
VERSION_TABLE: Final = "alliage_schema"
"""Where Alembic keeps the revision: not its default name, which another program may use in the same database."""

_ROW_ID: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up INTEGER keys only

metadata: Final = MetaData()

meta: Final = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("version", BigInteger, nullable=False),
    Column("installation", Text, nullable=False),
)
nodes: Final = Table(
    "nodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("is_cordoned", Boolean, nullable=False, server_default=false()),
    Column("is_draining", Boolean, nullable=False, server_default=false()),
    Column("record", Text, nullable=False),  # devices, which of them are cordoned, engines
)
services: Final = Table(
    "services",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("record", Text, nullable=False),
)
replicas: Final = Table(
    "replicas",
    metadata,
    Column("id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("record", Text, nullable=False),
)
bindings: Final = Table(
    "bindings",
    metadata,
    Column("replica", Text, ForeignKey("replicas.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),  # its place in `Replica.bindings`
    Column("device", Text, nullable=False),
    Column("cores", Text, nullable=False),  # a JSON list of core ids
    Column("memory_bytes", BigInteger, nullable=False),
    Index("bindings_by_device", "device"),
)
keys: Final = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("record", Text, nullable=False),
)
decisions: Final = Table(
    "decisions",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("service", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("record", Text, nullable=False),
    Index("decisions_by_service", "service", "id"),
)
observations: Final = Table(
    "observations",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("record", Text, nullable=False),
    Index("observations_by_subject", "subject", "id"),
)
measurements: Final = Table(
    "measurements",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("node", Text, nullable=False),
    Column("chip", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("precision", Text, nullable=False),
    Column("devices", Integer, nullable=False),
    Column("cores", Integer, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("record", Text, nullable=False),
    Index("measurements_by_recipe", "node", "chip", "model", "engine", "precision", "devices", "cores", "id"),
)
tenants: Final = Table(
    "tenants",
    metadata,
    Column("name", Text, primary_key=True),
    Column("record", Text, nullable=False),  # rights and limits
)
projects: Final = Table(
    "projects",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("record", Text, nullable=False),  # limits
)
failed: Final = Table(
    "failed",
    metadata,
    Column("node", Text, primary_key=True),
    Column("chip", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("engine", Text, primary_key=True),
    Column("precision", Text, primary_key=True),
    Column("devices", Integer, primary_key=True, autoincrement=False),
    Column("cores", Integer, primary_key=True, autoincrement=False),
    Column("service", Text, nullable=False),
    Column("record", Text, nullable=False),
)
ledger: Final = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("currency", Text, nullable=False),
)
prices: Final = Table(
    "prices",
    metadata,
    Column("number", _ROW_ID, primary_key=True),  # in the order in which they were set
    Column("pattern", Text, nullable=False),
    Column("from_s", Double, nullable=False),
    Column("record", Text, nullable=False),
)
device_prices: Final = Table(
    "device_prices",
    metadata,
    Column("number", _ROW_ID, primary_key=True),  # in the order in which they were set
    Column("chip", Text, nullable=False),
    Column("from_s", Double, nullable=False),
    Column("record", Text, nullable=False),
)
factors: Final = Table(
    "factors",  # of the list price, for scarcity
    metadata,
    Column("number", _ROW_ID, primary_key=True),  # in the order in which they were added
    Column("service", Text, nullable=False),
    Column("from_s", Double, nullable=False),
    Column("factor_ppm", BigInteger, nullable=False),
    Column("record", Text, nullable=False),  # why
)
charges: Final = Table(
    "charges",
    metadata,
    Column("number", _ROW_ID, primary_key=True),  # in the order in which they were taken
    Column("id", Text, nullable=False),  # of the usage record
    Column("tenant", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("chip", Text, nullable=False),
    Column("began_s", Double, nullable=False),
    Column("day", Integer, nullable=False),  # of began_s, since 1970
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("is_estimated", Boolean, nullable=False),
    Column("is_priced", Boolean, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("scarcity_micros", BigInteger, nullable=False, server_default=text("0")),  # of micros
    Column("record", Text, nullable=False),  # the rest of the usage record, and the price
    Index("charges_by_id", "id", unique=True),
    Index("charges_by_time", "began_s"),
    Index("charges_by_tenant", "tenant", "began_s"),
    Index("charges_by_project", "tenant", "project", "began_s"),
    Index("charges_by_key", "key", "began_s"),
    Index("charges_by_service", "service", "began_s"),
)
corrections: Final = Table(
    "corrections",
    metadata,
    Column("number", _ROW_ID, primary_key=True),
    Column("charge", Text, ForeignKey("charges.id"), nullable=False),
    Column("tenant", Text, nullable=False),  # these six as the charge has them: looked for without it
    Column("project", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("chip", Text, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),  # of made_s, since 1970
    Column("made_s", Double, nullable=False),
    Column("record", Text, nullable=False),  # why and by whom
    Index("corrections_by_charge", "charge"),
    Index("corrections_by_time", "made_s"),
    Index("corrections_by_tenant", "tenant", "made_s"),
)
sums: Final = Table(
    "sums",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("project", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("chip", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("estimated", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("charged_micros", BigInteger, nullable=False),
    Column("scarcity_micros", BigInteger, nullable=False, server_default=text("0")),  # of charged_micros
    Index("sums_by_day", "day"),
)
spent: Final = Table(
    "spent",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # of the request's beginning, since 1970
    Column("micros", BigInteger, nullable=False),
    Index("spent_by_day", "day"),
)
