"""Lists that are only ever added to, each entry of something named, from a time on: which hold, which are to come, what ends them."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Entry(Protocol):
    """One entry of a list."""

    @property
    def name(self) -> str:
        """Of what it is; before it the entry before it of the same name holds."""
        ...

    @property
    def from_s(self) -> float:
        """Seconds since 1970, from when it holds."""
        ...

    @property
    def is_end(self) -> bool:
        """Whether it only ends what was listed before."""
        ...


Listed = TypeVar("Listed", bound=Entry)


def in_force(entries: Sequence[Listed], at_s: float) -> dict[str, Listed]:
    """By name, the entry that holds at a time; what was ended is left out. `entries` are in the order in which they were set."""
    found: dict[str, Listed] = {}
    for entry in entries:
        if entry.from_s <= at_s:
            before = found.get(entry.name)
            if before is None or before.from_s <= entry.from_s:
                found[entry.name] = entry
    return {name: entry for name, entry in found.items() if not entry.is_end}


def now_and_coming(entries: Sequence[Listed], now_s: float) -> tuple[Listed, ...]:
    """What holds now, by name; then what is set to come, the next first."""
    now = in_force(entries, now_s)
    coming = sorted(
        (
            entry
            for entry in entries
            if entry.from_s > now_s and in_force(entries, entry.from_s).get(entry.name) is entry
        ),
        key=lambda entry: (entry.from_s, entry.name),
    )
    return (*(now[name] for name in sorted(now)), *coming)


def ends_of(entries: Sequence[Listed], name: str, now_s: float) -> tuple[float, ...]:
    """From when entries have to end what is listed for a name: now, and when what is to come would come; none where nothing is listed."""
    later = {each.from_s for each in entries if each.name == name and each.from_s > now_s}
    coming = [from_s for from_s in sorted(later) if name in in_force(entries, from_s)]
    return (now_s, *coming) if coming or name in in_force(entries, now_s) else ()
