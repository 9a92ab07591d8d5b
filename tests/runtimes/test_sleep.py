"""The agent lets an engine sleep and wake by the engine's own paths, knows it after its own death, and ends one that cannot."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from alliage.control.actions import SleepReplica, WakeReplica
from alliage.control.observed import EngineState, ReplicaReport
from alliage.fleet.ids import DeviceId, ReplicaId, ServiceName
from alliage.fleet.replicas import Binding, Replica
from tests.builders import CATALOG
from tests.runtimes.scene import NODE, QUICK, Scene, agent, replica_of, scene, short_home

SLEEPER = Path(__file__).parent / "sleeper.py"


def a_program(home: Path) -> str:
    """A `python` that has vLLM, as far as the agent asks."""
    program = home / "python-with-vllm"
    program.write_text(f'#!/bin/sh\n[ "$1" = -I ] && echo 0.0 && exit\nexec {sys.executable} {SLEEPER} "$@"\n')
    program.chmod(0o700)
    return str(program)


def on_card(name: str, *, service: str = "alpha") -> Replica:
    """A replica by vLLM on one card of a make whose vLLM sleeps."""
    plain = replica_of(name)
    recipe = replace(plain.recipe, engine="vllm", chip="nvidia-h20", precision="BF16", cores=0)
    bound = (Binding(device=DeviceId("here/nvidia0"), cores=(), memory_bytes=64 << 20),)
    return replace(plain, service=ServiceName(service), recipe=recipe, bindings=bound)


def bed(at: Scene, name: str, *, wake: bool) -> None:
    """Order a sleep or a waking."""
    order = WakeReplica if wake else SleepReplica
    at.hub.act([order(node=NODE, replica=ReplicaId(name))])


async def is_sleeping(report: ReplicaReport) -> bool:
    """What the engine says itself."""
    reader, writer = await asyncio.open_connection(report.host, report.port)
    writer.write(b"GET /is_sleeping HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.endswith(b"true")


def test_an_engine_sleeps_and_wakes_and_an_agent_that_comes_later_knows() -> None:
    """It stays the same process; an agent that adopts it finds it asleep though it answers its probes."""

    async def play(home: Path) -> None:
        settings = replace(QUICK, vllm_python=a_program(home))
        async with scene(home) as at:
            async with agent(at, settings, stay=True, catalog=CATALOG):
                at.start(on_card("a-1"))
                ready = await at.until("a-1", EngineState.READY)
                bed(at, "a-1", wake=False)
                asleep = await at.until("a-1", EngineState.ASLEEP)
                assert asleep.pid == ready.pid
                assert asleep.ready_for_s == 0
                assert await is_sleeping(asleep)
            async with agent(at, settings, catalog=CATALOG):
                again = await at.until("a-1", EngineState.ASLEEP)
                assert again.pid == ready.pid
                bed(at, "a-1", wake=True)
                awake = await at.until("a-1", EngineState.READY)
                assert not await is_sleeping(awake)

    with short_home() as home:
        asyncio.run(play(home))


def test_one_that_cannot_sleep_is_ended() -> None:
    """llama.cpp knows no sleep: it stops as it was asked to before there was any. One that says no ends with the reason."""

    async def play(home: Path) -> None:
        async with scene(home) as at, agent(at, replace(QUICK, vllm_python=a_program(home)), catalog=CATALOG):
            at.start(replica_of("b-1"))
            at.start(on_card("c-1", service="refuses"))
            await at.until("b-1", EngineState.READY)
            await at.until("c-1", EngineState.READY)
            bed(at, "b-1", wake=False)
            bed(at, "c-1", wake=False)
            bed(at, "nobody", wake=False)
            await at.until("b-1", EngineState.STOPPED)
            ended = await at.until("c-1", EngineState.ENDED)
            assert "could not fall asleep" in ended.ended_why
            await at.until("nobody", EngineState.STOPPED, attempt=0)

    with short_home() as home:
        asyncio.run(play(home))
