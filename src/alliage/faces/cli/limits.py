"""`alliage limit`, and limits on the command line: texts into bodies of the API, and its answers as words and tables."""

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from alliage.errors import BadInput
from alliage.faces.admin.limit_answers import LimitsAnswer, ScopedLimitsAnswer, ScopesAnswer, UsedAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json
from alliage.faces.cli.tables import plain_table
from alliage.units import format_count, parse_count

NONE: Final = "none"
OPTIONS: Final = "--rpm, --tpm, --parallel, --context, --model, --day or --month"
_MONEY: Final = re.compile(r"\d{1,12}(?:\.\d{1,6})?")


def list_limits(home: Path, *, as_json: bool) -> None:
    """Of all that have any."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("limits")
    if as_json:
        show_json(raw)
        return
    found = parse(ScopesAnswer, raw).scopes
    show(limits_table(found)) if found else remark("no limits: nobody set any")


def show_limits(home: Path, scope: str, *, as_json: bool) -> None:
    """All that hold for one."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("limits", scope)
    show_json(raw) if as_json else show(limits_table(parse(ScopesAnswer, raw).scopes))


def limits_body(
    *,
    rpm: str | None,
    tpm: str | None,
    parallel: str | None,
    context: str | None,
    models: list[str] | None,
    day: str | None,
    month: str | None,
) -> dict[str, Any]:
    """The limits that were given, as the API takes them (None lifts one); raises BadInput for what cannot be read."""
    body: dict[str, Any] = {}
    for name, option, text in (
        ("requests_per_minute", "--rpm", rpm),
        ("tokens_per_minute", "--tpm", tpm),
        ("parallel", "--parallel", parallel),
        ("context_tokens", "--context", context),
    ):
        if text is not None:
            body[name] = _count(option, text)
    for name, option, text in (("day_micros", "--day", day), ("month_micros", "--month", month)):
        if text is not None:
            body[name] = _micros(option, text)
    if models:
        body["models"] = None if models == [NONE] else models
    return body


def limit_words(limits: LimitsAnswer) -> str:
    """Limits in one line, by the names of the options: `rpm 600, tpm 1M, model a b, day 50`; `none` without any."""
    counts = {
        "rpm": limits.requests_per_minute,
        "tpm": limits.tokens_per_minute,
        "parallel": limits.parallel,
        "context": limits.context_tokens,
    }
    words = [f"{name} {format_count(count)}" for name, count in counts.items() if count is not None]
    if limits.models is not None:
        words.append(f"model {' '.join(limits.models)}")
    money = {"day": limits.day_micros, "month": limits.month_micros}
    words += [f"{name} {_money(micros)}" for name, micros in money.items() if micros is not None]
    return ", ".join(words) or NONE


def doubt_lines(doubts: Sequence[str]) -> list[str]:
    """A line for each doubt of limits."""
    return [f"  note: {doubt}" for doubt in doubts]


def limits_table(scopes: Sequence[ScopedLimitsAnswer]) -> Table:
    """One row a tenant, project or key; `12 of 600` where what was used is told."""
    columns = ("WHOSE", "RPM", "TPM", "PARALLEL", "CONTEXT", "DAY", "MONTH", "MODELS")
    return plain_table(columns, (_cells(each) for each in scopes))


def _cells(scoped: ScopedLimitsAnswer) -> tuple[str, ...]:
    limits, used = scoped.limits, scoped.used or _UNTOLD
    return (
        f"key:{scoped.key}" if scoped.kind == "key" else scoped.scope,
        _of(limits.requests_per_minute, used.requests_last_minute),
        _of(limits.tokens_per_minute, used.tokens_last_minute),
        _of(limits.parallel, used.parallel),
        _of(limits.context_tokens, None),
        _of_money(limits.day_micros, used.day_micros),
        _of_money(limits.month_micros, used.month_micros),
        " ".join(limits.models) if limits.models is not None else NONE,
    )


_UNTOLD: Final = UsedAnswer(
    requests_last_minute=None, tokens_last_minute=None, parallel=None, day_micros=None, month_micros=None
)


def _of(limit: int | None, used: int | None) -> str:
    most = NONE if limit is None else format_count(limit)
    return most if used is None else f"{used} of {most}"


def _of_money(limit: int | None, used: int | None) -> str:
    most = NONE if limit is None else _money(limit)
    return most if used is None else f"{_money(used)} of {most}"


def _money(micros: int) -> str:
    return f"{(Decimal(micros) / 10**6).normalize():f}"


def _count(option: str, text: str) -> int | None:
    if text == NONE:
        return None
    try:
        return parse_count(text)
    except BadInput as error:
        raise BadInput(f"{option}: {error.message}", remedy=f"{error.remedy}; `{NONE}` for no limit") from None


def _micros(option: str, text: str) -> int | None:
    if text == NONE:
        return None
    if _MONEY.fullmatch(text.strip()) is None:
        remedy = f"write money of the installation's currency, such as 50 or 12.5; `{NONE}` for no limit"
        raise BadInput(f"{option}: {text!r} is no sum of money", remedy=remedy)
    return int(Decimal(text.strip()) * 10**6)
