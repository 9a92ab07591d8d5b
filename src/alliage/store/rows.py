"""Rows and the nouns they stand for, both ways. The only place that knows how a noun is stored.

Reading is lenient where a newer version may have added something: unknown fields are passed over, missing ones take
their defaults. Anything else that does not fit is a damaged row and raises StoreError.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Row, Table

from alliage.control.observed import Observation
from alliage.decide.reasons import Decision
from alliage.errors import StoreError
from alliage.fleet.failed import Failed
from alliage.fleet.ids import NodeId
from alliage.fleet.keys import Key
from alliage.fleet.measured import Measured, RecipeKey
from alliage.fleet.nodes import Node
from alliage.fleet.prices import TokenPrice
from alliage.fleet.replicas import Binding, Replica
from alliage.fleet.services import Service
from alliage.fleet.tenants import Project, Tenant
from alliage.fleet.usage import UsageRecord
from alliage.ledger.charging import Charge
from alliage.ledger.correcting import Correction
from alliage.ledger.device_hours import ListedDevice
from alliage.ledger.periods import day_of
from alliage.ledger.pricing import ListedPrice
from alliage.ledger.scarcity import Factor
from alliage.ledger.statements import account_of
from alliage.store import tables

RowValues = dict[str, str | int | float]  # a bool is an int
Noun = TypeVar("Noun")
_TEXT_KEYS: Final = ("id", "name")
_TOLD_COLUMNS: Final = tuple(
    name for name in (field.name for field in fields(UsageRecord)) if name in tables.charges.columns
)
"""Of `charges`: those that are fields of a usage record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Priced:
    price: TokenPrice | None = None


def node_row(node: Node) -> RowValues:
    """A row of `nodes`."""
    return _pack(node, tables.nodes)


def node_of(row: Row[Any]) -> Node:
    """The node of a row of `nodes`."""
    return _unpack(row, Node, "nodes")


def service_row(service: Service) -> RowValues:
    """A row of `services`."""
    return _pack(service, tables.services)


def service_of(row: Row[Any]) -> Service:
    """The service of a row of `services`."""
    return _unpack(row, Service, "services")


def replica_row(replica: Replica) -> RowValues:
    """A row of `replicas`; its bindings are rows of their own."""
    return _pack(replica, tables.replicas, elsewhere=("bindings",))


def replica_of(row: Row[Any], bindings: tuple[Binding, ...]) -> Replica:
    """The replica of a row of `replicas`, with its bindings."""
    return _unpack(row, Replica, "replicas", bindings=bindings)


def binding_rows(replica: Replica) -> list[RowValues]:
    """The rows of `bindings` of one replica, in their order."""
    return [
        {
            "replica": replica.id,
            "place": place,
            "device": binding.device,
            "cores": _to_json(binding.cores),
            "memory_bytes": binding.memory_bytes,
        }
        for place, binding in enumerate(replica.bindings)
    ]


def binding_of(row: Row[Any]) -> Binding:
    """The binding of a row of `bindings`."""
    fields = _fields(row)
    return _convert({**fields, "cores": _from_json(fields["cores"], "bindings")}, Binding, "bindings")


def key_row(key: Key) -> RowValues:
    """A row of `keys`."""
    return _pack(key, tables.keys)


def key_of(row: Row[Any]) -> Key:
    """The key of a row of `keys`."""
    return _unpack(row, Key, "keys")


def tenant_row(tenant: Tenant) -> RowValues:
    """A row of `tenants`."""
    return _pack(tenant, tables.tenants)


def tenant_of(row: Row[Any]) -> Tenant:
    """The tenant of a row of `tenants`."""
    return _unpack(row, Tenant, "tenants")


def project_row(project: Project) -> RowValues:
    """A row of `projects`."""
    return _pack(project, tables.projects)


def project_of(row: Row[Any]) -> Project:
    """The project of a row of `projects`."""
    return _unpack(row, Project, "projects")


def failed_row(failed: Failed) -> RowValues:
    """A row of `failed`: the recipe's key in columns of its own."""
    row = _pack(failed, tables.failed, elsewhere=("recipe",))
    return row | failed_key(failed.node, failed.recipe)


def failed_of(row: Row[Any]) -> Failed:
    """The failure of a row of `failed`."""
    recipe = {field.name: getattr(row, field.name) for field in fields(RecipeKey)}
    return _unpack(row, Failed, "failed", recipe=recipe)


def failed_key(node: NodeId, recipe: RecipeKey) -> RowValues:
    """The columns that tell a row of `failed` from the others."""
    return {"node": node, **asdict(recipe)}


def decision_row(decision: Decision) -> RowValues:
    """A row of `decisions`, without its id."""
    return _pack(decision, tables.decisions)


def decision_of(row: Row[Any]) -> Decision:
    """The decision of a row of `decisions`."""
    return _unpack(row, Decision, "decisions")


def observation_row(observation: Observation) -> RowValues:
    """A row of `observations`, without its id."""
    return _pack(observation, tables.observations)


def observation_of(row: Row[Any]) -> Observation:
    """The observation of a row of `observations`."""
    return _unpack(row, Observation, "observations")


def measured_row(measured: Measured) -> RowValues:
    """A row of `measurements`, without its id."""
    return _pack(measured, tables.measurements)


def measured_of(row: Row[Any]) -> Measured:
    """The measurement of a row of `measurements`."""
    return _unpack(row, Measured, "measurements")


def charge_row(charge: Charge) -> RowValues:
    """A row of `charges`, without its number."""
    rest: dict[str, Any] = msgspec.to_builtins(charge.record)
    origin = rest["origin"]
    row: RowValues = {name: rest.pop(name) for name in _TOLD_COLUMNS}
    row |= {"model": origin.pop("model"), "chip": origin.pop("chip"), "day": charge.day, "micros": charge.micros}
    row["scarcity_micros"] = charge.scarcity_micros
    row["is_priced"] = charge.price is not None
    # Quicker than `_to_json`, and as good: the ledger lets no broken letters in.
    row["record"] = msgspec.json.encode({**rest, "price": charge.price}).decode()
    return row


def charge_of(row: Row[Any]) -> Charge:
    """The charge of a row of `charges`."""
    columns = _fields(row)
    rest = _from_json(columns.pop("record"), "charges")
    origin = {**rest.pop("origin", {}), "model": columns["model"], "chip": columns["chip"]}
    told = {**rest, **columns, "origin": origin, "is_estimated": bool(columns["is_estimated"])}
    return Charge(
        record=_convert(told, UsageRecord, "charges"),
        price=_convert({"price": rest.get("price")}, _Priced, "charges").price,
        micros=columns["micros"],
        scarcity_micros=columns["scarcity_micros"],
    )


def price_row(entry: ListedPrice) -> RowValues:
    """A row of `prices`, without its number."""
    return _pack(entry, tables.prices)


def price_of(row: Row[Any]) -> ListedPrice:
    """The entry of the price list of a row of `prices`."""
    return _unpack(row, ListedPrice, "prices")


def device_price_row(entry: ListedDevice) -> RowValues:
    """A row of `device_prices`, without its number."""
    return _pack(entry, tables.device_prices)


def device_price_of(row: Row[Any]) -> ListedDevice:
    """The entry of the price list of a row of `device_prices`."""
    return _unpack(row, ListedDevice, "device_prices")


def factor_row(factor: Factor) -> RowValues:
    """A row of `factors`, without its number."""
    return _pack(factor, tables.factors)


def factor_of(row: Row[Any]) -> Factor:
    """The factor of a row of `factors`."""
    return _unpack(row, Factor, "factors")


def correction_row(correction: Correction, charge: Charge) -> RowValues:
    """A row of `corrections`, without its number: with whose charge it corrects."""
    account = asdict(account_of(charge))
    return account | _pack(correction, tables.corrections) | {"day": day_of(correction.made_s)}


def correction_of(row: Row[Any]) -> Correction:
    """The correction of a row of `corrections`."""
    return _unpack(row, Correction, "corrections")


def _pack(noun: Any, table: Table, *, elsewhere: tuple[str, ...] = ()) -> RowValues:
    """The fields that `table` has a column for as columns, the rest as `record`; `elsewhere` is kept in other tables."""
    fields: dict[str, Any] = msgspec.to_builtins(noun, enc_hook=_plain)
    row: RowValues = {column.name: fields.pop(column.name) for column in table.columns if column.name in fields}
    for name in elsewhere:
        del fields[name]
    row["record"] = _to_json(fields)
    return row


def _unpack(row: Row[Any], kind: type[Noun], table: str, **more: Any) -> Noun:
    columns = _fields(row)
    record = _from_json(columns.pop("record"), table)
    return _convert({**record, **columns, **more}, kind, table)


def _fields(row: Row[Any]) -> dict[str, Any]:
    # `_mapping` is SQLAlchemy's public way to a row by name, underscored so that no column hides it. Its keys are of
    # a kind of str that msgspec does not take.
    return {str(name): value for name, value in row._mapping.items()}  # noqa: SLF001


def _convert(fields: Mapping[str, Any], kind: type[Noun], table: str) -> Noun:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        which = next((f" {fields[name]!r}" for name in _TEXT_KEYS if name in fields), "")
        raise _damaged(table, f"row{which}: {error}") from error


def _to_json(value: Any) -> str:
    """Compact JSON that any database can hold: halves of surrogate pairs, as broken logs have them, become `?`."""
    text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def _from_json(text: str, table: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise _damaged(table, str(error)) from error


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _damaged(table: str, why: str) -> StoreError:
    return StoreError(
        f"the database holds something in table {table!r} that this Alliage cannot read ({why})",
        remedy="restore the newest copy of the database, or delete that row",
    )
