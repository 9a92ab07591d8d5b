"""Usage, bills and records as CSV. There is no line of totals: the sum of the amounts is the total."""

from collections.abc import Sequence
from typing import Final

from alliage.faces.admin.ledger_answers import BillAnswer, RecordsAnswer, SumsAnswer, UsageAnswer
from alliage.faces.cli.csv_text import Amount, Cell, csv_text
from alliage.ledger.money import money_text
from alliage.ledger.periods import time_text

_COUNTS: Final = ("requests", "prompt_tokens", "cached_tokens", "output_tokens", "estimated", "unpriced")
_RECORD: Final = (
    "id",
    "request",
    "tenant",
    "project",
    "key",
    "service",
    "endpoint",
    "replica",
    "model",
    "recipe",
    "engine",
    "chip",
    "site",
    "duration_s",
    "ttft_s",
    "tpot_s",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "status",
    "ending",
)


def usage_csv(told: UsageAnswer) -> str:
    """One row a name."""
    head = ("month", "tenant", told.by, "label", *_COUNTS, "charged", "scarcity", "corrected", "total", "currency")
    return csv_text(
        head,
        (
            (
                *(told.month, told.tenant, line.name, line.label),
                *_counts(line),
                *(
                    Amount(money_text(micros))
                    for micros in (line.charged_micros, line.scarcity_micros, line.corrected_micros)
                ),
                Amount(line.total),
                told.currency,
            )
            for line in told.lines
        ),
    )


def bill_csv(told: BillAnswer) -> str:
    """One row a service and model, and one a correction."""
    head = (
        "month",
        "tenant",
        "kind",
        "service",
        "model",
        "record",
        "reason",
        "who",
        *_COUNTS,
        "amount",
        "scarcity",
        "currency",
    )
    whose = (told.month, told.tenant)
    charges: list[Sequence[Cell]] = [
        (*whose, "usage", line.service, line.model, "", "", "", *_counts(line), *_amounts(line), told.currency)
        for line in told.lines
    ]
    empty: tuple[Cell, ...] = (None,) * len(_COUNTS)
    corrections: list[Sequence[Cell]] = [
        (
            *whose,
            "correction",
            "",
            "",
            each.record,
            each.reason,
            each.who,
            *empty,
            Amount(each.amount),
            None,
            told.currency,
        )
        for each in told.corrections
    ]
    return csv_text(head, [*charges, *corrections])


def records_csv(told: RecordsAnswer) -> str:
    """One row a record; times of UTC."""
    head = ("began", *_RECORD, "estimated", "continued", "rehearsed", "charged", "scarcity", "currency")
    return csv_text(
        head,
        (
            (
                time_text(each.began_s),
                *(getattr(each, name) for name in _RECORD),
                *(int(flag) for flag in (each.estimated, each.continued, each.rehearsed)),
                Amount(each.charged),
                Amount(money_text(each.scarcity_micros)),
                told.currency,
            )
            for each in told.records
        ),
    )


def _amounts(line: SumsAnswer) -> tuple[Amount, Amount]:
    return Amount(line.total), Amount(money_text(line.scarcity_micros))


def _counts(sums: SumsAnswer) -> tuple[int, ...]:
    return tuple(getattr(sums, name) for name in _COUNTS)
