"""Usage as a gateway tells it, made of records: what a test's line may say."""

import msgspec

from alliage.fleet.usage import UsageRecord
from alliage.link.entries import (
    CONTINUED,
    END,
    ENDINGS,
    NAMES,
    TOLD,
    UNSEEN,
    WHOLE_BYTES_MAX,
    Names,
    entry,
    put_whole,
    request_check,
)
from alliage.link.messages import UsageTold


def names_of(record: UsageRecord) -> bytes:
    """The payload of its names."""
    return msgspec.json.encode(
        Names(
            tenant=record.tenant,
            project=record.project,
            key=record.key,
            service=record.service,
            endpoint=record.endpoint,
            replica=record.replica,
            origin=record.origin,
            is_rehearsed=record.is_rehearsed,
        )
    )


def whole(kind: int, first: int, names: int, request: bytes, *, tokens: int = 0, state: int = 0) -> bytes:
    """An entry of a request that began and ended at once."""
    data = bytearray(WHOLE_BYTES_MAX)
    check = request_check(request)
    size = put_whole(data, 0, kind, first, names, 1, 1, 0, tokens, 5, UNSEEN, UNSEEN, 200, state, request, check)
    return bytes(data[:size])


def end_of(record: UsageRecord, names: int) -> bytes:
    """Its `END`; the place of its first entry stands behind the last dash of its id."""
    data = bytearray(WHOLE_BYTES_MAX)
    request = record.request.encode()
    state = ENDINGS.index(record.ending) | CONTINUED * record.is_continued | TOLD * (not record.is_estimated)
    size = put_whole(
        data, 0, END, int(record.id.rpartition("-")[2]), names, _micros(record.began_s), record.prompt_tokens, record.cached_tokens,
        record.output_tokens, _micros(record.duration_s), _micros(record.ttft_s), _micros(record.tpot_s), record.status, state, request,
        request_check(request),
    )  # fmt: skip
    return bytes(data[:size])


def told(number: int, *records: UsageRecord, journal: str = "j", at: int = 0) -> UsageTold:
    """A stretch with these records, and nothing to be known before."""
    parts = [entry(NAMES, names_of(each)) + end_of(each, place) for place, each in enumerate(records)]
    return UsageTold(journal=journal, number=number, at=at, names=(), entries=b"".join(parts))


def _micros(seconds: float | None) -> int:
    return UNSEEN if seconds is None else round(seconds * 1e6)
