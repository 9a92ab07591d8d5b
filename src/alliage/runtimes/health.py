"""Whether an engine is well: probes until it is ready, then now and then. It tells; it ends nothing."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from alliage.control.observed import EngineState
from alliage.runtimes.folders import Spec
from alliage.runtimes.probe import Answer, probe
from alliage.runtimes.processes import cpu_s
from alliage.runtimes.settings import AgentSettings

BUSY_SHARE: Final = 0.02
"""Of one core: an engine that does not answer but works more than this is busy, not hung."""


class Physician:
    """Watches one engine. `tell` hears READY and ILL as they change."""

    def __init__(self, spec: Spec, pid: int, settings: AgentSettings, tell: Callable[[EngineState], None]) -> None:
        self._spec = spec
        self._pid = pid
        self._settings = settings
        self._tell = tell

    async def probe(self) -> Answer:
        """One probe now."""
        spec = self._spec
        timeout_s = self._settings.health_timeout_s
        return await probe(spec.host, spec.port, spec.ready_path, key=spec.key, timeout_s=timeout_s)

    async def until_ready(self) -> bool:
        """Whether it became ready in its time."""
        deadline = time.monotonic() + self._spec.ready_within_s
        while time.monotonic() < deadline:
            if await self.probe() is Answer.WELL:
                self._tell(EngineState.READY)
                return True
            await asyncio.sleep(self._settings.probe_every_s)
        return False

    async def attend(self) -> None:
        """Tell when it falls ill, and when it is well again; returns when it has been ill for too long."""
        failures = 0
        ill_since_s = time.monotonic()
        while True:
            await asyncio.sleep(self._settings.health_every_s)
            failures = 0 if await self._is_well() else failures + 1
            if failures <= self._settings.health_failures:
                ill_since_s = time.monotonic()
            if failures in (0, self._settings.health_failures):
                self._tell(EngineState.ILL if failures else EngineState.READY)
            if time.monotonic() - ill_since_s > self._settings.ill_s:
                return

    async def _is_well(self) -> bool:
        began_s, used_s = time.monotonic(), cpu_s(self._pid)
        answer = await self.probe()
        if answer is not Answer.SILENT:
            return answer is Answer.WELL
        return cpu_s(self._pid) - used_s > BUSY_SHARE * (time.monotonic() - began_s)
