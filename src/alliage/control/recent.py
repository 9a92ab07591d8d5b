"""recent: what the gateways saw of each service in the last seconds. What it keeps in memory can be lost without harm.

It keeps reports as they came and takes differences when somebody asks, so that a pass of the loop pays next to nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

from alliage.control.observed import DoorReport
from alliage.fleet.ids import ServiceName
from alliage.fleet.traffic import Traffic

WINDOW_S: Final = 30.0
"""Over which figures are a mean, once a gateway has counted for so long."""
STEP_S: Final = 1.0
"""Reports of a gateway that are nearer to each other are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One service, all gateways together. `traffic` is what was added in the window; `held` and `in_flight` are of now."""

    window_s: float
    """How long the window is; 0: no gateway has reported twice yet, so that nothing is known but what is there now."""
    asked_rps: float
    traffic: Traffic


@dataclass(slots=True)
class Recent:
    """Takes the reports of all gateways at each pass; a gateway that is gone is forgotten with what it saw."""

    _doors: dict[str, deque[DoorReport]] = field(default_factory=dict)

    def look(self, doors: Iterable[DoorReport]) -> None:
        """The reports of now."""
        kept: dict[str, deque[DoorReport]] = {}
        for report in doors:
            if not report.traffic and report.door not in self._doors:
                continue  # it has yet to say what it counted before control heard it
            reports = kept[report.door] = self._doors.get(report.door, deque())
            if reports and report.counted_s < reports[-1].counted_s:
                reports.clear()  # another clock
            if len(reports) > 1 and report.counted_s - reports[-2].counted_s < STEP_S:
                reports.pop()
            reports.append(report)
            while len(reports) > 2 and reports[1].counted_s <= report.counted_s - WINDOW_S:
                reports.popleft()
        self._doors = kept

    def seen(self) -> Mapping[ServiceName, Seen]:
        """Each service that a gateway tells of."""
        names = {name for reports in self._doors.values() for name in reports[-1].traffic}
        return {name: self._seen(name) for name in sorted(names)}

    def _seen(self, name: ServiceName) -> Seen:
        parts = list(self._windows(name))
        return Seen(
            window_s=max(window_s for window_s, _ in parts),
            asked_rps=sum(added.asked / window_s for window_s, added in parts if window_s),
            traffic=reduce(Traffic.plus, (added for _, added in parts)),
        )

    def _windows(self, name: ServiceName) -> Iterator[tuple[float, Traffic]]:
        """Of each gateway that tells of the service: the length of its window, and what was added in it."""
        for reports in self._doors.values():
            first, last = reports[0], reports[-1]
            now = last.traffic.get(name)
            if now is None:
                continue
            window_s = last.counted_s - first.counted_s
            known = first.traffic.get(name)
            yield window_s, now.since(known if window_s else now)
