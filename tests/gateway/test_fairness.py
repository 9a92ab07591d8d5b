"""A saturated service at the gateway: whose turn it is, who is told no, and that nobody is forgotten."""

import asyncio
import hashlib
from collections import Counter
from dataclasses import replace

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.limits import Lease, Limits, Priority, service_scope
from alliage.fleet.routing import KeyEntry, RoutingTable, Tempo
from alliage.fleet.services import Objective
from alliage.gateway.limits import GatewayLimits
from tests.gateway.house import Answer, House, chat_body, house, post, route, run, table, until, upstream
from tests.gateway.test_admission import limited
from tests.gateway.upstream import Call, Engine, chat

_SLOW = Tempo(
    request_s=0.01, prompt_token_s=1e-5, prompt_pair_s=0.0, step_s=0.05, step_request_s=0.0, step_held_s=0.0, step_tokens=512,
    kv_tokens=100_000,
)  # fmt: skip


def shared(base: RoutingTable, weights: dict[str, float] | None = None) -> RoutingTable:
    """The table with a key of each class for the tenants a and b, named `TENANT-CLASS`."""
    keys = {
        hashlib.sha256(f"{tenant}-{priority}".encode()).hexdigest(): KeyEntry(
            key=KeyId(f"{tenant}-{priority}"), tenant=tenant, role=Role.USER, priority=priority
        )
        for tenant in "ab"
        for priority in Priority
    }
    return replace(base, keys={**base.keys, **keys}, weights=weights or {})


class Gate:
    """An engine that answers one request each time it is let to."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(0)
        self.engine = Engine(self._behave)

    async def _behave(self, call: Call) -> None:
        await self.free.acquire()
        await chat(call)

    @property
    def asked(self) -> list[str]:
        """Whom the engine was asked by, in order."""
        return [call.json["user"] for call in self.engine.calls]


def _ask(place: House, who: str, priority: str = "standard") -> asyncio.Task[Answer]:
    return asyncio.create_task(place.ask(post(chat_body(user=who), key=f"{who}-{priority}")))


async def _queue(place: House, *asked: tuple[str, str]) -> list[asyncio.Task[Answer]]:
    """Let them come in this order; the first has a slot already."""
    tasks = []
    for who, priority in asked:
        before = (await place.metrics())["alliage_gateway_queued"]
        tasks.append(_ask(place, who, priority))
        await place.holds(int(before) + 1, kind="queued")
    return tasks


def test_turns_are_by_weight_and_engines_are_not_piled_up() -> None:
    """Of two tenants that both wait the one of weight 3 gets three of four turns; the engine never has more than its slot."""

    async def main() -> None:
        gate = Gate()
        async with gate.engine as engine:
            first = shared(table(1, route("m", upstream("m-1", engine.port, concurrency=1))), {"a": 3.0})
            async with house(first) as place:
                taken = _ask(place, "a")
                await until(lambda: len(engine.calls) == 1, "the slot is taken")
                waiting = await _queue(place, *([("a", "standard")] * 9 + [("b", "standard")] * 3))
                assert len(engine.calls) == 1
                for turn in range(12):
                    gate.free.release()
                    await until(lambda turn=turn: len(engine.calls) == turn + 2, "the next has its turn")  # type: ignore[misc]
                gate.free.release()
                answers = await asyncio.gather(taken, *waiting)
                assert {answer.status for answer in answers} == {200}
                assert Counter(gate.asked[1:9]) == {"a": 6, "b": 2}
                await place.at_rest()

    run(main())


def test_urgent_requests_of_a_tenant_go_first_and_its_others_still_go() -> None:
    """Three interactive ones pass a batch one that came before them."""

    async def main() -> None:
        gate = Gate()
        async with (
            gate.engine as engine,
            house(shared(table(1, route("m", upstream("m-1", engine.port, 1))))) as place,
        ):
            taken = _ask(place, "a")
            await until(lambda: len(engine.calls) == 1, "the slot is taken")
            batch = (await _queue(place, ("a", "batch")))[0]
            urgent = await _queue(place, *([("a", "interactive")] * 3))
            for _ in range(4):
                gate.free.release()
            await asyncio.gather(taken, *urgent)
            assert not batch.done()
            gate.free.release()
            assert (await batch).status == 200

    run(main())


def test_who_leaves_the_queue_is_forgotten() -> None:
    """No engine is asked for it, and the next goes in its place."""

    async def main() -> None:
        gate = Gate()
        async with (
            gate.engine as engine,
            house(shared(table(1, route("m", upstream("m-1", engine.port, 1))))) as place,
        ):
            taken = _ask(place, "a")
            await until(lambda: len(engine.calls) == 1, "the slot is taken")
            wire = await place.dial()
            await wire.send(post(chat_body(user="gone"), key="a-standard"))
            await place.holds(1, kind="queued")
            (stays,) = await _queue(place, ("a", "standard"))
            wire.writer.close()
            await place.holds(1, kind="queued")
            gate.free.release()
            gate.free.release()
            assert [(await each).status for each in (taken, stays)] == [200, 200]
            assert "gone" not in gate.asked

    run(main())


def test_more_slots_let_more_go_and_none_hold_all() -> None:
    """A table with another replica gives turns at once; one without any makes who waits wait for a start; a lease of slots counts."""

    async def main() -> None:
        gate, other = Gate(), Gate()
        async with gate.engine as engine, other.engine as second:
            one = upstream("m-1", engine.port, 1)
            async with house(shared(table(1, route("m", one)))) as place:
                tasks = [_ask(place, "a")]
                await until(lambda: len(engine.calls) == 1, "the slot is taken")
                tasks += await _queue(place, ("a", "standard"), ("b", "standard"), ("b", "standard"))
                await place.control.swap(shared(table(2, route("m", one, upstream("m-2", second.port, 1)))))
                await until(lambda: len(second.calls) == 1, "the new replica is asked")
                await place.control.swap(shared(table(3, route("m", waiting="soon"))))
                await place.holds(2)
                assert (await place.metrics())["alliage_gateway_queued"] == 0
                three = upstream("m-3", second.port, 4)
                await place.control.lease({service_scope("m"): Lease(parallel=3)})
                await place.control.swap(shared(table(4, route("m", three))))
                await until(lambda: len(second.calls) == 2, "as many as are leased, two are still in work elsewhere")
                assert (await place.metrics())["alliage_gateway_queued"] == 1
                for _ in range(4):
                    gate.free.release()
                    other.free.release()
                assert {answer.status for answer in await asyncio.gather(*tasks)} == {200}

    run(main())


def test_a_full_queue_turns_away_whoever_has_most_in_it() -> None:
    """The tenant with two in a queue for two loses its newest to another's first; another of its own is refused at once."""

    async def main() -> None:
        gate = Gate()
        limits = GatewayLimits(queued_max=2, drain_s=2.0)
        async with (
            gate.engine as engine,
            house(shared(table(1, route("m", upstream("m-1", engine.port, 1)))), limits) as place,
        ):
            taken = _ask(place, "a")
            await until(lambda: len(engine.calls) == 1, "the slot is taken")
            kept, lost = await _queue(place, ("a", "standard"), ("a", "standard"))
            refused = await place.ask(post(chat_body(), key="a-standard"))
            assert (refused.status, refused.code) == (429, "over_share")
            assert "tenant 'a'" in refused.json["error"]["message"]
            assert int(refused.headers["retry-after"]) >= 1
            mine = _ask(place, "b")
            assert ((await lost).status, (await lost).code) == (429, "over_share")
            for _ in range(3):
                gate.free.release()
            assert [(await each).status for each in (taken, kept, mine)] == [200, 200, 200]

    run(main())


def test_waiting_for_a_turn_ends() -> None:
    """After queued_s it is a 503 that says what was waited for; when the gateway stops, at once."""

    async def main() -> None:
        gate = Gate()
        async with gate.engine as engine:
            first = shared(table(1, route("m", upstream("m-1", engine.port, 1))))
            async with house(first, GatewayLimits(queued_s=0.2, drain_s=2.0)) as place:
                taken = _ask(place, "a")
                await until(lambda: len(engine.calls) == 1, "the slot is taken")
                late = await asyncio.wait_for(_ask(place, "a"), 5)
                assert (late.status, late.code) == (503, "saturated")
                assert "retry-after" in late.headers
                gate.free.release()
                assert (await taken).status == 200
            async with house(first) as place:
                taken = _ask(place, "a")
                await until(lambda: len(engine.calls) == 2, "the slot is taken")
                (waiting,) = await _queue(place, ("b", "standard"))
                place.stop.set()
                assert (await asyncio.wait_for(waiting, 5)).status == 503
                gate.free.release()
                assert (await taken).status == 200

    run(main())


def test_what_cannot_keep_the_objective_is_told_at_once() -> None:
    """A turn in about 13 s is too late for a first token in 1 s: 503, come again then. Batch waits all the same."""

    async def main() -> None:
        gate = Gate()
        async with gate.engine as engine:
            one = replace(upstream("m-1", engine.port, 1), tempo=_SLOW)
            promised = route("m", one, objective=Objective(ttft_s=1.0, tpot_s=None))
            async with house(shared(table(1, promised))) as place:
                taken = _ask(place, "a")
                await until(lambda: len(engine.calls) == 1, "the slot is taken")
                for priority in ("interactive", "standard"):
                    refused = await place.ask(post(chat_body(), key=f"b-{priority}"))
                    assert (refused.status, refused.code) == (503, "saturated")
                    assert 10 <= int(refused.headers["retry-after"]) <= 16
                    assert "too late for a first token within 1 s" in refused.json["error"]["message"]
                (waiting,) = await _queue(place, ("b", "batch"))
                gate.free.release()
                gate.free.release()
                assert [(await each).status for each in (taken, waiting)] == [200, 200]

    run(main())


def test_who_was_held_for_a_start_is_judged_by_what_runs_now() -> None:
    """Let in by its limits before there was an engine, it lines up by the new table: the second of two is too late, and told so."""

    async def main() -> None:
        gate, promised, limits = Gate(), Objective(ttft_s=1.0, tpot_s=None), Limits(context_tokens=100_000)
        starting = route("m", waiting="It starts.", objective=promised)
        async with gate.engine as engine, house(limited(table(1, starting), limits)) as place:
            asked = [asyncio.create_task(place.chat()) for _ in range(2)]
            await place.holds(2)
            one = replace(upstream("m-1", engine.port, 1), tempo=_SLOW)
            await place.control.swap(limited(table(2, route("m", one, objective=promised)), limits))
            (refused,), (sent,) = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            assert (refused.result().status, refused.result().code) == (503, "saturated")
            gate.free.release()
            assert (await sent).status == 200

    run(main())
