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
from tests.gateway.weather import Pulse, Weather


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
    """Bad weather does not; that nobody was answered for most of the time does, whether that was noted already or not."""

    async def main() -> None:
        weather = Weather((), Random(1))
        weather.bad_until_s = asyncio.get_running_loop().time() + 60
        asked_s = time.monotonic()
        assert weather.explains("refused", asked_s)
        assert not weather.explains("late", asked_s)
        assert not weather.explains("wrong", asked_s)
        weather.pulse = Pulse(asked_s - 9)
        weather.pulse.beats(asked_s)
        assert weather.explains("late", asked_s - 2)
        assert not weather.explains("late", asked_s)

    run(main())


def test_a_pulse_counts_what_was_in_between() -> None:
    """Stops as far as they are in the time that is asked of, also one that lasts; not the beats themselves."""
    pulse = Pulse(10.0)
    for now_s in (10.05, 10.1, 13.1, 13.15):
        pulse.beats(now_s)
    assert pulse.stood_s(10.0, 13.15) == pytest.approx(3.0)
    assert pulse.stood_s(12.0, 13.15) == pytest.approx(1.1)
    assert pulse.stood_s(13.15, 13.15) == 0.0
    assert pulse.stood_s(12.0, 15.15) == pytest.approx(3.1)


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
