"""Reads traces of LLM requests. Errors name file, line and value.

Azure's of 2023 (CSV): `TIMESTAMP` (date and time), `ContextTokens`, `GeneratedTokens`; other columns are ignored.
Mooncake's (a JSON object a line): `timestamp` (ms), `input_length`, `output_length`, `hash_ids` (one for each 512 tokens
begun). Both are in order of arrival.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from alliage.errors import BadInput
from alliage.replay.requests.trace import Request, Trace
from alliage.speed.batching import BLOCK_TOKENS

MOONCAKE_BLOCK_TOKENS: Final = 512
TOKENS_MAX: Final = 10**7
"""Of a prompt or an answer; a larger number is a slip."""
_AZURE_COLUMNS: Final = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_MOONCAKE_FIELDS: Final = ("timestamp", "input_length", "output_length", "hash_ids")
_NS: Final = 10**9


class _Wrong(ValueError):
    """What cannot be in a row, and what should be there."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def read_azure(path: Path) -> Trace:
    """The trace of a CSV file, from its first request on. Raises BadInput."""
    return _trace(path, _azure_rows(path), BLOCK_TOKENS)


def read_mooncake(path: Path) -> Trace:
    """The trace of a JSONL file, from its first request on. Raises BadInput."""
    return _trace(path, _mooncake_rows(path), MOONCAKE_BLOCK_TOKENS)


def _trace(path: Path, rows: Iterable[tuple[int, int, Request]], block_tokens: int) -> Trace:
    """Rows are line, nanoseconds, and a request without its time."""
    requests: list[Request] = []
    first_ns = last_ns = 0
    for line, at_ns, row in rows:
        if not requests:
            first_ns = last_ns = at_ns
        if at_ns < last_ns:
            raise BadInput(
                f"{path}, line {line}: it is earlier than the line before", remedy="give the rows in order of arrival"
            )
        last_ns = at_ns
        requests.append(
            Request(
                at_s=(at_ns - first_ns) / _NS,
                prompt_tokens=row.prompt_tokens,
                output_tokens=row.output_tokens,
                blocks=row.blocks,
            )
        )
    if not requests:
        raise BadInput(f"{path} has no requests", remedy="give a file of the trace")
    return Trace(name=path.name, requests=tuple(requests), block_tokens=block_tokens)


def _azure_rows(path: Path) -> Iterator[tuple[int, int, Request]]:
    reader = csv.DictReader(_text(path).splitlines())
    missing = [column for column in _AZURE_COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(
            f"{path}, line 1: no column {', '.join(missing)}", remedy=f"the columns are {','.join(_AZURE_COLUMNS)}"
        )
    try:
        for cells in reader:
            time, prompt, output = (cells.get(column) or "" for column in _AZURE_COLUMNS)
            row = Request(
                at_s=0.0,
                prompt_tokens=_whole("ContextTokens", _number(prompt)),
                output_tokens=_whole("GeneratedTokens", _number(output)),
            )
            yield reader.line_num, _time_ns(time), row
    except _Wrong as error:
        raise _bad(path, reader.line_num, error) from error
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: {error}", remedy="give a file of the trace") from error


def _time_ns(text: str) -> int:
    """`2023-11-16 18:15:46.6805900`, whole nanoseconds since 1970."""
    whole, _, part = text.strip().partition(".")
    try:
        seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    except ValueError:
        seconds = None
    if seconds is None or (part and not (part.isascii() and part.isdigit() and len(part) <= 9)):
        raise _Wrong(f"TIMESTAMP {text[:60]!r} is no time", "write it as 2023-11-16 18:15:46.6805900")
    return seconds * _NS + int(part.ljust(9, "0") if part else 0)


def _mooncake_rows(path: Path) -> Iterator[tuple[int, int, Request]]:
    for line, text in enumerate(_text(path).splitlines(), start=1):
        if not text.strip():
            continue
        try:
            yield line, *_mooncake_row(text)
        except _Wrong as error:
            raise _bad(path, line, error) from error


def _mooncake_row(text: str) -> tuple[int, Request]:
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise _Wrong(f"{text[:40]!r} is no JSON", "write one JSON object a line") from error
    if not isinstance(fields, dict) or (missing := [name for name in _MOONCAKE_FIELDS if name not in fields]):
        lacks = ", ".join(missing) if isinstance(fields, dict) else "object"
        raise _Wrong(f"no {lacks}", f"the fields are {', '.join(_MOONCAKE_FIELDS)}")
    time_ms = fields["timestamp"]
    if isinstance(time_ms, bool) or not isinstance(time_ms, int | float) or not 0 <= time_ms < 1e15:
        raise _Wrong(f"timestamp {time_ms!r} cannot be", "write milliseconds from 0")
    prompt = _whole("input_length", fields["input_length"])
    row = Request(
        at_s=0.0,
        prompt_tokens=prompt,
        output_tokens=_whole("output_length", fields["output_length"]),
        blocks=_blocks(fields["hash_ids"], prompt),
    )
    return round(time_ms * 1_000_000), row


def _blocks(value: object, prompt_tokens: int) -> tuple[int, ...]:
    most = -(-prompt_tokens // MOONCAKE_BLOCK_TOKENS)
    if not isinstance(value, list) or any(isinstance(each, bool) or not isinstance(each, int) for each in value):
        raise _Wrong("hash_ids are no whole numbers", "write a list of them, one for each 512 tokens begun")
    if len(value) > most or len(set(value)) < len(value):
        raise _Wrong(
            f"hash_ids are {len(value)} for {prompt_tokens} tokens, {len(set(value))} of them different",
            f"give each 512 tokens begun one of its own, {most} here",
        )
    return tuple(value)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= TOKENS_MAX:
        raise _Wrong(f"{name} {value!r} cannot be", f"write a whole number from 1 to {TOKENS_MAX}")
    return value


def _number(text: str) -> int | str:
    """What a cell says, or as it is where that is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


def _bad(path: Path, line: int, error: _Wrong) -> BadInput:
    return BadInput(f"{path}, line {line}: {error.what}", remedy=error.remedy)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"{path} cannot be read: {reason}", remedy="name a file of the trace") from error
