"""Reads a file of measured speeds: one CSV line, one Row; an empty field is None, and nothing is interpreted here."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alliage.errors import BadInput

_NEEDED = frozenset(
    {"chip", "n_chips", "model", "precision", "engine", "input_len", "output_len", "concurrency"}
    | {"decode_tps", "ttft_ms", "tpot_ms", "source", "note"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured speed as its source states it. `line` counts from 1, the header not counted."""

    line: int
    chip: str
    n_chips: float | None
    model: str
    precision: str
    engine: str
    input_tokens: float | None
    output_tokens: float | None
    concurrency: float | None
    decode_tps: float | None
    ttft_ms: float | None
    tpot_ms: float | None
    source: str
    confidence: str
    note: str


def read_rows(path: Path) -> tuple[Row, ...]:
    """All rows of the file; BadInput for one that is not such a table."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return tuple(_rows(csv.DictReader(stream), path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}", remedy="name a CSV file with --data FILE") from error


def _rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[Row]:
    missing = sorted(_NEEDED - set(reader.fieldnames or ()))
    if missing:
        raise BadInput(f"{path} lacks the columns {', '.join(missing)}", remedy="bench/README.md says what each holds")
    for line, fields in enumerate(reader, 1):

        def number(name: str, fields: dict[str, str] = fields, line: int = line) -> float | None:
            return _number(fields[name], name, line, path)

        yield Row(
            line=line,
            chip=fields["chip"].strip(),
            n_chips=number("n_chips"),
            model=fields["model"].strip(),
            precision=fields["precision"].strip(),
            engine=fields["engine"].strip(),
            input_tokens=number("input_len"),
            output_tokens=number("output_len"),
            concurrency=number("concurrency"),
            decode_tps=number("decode_tps"),
            ttft_ms=number("ttft_ms"),
            tpot_ms=number("tpot_ms"),
            source=fields["source"],
            confidence=fields.get("confidence") or "",
            note=fields["note"] or "",
        )


def _number(text: str | None, name: str, line: int, path: Path) -> float | None:
    if not text or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise BadInput(f"{path}, row {line}: `{name}` is {text!r}, not a number") from error
    if not 0 < value < 1e12:
        raise BadInput(f"{path}, row {line}: `{name}` is {text!r}, not a number above 0")
    return value
