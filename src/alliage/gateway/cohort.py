"""What one round of the event loop brought, worked on step by step: each step for all of it, one after the other.

A request passes about 180 KB of code, and a core's first cache of instructions holds 32: worked on one by one, each request reads
all of it from further away. Step by step the code of a step is read once for many. This is cohort scheduling (Larus and Parkes,
"Using Cohort Scheduling to Enhance Server Performance", USENIX 2002).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from alliage.units import KIB

_log: Final = structlog.get_logger("alliage.gateway")
_TOGETHER: Final = 32
"""Members that go step by step together: of more the data would not stay at hand."""
_FEW: Final = 3
"""Fewer than these in one round are not worth waiting for each other."""
_SMALL_BYTES: Final = 16 * KIB
"""A longer read has enough to do to be worked on at once; and nobody's waits unseen by the limits."""
_WAITING_MAX: Final = 256
"""Members that wait; who comes then is worked on at once."""
_LOOK_EVERY: Final = 100
"""While few come at a time each is worked on at once; the one after so many waits, to see how many come now. Fewer than a hundredth, so that it is none of the slowest."""


class Member(asyncio.Protocol):
    """A connection that something came on: `step` does what is next."""

    __slots__ = ("came", "is_member")

    def __init__(self) -> None:
        self.came = b""
        """What was read and not looked at yet: one small read."""
        self.is_member = False

    def step(self) -> bool:
        """Do the next step; whether another one follows at once."""
        raise NotImplementedError

    def broke(self) -> None:
        """A step raised, which is a bug: close, so that the others are spared."""
        raise NotImplementedError


class Cohort:
    """Members that go their steps together. `soon` calls back once what has come is read, as `call_soon` of the loop does."""

    __slots__ = ("_alone", "_are_few", "_members", "_soon", "_work")

    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        self._soon = soon
        self._work = self.work  # bound once
        self._members: list[Member] = []
        self._are_few = True
        self._alone = 0

    def join(self, member: Member) -> None:
        """Have its steps done: at once, or soon beside others'. Within its own steps this changes nothing."""
        if member.is_member:
            return
        members = self._members
        waiting = len(members)
        if waiting >= _WAITING_MAX:
            self.hurry(member)
        elif waiting == 0 and self._are_few and self._alone < _LOOK_EVERY:
            self._alone += 1
            self.hurry(member)
        else:
            member.is_member = True
            members.append(member)
            if waiting == 0:
                self._soon(self._work)

    def brought(self, member: Member, data: bytes) -> None:
        """The member has read this."""
        if member.came or len(data) > _SMALL_BYTES:
            self.hurry(member)  # with what it read before
            member.came = data
            self.hurry(member)
        else:
            member.came = data
            self.join(member)

    def hurry(self, member: Member) -> None:
        """Do its steps now. If it waits, it finds nothing to do then."""
        member.is_member = True  # so that to join within its steps changes nothing here either
        while self._goes_on(member):
            pass

    def work(self) -> None:
        """All steps of all that have joined."""
        came, self._members = self._members, []
        self._are_few, self._alone = len(came) < _FEW, 0
        for first in range(0, len(came), _TOGETHER):
            members = came[first : first + _TOGETHER]
            while members:
                members = [member for member in members if self._goes_on(member)]

    def _goes_on(self, member: Member) -> bool:
        """Its next step; whether there are more."""
        try:
            goes_on = member.step()
        except Exception:  # noqa: BLE001 - whatever it is, the others go on
            goes_on = False
            with suppress(Exception):
                _log.exception("a connection was closed because of a bug")
            with suppress(Exception):
                member.broke()
        if not goes_on:
            member.is_member = False
        return goes_on
