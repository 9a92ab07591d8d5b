"""`alliage usage` and `alliage bill`: asks, and prints tables, CSV or what the API answered."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from alliage.faces.admin.ledger_answers import (
    BillAnswer,
    CorrectedAnswer,
    RecordInFullAnswer,
    RecordsAnswer,
    SumsAnswer,
    UsageAnswer,
)
from alliage.faces.cli.billing_csv import bill_csv, records_csv, usage_csv
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json
from alliage.faces.telling import printable
from alliage.ledger.money import money_text, parse_money
from alliage.ledger.periods import time_text

_TOKENS = ("REQUESTS", "PROMPT", "CACHED", "OUTPUT")


def usage(home: Path, query: Mapping[str, str | int], *, as_csv: bool, as_json: bool) -> None:
    """A month by something."""
    raw = _asked(home, "usage", query=query)
    if as_json:
        show_json(raw)
        return
    told = parse(UsageAnswer, raw)
    if as_csv:
        sys.stdout.write(usage_csv(told))
        return
    whose = f"tenant {told.tenant}" if told.tenant else "all tenants"
    show(f"{whose}, {told.month} by {told.by}, in {told.currency}", usage_table(told))
    _doubts(told.total)


def bill(home: Path, *, tenant: str, month: str, as_csv: bool, as_json: bool) -> None:
    """A tenant's month."""
    raw = _asked(home, "bill", query={"tenant": tenant, "month": month})
    if as_json:
        show_json(raw)
        return
    told = parse(BillAnswer, raw)
    if as_csv:
        sys.stdout.write(bill_csv(told))
        return
    show(f"bill of tenant {told.tenant} for {told.month}, in {told.currency}", bill_table(told))
    for each in told.corrections:
        show(f"  {each.amount}  correction of {each.record}, {time_text(each.made_s)} by {each.who}: {each.reason}")
    _doubts(told.total)


def records(home: Path, query: Mapping[str, str | int], *, as_csv: bool, as_json: bool) -> None:
    """Single records."""
    raw = _asked(home, "usage", "records", query=query)
    if as_json:
        show_json(raw)
        return
    told = parse(RecordsAnswer, raw)
    if as_csv:
        sys.stdout.write(records_csv(told))
    elif told.records:
        show(records_table(told))
    else:
        remark("no records")
    if told.before:
        remark(f"older ones: --before {told.before}")


def record(home: Path, name: str, *, as_json: bool) -> None:
    """One record."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("usage", "records", name)
    show_json(raw) if as_json else show("\n".join(record_lines(parse(RecordInFullAnswer, raw))))


def correct(home: Path, name: str, *, to: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """A counter-entry."""
    body = {"to_micros": parse_money(to, "--to"), "reason": reason, "dry_run": dry_run}
    with AdminClient(find_place(home)) as client:
        raw = client.post("usage", "records", name, "corrections", body=body)
    if as_json:
        show_json(raw)
        return
    told = parse(CorrectedAnswer, raw)
    made = told.correction
    show(f"{made.amount} {told.currency} to the charge of {made.record}: {made.reason}")
    if told.dry_run:
        remark("nothing was changed (--dry-run)")


def usage_table(told: UsageAnswer) -> Table:
    """One row a name, and the total."""
    table = _table(told.by.upper(), *_TOKENS, "CHARGED", "CORRECTED", "TOTAL")
    for line in told.lines:
        _row(table, line.label or "(none)", *_figures(line))
    _row(table, "total", *_figures(told.total))
    return table


def bill_table(told: BillAnswer) -> Table:
    """One row a service and model, one for all corrections, and the total."""
    table = _table("SERVICE", "MODEL", *_TOKENS, "AMOUNT")
    for line in told.lines:
        _row(table, line.service, line.model or "(none)", *_counts(line), line.total)
    if told.corrections:
        _row(table, "corrections", "", "", "", "", "", money_text(told.total.corrected_micros))
    _row(table, "total", "", *_counts(told.total), told.total.total)
    return table


def records_table(told: RecordsAnswer) -> Table:
    """One row a record."""
    table = _table("BEGAN", "RECORD", "TENANT", "KEY", "SERVICE", "ENDING", "PROMPT", "OUTPUT", "CHARGED")
    for each in told.records:
        ending = f"{each.ending} {each.status}" + (", estimated" if each.estimated else "")
        charged = each.charged if each.price is not None else "unpriced"
        figures = (f"{each.prompt_tokens}", f"{each.output_tokens}", charged)
        _row(table, time_text(each.began_s), each.id, each.tenant, each.key, each.service, ending, *figures)
    return table


def record_lines(told: RecordInFullAnswer) -> list[str]:
    """One record in words."""
    each = told.record
    where = " ".join(part for part in (each.replica, each.recipe or each.model, each.chip, each.site) if part)
    estimated = ", counted here, for the engine did not tell" if each.estimated else ""
    lines = [
        f"record {each.id}: {each.endpoint} of {each.service}, {each.ending} with status {each.status}",
        f"  request   {each.request}",
        f"  of        tenant {each.tenant}, project {each.project or '(none)'}, key {each.key}",
        f"  began     {time_text(each.began_s)}, took {each.duration_s:.3f} s",
        f"  answered  by {where or 'nobody'}{' and others before' if each.continued else ''}",
        f"  tokens    {each.prompt_tokens} prompt ({each.cached_tokens} cached), {each.output_tokens} output{estimated}",
        f"  charged   {each.charged} {told.currency}, {_by_price(told)}",
    ]
    lines += [
        f"  corrected {made.amount}, {time_text(made.made_s)} by {made.who}: {made.reason}" for made in told.corrections
    ]
    return [*lines, f"  costs     {told.total} {told.currency}"]


def _by_price(told: RecordInFullAnswer) -> str:
    price = told.record.price
    if price is None:
        return "for no price was listed"
    parts = (price.prompt_micros, price.cached_micros, price.output_micros)
    words = "by {} prompt, {} cached, {} output a million tokens".format(*(money_text(micros) for micros in parts))
    scarcity_micros = told.record.scarcity_micros
    return f"{words}; {money_text(scarcity_micros)} of it for scarcity" if scarcity_micros else words


def _asked(home: Path, *path: str, query: Mapping[str, str | int]) -> str:
    with AdminClient(find_place(home)) as client:
        return client.get(*path, **{name: value for name, value in query.items() if value != ""})


def _doubts(total: SumsAnswer) -> None:
    if total.scarcity_micros:
        remark(f"of what was charged, for scarcity: {money_text(total.scarcity_micros)} (the rest is the list price)")
    if total.unpriced:
        remark(f"requests without a price, so free: {total.unpriced} (nothing was listed for them when they began)")
    if total.estimated:
        remark(
            f"requests whose tokens are estimated: {total.estimated} (the engine did not tell them, they were counted)"
        )


def _figures(sums: SumsAnswer) -> Iterable[str]:
    return (*_counts(sums), money_text(sums.charged_micros), money_text(sums.corrected_micros), sums.total)


def _counts(sums: SumsAnswer) -> tuple[str, ...]:
    return tuple(str(each) for each in (sums.requests, sums.prompt_tokens, sums.cached_tokens, sums.output_tokens))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    numbers = {*_TOKENS, "CHARGED", "CORRECTED", "TOTAL", "AMOUNT"}
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in numbers else "left")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(printable(cell)) for cell in cells))
