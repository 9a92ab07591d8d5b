"""Looks at the accelerators again and again, not faster than a tool can bear, and remembers those that are gone."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from alliage.fleet.ids import DeviceId
from alliage.fleet.nodes import Device
from alliage.runtimes.detection.accelerators import Detected
from alliage.runtimes.detection.described import BY_PCI, MOVING_FACTS

LOOK_AFTER_S: Final = 4.0
"""After a look that took little: what is lost is known within 5 s."""
LOOK_AFTER_S_MAX: Final = 10.0
LOOK_TIMES: Final = 12.0
"""After one that took long, the next one waits for so many times as long, `LOOK_AFTER_S_MAX` at most."""
GONE: Final = "gone"
NOT_ANSWERING: Final = "not answering"


class AcceleratorWatch:
    """The accelerators of a node over time. `look` blocks; the rest answers at once."""

    def __init__(
        self,
        detect: Callable[[], Detected],
        *,
        after_s: float = LOOK_AFTER_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wait_s = self._after_s = after_s
        """How long to wait until the next look."""
        self._detect = detect
        self._monotonic_s = monotonic_s
        self._looking = threading.Lock()
        self._looked_s: float | None = None
        self._devices: tuple[Device, ...] = ()
        self._free_bytes: Mapping[DeviceId, int] = {}

    @property
    def devices(self) -> tuple[Device, ...]:
        """As at the last look, without the facts that are never the same twice; one that is gone stays, and says so."""
        return self._devices

    @property
    def free_bytes(self) -> Mapping[DeviceId, int]:
        """Memory free at the last look. A device that is gone or told nothing has none: nothing new goes there."""
        return self._free_bytes

    def look(self) -> bool:
        """Look again, unless that was done less than `wait_s` ago; whether the devices changed."""
        with self._looking:
            if self._looked_s is not None and self._monotonic_s() - self._looked_s < self.wait_s:
                return False
            began_s = self._monotonic_s()
            detected = self._detect()
            self._looked_s = self._monotonic_s()
            took_s = self._looked_s - began_s
            self.wait_s = max(self._after_s, min(LOOK_AFTER_S_MAX, LOOK_TIMES * took_s))
            before = self._devices
            self._devices, self._free_bytes = after_look(before, detected)
            return self._devices != before

    async def look_aside(self) -> bool:
        """`look` in a thread that nobody waits for at the end: a tool that hangs must not keep its agent from leaving."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def finish(changed: bool, error: BaseException | None) -> None:  # noqa: FBT001
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(changed)

        def work() -> None:
            changed, error = False, None
            try:
                changed = self.look()
            except Exception as raised:  # noqa: BLE001 - handed on to who waits
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(finish, changed, error)

        threading.Thread(target=work, name="accelerators", daemon=True).start()
        return await done


def after_look(before: tuple[Device, ...], now: Detected) -> tuple[tuple[Device, ...], Mapping[DeviceId, int]]:
    """The devices known after a look, and what is free on them: those there now, and those there were.

    A stack that told nothing this time keeps its devices, as not answering: what PCI shows then is the same cards
    without their names. A device without which its stack told the others is gone.
    """
    known = tuple(device for device in before if device.facts.get("told by") != BY_PCI)
    mute = frozenset(now.unanswered) & {device.facts.get("stack", "") for device in known}
    fresh = {device.id: _steady(device) for device in now.devices if device.facts.get("stack") not in mute}
    lost = {device.id: _lost(device, mute) for device in known if device.id not in fresh}
    free = {device: free for device, free in now.free_bytes.items() if device in fresh}
    return (*fresh.values(), *lost.values()), {**free, **dict.fromkeys(lost, 0)}


def _lost(device: Device, mute: frozenset[str]) -> Device:
    health = NOT_ANSWERING if device.facts.get("stack") in mute else GONE
    return replace(device, facts={**device.facts, "health": health})


def _steady(device: Device) -> Device:
    facts = {name: value for name, value in device.facts.items() if name not in MOVING_FACTS}
    return replace(device, facts=facts)
