"""Settings of an installation: flags over environment over `alliage.toml` over the stated defaults."""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, TypeVar, get_type_hints

import msgspec

from alliage.app.home import Home
from alliage.control.loop import LoopSettings
from alliage.errors import BadInput
from alliage.gateway.limits import MAY_BE_ZERO, GatewayLimits
from alliage.runtimes.settings import AgentSettings

PRICE_MAX: Final = 1_000_000.0
_CURRENCY: Final = re.compile("[A-Z]{3}")
_Section = TypeVar("_Section")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where state is kept, and how much of the past."""

    url: str = ""
    """A PostgreSQL URL (needs the extra `postgres`); empty for the SQLite file of the home folder."""
    history_rows: int = 100_000
    """Observations kept; older ones go."""
    decisions_per_service: int = 500
    """Decisions kept of each service; older ones go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSettings:
    """The books."""

    currency: str = "USD"
    """Of all prices and charges, by its three letters. It stays once a price is listed or something was charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`alliage.toml`, section by section; each section's class states its defaults."""

    gateway: GatewayLimits = field(default_factory=GatewayLimits)
    control: LoopSettings = field(default_factory=LoopSettings)
    agent: AgentSettings = field(default_factory=AgentSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    prices: Mapping[str, float] = field(default_factory=dict)
    """Of a device-hour by chip, in the currency of this installation."""


def read_settings(home: Home) -> Settings:
    """The settings file, or the defaults where there is none; raises BadInput naming file, field and value."""
    if not home.settings.exists():
        return Settings()
    try:
        tables = tomllib.loads(home.settings.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"{home.settings} cannot be read: {error}", remedy="correct it or move it away") from error
    known = {section.name for section in fields(Settings)}
    for name in tables:
        if name not in known:
            raise BadInput(
                f"{home.settings}: there is no section [{name}]", remedy=f"sections: {', '.join(sorted(known))}"
            )
    return Settings(
        gateway=_section(home.settings, tables, "gateway", GatewayLimits),
        control=_section(home.settings, tables, "control", LoopSettings),
        agent=_section(home.settings, tables, "agent", AgentSettings),
        store=_section(home.settings, tables, "store", StoreSettings),
        ledger=_ledger(home.settings, tables),
        prices=_prices(home.settings, tables),
    )


def _ledger(path: Path, tables: Mapping[str, object]) -> LedgerSettings:
    ledger = _section(path, tables, "ledger", LedgerSettings)
    if _CURRENCY.fullmatch(ledger.currency) is None:
        raise BadInput(
            f"{path}: [ledger] currency is {ledger.currency!r}", remedy='write its three letters, such as "CNY"'
        )
    return ledger


def _prices(path: Path, tables: Mapping[str, object]) -> Mapping[str, float]:
    """The section [prices]: chip = price of a device-hour."""
    given = tables.get("prices", {})
    try:
        prices = msgspec.convert(given, dict[str, float])
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: [prices] {error} (given: {given!r})", remedy="write CHIP = PRICE") from error
    for chip, price in prices.items():
        if not 0 <= price <= PRICE_MAX:
            raise BadInput(
                f"{path}: [prices] {chip} is {price}", remedy="give the price of a device-hour, zero or more"
            )
    return prices


def _section(path: Path, tables: Mapping[str, object], name: str, kind: type[_Section]) -> _Section:
    given = tables.get(name, {})
    hints = get_type_hints(kind)
    names = list(hints)
    if isinstance(given, dict):
        for key, value in given.items():
            if key not in names:
                raise BadInput(
                    f"{path}: [{name}] has no setting {key!r}{_given(name, value)}",
                    remedy=f"settings there: {', '.join(names)}",
                )
            if value == 0 and not isinstance(value, bool) and key in MAY_BE_ZERO:
                continue
            if isinstance(value, int | float) and not isinstance(value, bool) and not 0 < value < math.inf:
                raise BadInput(f"{path}: [{name}] {key} is {value}", remedy="it must be above zero and finite")
    asked = msgspec.defstruct(
        kind.__name__, [(key, type_ | msgspec.UnsetType, msgspec.UNSET) for key, type_ in hints.items()]
    )
    try:
        told = msgspec.convert(given, asked)
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: [{name}] {error}{_given(name, given)}", remedy="correct it or leave it out") from error
    values = {key: value for key in names if (value := getattr(told, key)) is not msgspec.UNSET}
    return kind(**values)  # not straight into `kind`: msgspec gives one that is compiled no defaults


def _given(section: str, value: object) -> str:
    """The value that was given, but not where a password may stand in it."""
    return "" if section == "store" else f" (given: {value!r})"
