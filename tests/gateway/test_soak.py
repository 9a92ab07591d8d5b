"""A few seconds of `make soak-gateway`: every answer right or explained, nothing left behind; its memory rule needs longer."""

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from alliage.units import MIB
from tests.gateway.certificates import OPENSSL, WITHOUT, certificate
from tests.gateway.house import run
from tests.gateway.soak import Soaked, soak
from tests.gateway.weather import BEAT_S, STOOD_S_MIN, Weather


@pytest.mark.parametrize(
    "secured", [False, pytest.param(True, marks=pytest.mark.skipif(OPENSSL is None, reason=WITHOUT))]
)
def test_mixed_load_and_abuse_leave_nothing(tmp_path: Path, *, secured: bool) -> None:
    """Four seconds of chats, streams, abuse, moody engines and new tables against a process, and the same through TLS."""
    files = certificate(tmp_path / "tls") if secured else None

    async def main() -> None:
        soaked = await soak(4.0, 6, files)
        assert not soaked.faults(), soaked.told()
        assert soaked.answers["right"] > 50
        assert soaked.abuses > 10

    run(main())


def test_only_engines_that_stood_still_explain_a_504() -> None:
    """Bad weather does not; that nothing was answered in this process for most of the time does."""

    async def main() -> None:
        weather = Weather((), Random(1))
        weather.bad_until_s = asyncio.get_running_loop().time() + 60
        beating = asyncio.create_task(weather.pulse.beat())
        asked_s = time.monotonic()
        await asyncio.sleep(3 * BEAT_S)
        assert weather.explains("refused", asked_s)
        assert not weather.explains("late", asked_s - 60)
        assert not weather.explains("wrong", asked_s)
        time.sleep(STOOD_S_MIN)  # noqa: ASYNC251  # nobody is answered
        assert weather.explains("late", asked_s)
        await asyncio.sleep(3 * BEAT_S)
        assert weather.explains("late", asked_s)
        assert not weather.explains("late", time.monotonic())
        beating.cancel()

    run(main())


def test_the_rule_finds_what_grows() -> None:
    """Memory that climbs, descriptors that stay, an answer that nothing explains."""
    calm = Soaked(seconds=60, memory_bytes=[50 * MIB] * 100, descriptors_before=20, descriptors_after=22)
    assert not calm.faults()
    calm.memory_bytes = [50 * MIB + (number // 20) * 3 * MIB for number in range(100)]
    calm.descriptors_after = 23
    calm.wrong.append("500 b''")
    assert calm.faults() == [
        "500 b''",
        "memory grew from 53.0 to 62.0 MiB",
        "23 descriptors are open, 20 before",
    ]
