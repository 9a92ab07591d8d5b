"""Whether the ledger is what the clients saw, and each charge what its tokens cost. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

from alliage.fleet.usage import Ending, UsageRecord
from alliage.ledger.charging import Charge
from tests.storm.asked import CACHED_TOKENS, PRICE, PROMPT_TOKENS, Asked, Kind, Saw


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`wrong` is empty when the books are right; the counts say how much of what was judged."""

    wrong: tuple[str, ...]
    requests: int
    records: int
    complete: int
    refused: int
    cut: int
    cut_billed: int
    cut_after_end: int
    """Killed between the record and the last bytes: billed as finished."""
    estimated: int
    tokens: int
    micros: int


def judge(asked: Sequence[Asked], charges: Sequence[Charge], *, interval_s: float) -> Verdict:
    """`interval_s`: what a killed gateway may not have written down, all delays included."""
    records = [charge.record for charge in charges]
    by_request: dict[str, list[UsageRecord]] = defaultdict(list)
    for record in records:
        by_request[record.request].append(record)
    wrong = [f"{each.record.request}: {why}" for each in charges if (why := _wrong_charge(each)) is not None]
    wrong += [f"{name}: nobody asked for it" for name in by_request.keys() - {each.id for each in asked}]
    if len({record.id for record in records}) != len(records):
        wrong.append("an id is there twice")
    late = 0
    for each in asked:
        found = by_request[each.id]
        late += each.saw is Saw.CUT and any(record.ending is Ending.FINISHED for record in found)
        if (why := _wrong(each, found, interval_s)) is not None:
            wrong.append(f"{each.id} ({each.kind}, {each.saw}, {len(each.seen_s)} of {each.tokens} seen): {why}")
    cut = [each for each in asked if each.saw is Saw.CUT]
    return Verdict(
        wrong=tuple(wrong),
        requests=len(asked),
        records=len(records),
        complete=sum(each.saw is Saw.COMPLETE for each in asked),
        refused=sum(each.saw is Saw.REFUSED for each in asked),
        cut=len(cut),
        cut_billed=sum(bool(by_request[each.id]) for each in cut),
        cut_after_end=late,
        estimated=sum(record.is_estimated for record in records),
        tokens=sum(record.output_tokens for record in records),
        micros=sum(charge.micros for charge in charges),
    )


def _wrong_charge(charge: Charge) -> str | None:
    """The price times the tokens, as exact fractions, rounded once: Python rounds half to even too."""
    record = charge.record
    cost = (
        (record.prompt_tokens - record.cached_tokens) * PRICE.prompt_micros
        + record.cached_tokens * PRICE.cached_micros
        + record.output_tokens * PRICE.output_micros
    )
    micros = round(Fraction(cost, 1_000_000))
    return None if (charge.price, charge.micros) == (PRICE, micros) else f"{charge.micros} micros, not {micros}"


def _wrong(  # noqa: PLR0911 - one for each way to see it
    each: Asked, found: Sequence[UsageRecord], interval_s: float
) -> str | None:
    if not found:
        return None if each.saw in {Saw.CUT, Saw.REFUSED, Saw.LEFT} and not each.reached else "no record"
    record, *more = found
    if more:
        return f"{len(found)} records"
    if record.tenant != each.tenant:
        return f"billed to {record.tenant}, not {each.tenant}"
    most = max(each.produced, len(each.seen_s))
    if record.output_tokens > most:
        return f"{record.output_tokens} tokens, engines had sent {most}"
    match each.saw:
        case Saw.COMPLETE:
            return _wrong_complete(each, record)
        case Saw.CUT:
            return _wrong_cut(each, record, interval_s)
        case Saw.LEFT:
            return _wrong_left(each, record)
        case Saw.BROKEN | Saw.REFUSED:
            most = len(each.seen_s)
            return f"{record.output_tokens} tokens, {most} were sent" if record.output_tokens > most else None
        case _:
            assert_never(each.saw)


def _wrong_left(each: Asked, record: UsageRecord) -> str | None:
    """What was passed to it counts, seen or not; a gateway that was killed as it left knows less."""
    if record.ending is Ending.CANCELLED and record.output_tokens < len(each.seen_s):
        return f"{record.output_tokens} tokens, fewer than it saw"
    return None


def _wrong_complete(each: Asked, record: UsageRecord) -> str | None:
    told = (record.prompt_tokens, record.cached_tokens, record.output_tokens)
    cached = CACHED_TOKENS if each.kind is Kind.WHOLE else 0
    if each.kind is Kind.SILENT:
        is_right = record.is_estimated and record.output_tokens == each.tokens
    else:
        is_right = (
            told == (PROMPT_TOKENS, cached, each.tokens)
            and record.ending is Ending.FINISHED
            and not record.is_estimated
        )
    return None if is_right else f"{told} tokens, {record.ending}, estimated: {record.is_estimated}"


def _wrong_cut(each: Asked, record: UsageRecord, interval_s: float) -> str | None:
    if record.ending is Ending.FINISHED:
        return None if record.output_tokens == each.tokens else f"{record.output_tokens} tokens of a finished one"
    if record.output_tokens > len(each.seen_s):
        return f"{record.output_tokens} tokens, more than were sent"
    least = bisect_left(each.seen_s, each.ended_s - interval_s)
    if record.output_tokens < least:
        return f"{record.output_tokens} tokens, {least} were sent more than {interval_s:g} s before the end"
    return None
