"""Prometheus' text format, written by hand: thousands of samples within a few milliseconds, because nobody is served meanwhile.

The format is that of https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_ESCAPED: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def labels_of(**values: str) -> str:
    """`name="value"` pairs with commas between them, in the order given."""
    return ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in values.items())


class Exposition:
    """Families one after the other; a sample belongs to the family begun last. Labels come as `labels_of` makes them."""

    __slots__ = ("_lines", "_name")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._name = ""

    def family(self, name: str, kind: str, text: str) -> None:
        """`kind` is counter, gauge or histogram; a counter's name ends with `_total`."""
        self._name = name
        self._lines.append(f"# HELP {name} {text}\n# TYPE {name} {kind}\n")

    def sample(self, labels: str, value: float) -> None:
        """One value."""
        self._lines.append(f"{self._name}{{{labels}}} {value}\n")

    def histogram(self, labels: str, edges: Sequence[str], counts: Sequence[int], sum_: float) -> None:
        """One histogram: the count below each edge, `+Inf` last, is what the counts before it add up to."""
        name = self._name
        lines = [""]
        lines += [f'{edge}"}} {so_far}\n' for edge, so_far in zip(edges, accumulate(counts), strict=True)]
        self._lines.append(f'{name}_bucket{{{labels},le="'.join(lines))
        self._lines.append(f"{name}_sum{{{labels}}} {sum_}\n{name}_count{{{labels}}} {sum(counts)}\n")

    def encode(self) -> bytes:
        """All of it."""
        return "".join(self._lines).encode()
