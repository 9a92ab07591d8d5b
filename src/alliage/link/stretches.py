"""Usage records out of the stretches of journals that one gateway's line brings: what a journal says in numbers becomes words here."""

import struct
from dataclasses import dataclass
from typing import Final

import msgspec

from alliage.errors import LinkError
from alliage.fleet.ids import KeyId, ReplicaId, ServiceName
from alliage.fleet.usage import UsageRecord
from alliage.link.entries import (
    CONTINUED,
    END,
    ENDING_BITS,
    ENDINGS,
    FIRST,
    NAMES,
    TOLD,
    UNSEEN,
    Names,
    Whole,
    entries,
    payload,
    read_names,
    read_whole,
)
from alliage.link.messages import UsageTold

_SECOND_US: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The records of whole entries, and the place behind the last of these."""

    records: tuple[UsageRecord, ...]
    upto: int


@dataclass(slots=True)
class _Known:
    """Of one journal: how far it was read, and the names of that segment so far."""

    upto: int
    names: list[Names]


class StretchReader:
    """Of one line. It knows the names that earlier stretches had, so that each is told once."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def read(self, told: UsageTold) -> Read:
        """Raises LinkError where names are missing (a stretch before it was not read), or where it begins with what is no entry."""
        known = self._known.pop(told.journal, None)
        try:
            if told.names is not None:
                known = _Known(told.at, [read_names(each) for each in told.names])
            elif known is None or known.upto != told.at:
                raise LinkError(f"usage of journal {told.journal} was told from {told.at}, without the names before")
            records = tuple(_records(told, known))
        except (msgspec.MsgspecError, IndexError, ValueError, struct.error) as error:
            raise LinkError(f"usage of journal {told.journal} at {told.at} is none: {error}") from error
        if told.entries and known.upto == told.at:
            raise LinkError(f"usage of journal {told.journal} at {told.at} begins with no whole entry")
        self._known[told.journal] = known
        return Read(records=records, upto=known.upto)


def _records(told: UsageTold, known: _Known) -> list[UsageRecord]:
    found = []
    for at, kind, length in entries(told.entries):
        known.upto = told.at + at + length
        if kind == END:
            whole = read_whole(told.entries, at, length, told.at + at)
            found.append(record_of(told.journal, whole, known.names[whole.names]))
        elif kind == NAMES:
            known.names.append(read_names(payload(told.entries, at, length)))
        elif kind == FIRST:
            known.names = []
    return found


def record_of(journal: str, whole: Whole, names: Names) -> UsageRecord:
    """The record of what an entry holds."""
    return UsageRecord(
        id=f"{journal}-{whole.first}",
        request=whole.request.decode(),
        tenant=names.tenant,
        project=names.project,
        key=KeyId(names.key),
        service=ServiceName(names.service),
        endpoint=names.endpoint,
        replica=ReplicaId(names.replica),
        origin=names.origin,
        is_rehearsed=names.is_rehearsed,
        began_s=whole.began_us / _SECOND_US,
        duration_s=whole.duration_us / _SECOND_US,
        ttft_s=_seconds(whole.ttft_us),
        tpot_s=_seconds(whole.tpot_us),
        prompt_tokens=whole.prompt,
        cached_tokens=whole.cached,
        output_tokens=whole.output,
        status=whole.status,
        ending=ENDINGS[whole.state & ENDING_BITS],
        is_continued=bool(whole.state & CONTINUED),
        is_estimated=not whole.state & TOLD,
    )


def _seconds(micros: int) -> float | None:
    return None if micros == UNSEEN else micros / _SECOND_US
