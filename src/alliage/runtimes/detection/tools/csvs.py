"""Comma-separated answers to a query: the first line names the columns (`memory.total [MiB]`). Pure."""

import csv
import re
from collections.abc import Iterator, Mapping
from typing import Final

from alliage.runtimes.detection.boxed import LINE_CHARS_MAX, TEXT_CHARS_MAX

_UNIT: Final = re.compile(r"\s*[\[(]([^\])]{0,20})[\])]\s*$")


def records(text: str, *, must: str) -> Iterator[Mapping[str, str]]:
    """One mapping a line, by column in lower case without its unit; lines before the header are passed over.

    `must` is a column without which a line is no header. Lines that have not as many values are left out.
    """
    header: list[str] = []
    lines = (line for line in text[:TEXT_CHARS_MAX].splitlines() if len(line) <= LINE_CHARS_MAX)
    for values in csv.reader(lines, skipinitialspace=True):
        names = [_UNIT.sub("", value).strip().lower() for value in values]
        if must in names:
            header = names
        elif header and len(values) == len(header):
            yield dict(zip(header, values, strict=True))
