"""Requests that come together go step by step beside each other: each is answered as if it were alone."""

import asyncio
from collections import Counter
from collections.abc import Callable

from alliage.fleet.limits import Lease, Limits
from alliage.gateway.cohort import Cohort, Member
from alliage.gateway.decoded import Ask
from alliage.gateway.door import Door
from alliage.gateway.footing import Footing
from alliage.gateway.limits import GatewayLimits
from alliage.gateway.naming import named
from alliage.gateway.problems import Problem
from alliage.gateway.recorder import Recorder
from alliage.gateway.request import Request
from alliage.gateway.timing import Timing
from alliage.gateway.tracing import Trace
from tests.gateway.house import KEY, Answer, House, Wire, chat_body, get, house, post, route, run, table, upstream
from tests.gateway.test_admission import HOUSE, limited
from tests.gateway.upstream import DONE, Call, Engine, chat, event, stream_of, usage_event

_ENOUGH = 120
"""More than come before one waits for others."""


class _Walker(Member):
    """Goes so many steps, and tells each; without any it raises."""

    def __init__(self, name: str, steps: int, told: list[str], within: Callable[[Member], None] | None = None) -> None:
        super().__init__()
        self._name = name
        self._left = steps
        self._told = told
        self._within = within
        self.is_closed = False

    def step(self) -> bool:
        if not self._left:
            raise ValueError("a bug")
        self._told.append(f"{self._name}{self._left}")
        self._left -= 1
        if self._within is not None:
            self._within(self)
        return self._left > 0

    def broke(self) -> None:
        self.is_closed = True


class _Reader(Member):
    """Tells how each thing that it read begins."""

    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self._told = told

    def step(self) -> bool:
        came, self.came = self.came, b""
        if came:
            self._told.append(came[:1].decode())
        return False


class _Loop:
    """Calls back when it is told to."""

    def __init__(self) -> None:
        self._due: list[Callable[[], None]] = []

    def soon(self, call: Callable[[], None]) -> None:
        self._due.append(call)

    def turn(self) -> int:
        """How many calls there were."""
        due, self._due = self._due, []
        for call in due:
            call()
        return len(due)


def _crowded(loop: _Loop) -> Cohort:
    """One to which many came at a time."""
    cohort = Cohort(loop.soon)
    for _ in range(_ENOUGH):
        cohort.join(_Walker("", 1, []))
    assert loop.turn() == 1
    return cohort


def test_who_comes_alone_does_not_wait() -> None:
    """Its steps are done at once; now and then one waits, to see whether others come."""
    loop, told = _Loop(), list[str]()
    cohort = Cohort(loop.soon)
    at_once = 0
    for _ in range(202):
        before = len(told)
        cohort.join(_Walker("a", 2, told))
        at_once += len(told) > before
        loop.turn()
    assert told == ["a2", "a1"] * 202
    assert at_once == 200


def test_those_that_come_together_go_step_by_step() -> None:
    """Each step of all before the next of any; some are done earlier."""
    loop, told = _Loop(), list[str]()
    cohort = _crowded(loop)
    for name, steps in (("a", 3), ("b", 1), ("c", 2)):
        cohort.join(_Walker(name, steps, told))
    assert told == []
    assert loop.turn() == 1
    assert told == ["a3", "b1", "c2", "a2", "c1", "a1"]


def test_a_member_is_in_it_once() -> None:
    """Joining again while it is in, or within a step, changes nothing; afterwards it may come again."""
    loop, told = _Loop(), list[str]()
    cohort = _crowded(loop)
    one = _Walker("a", 2, told, cohort.join)
    for member in (one, one, _Walker("b", 1, told), _Walker("c", 1, told)):
        cohort.join(member)
    loop.turn()
    assert told == ["a2", "b1", "c1", "a1"]
    assert not one.is_member
    again = _Walker("d", 1, told)
    cohort.join(again)
    cohort.join(again)
    assert loop.turn() == 1
    assert told[-1] == "d1"
    assert told.count("d1") == 1


def test_a_bug_closes_its_own_connection_only() -> None:
    """Whether it was alone or beside others; those go on."""
    loop, told = _Loop(), list[str]()
    alone = _Walker("alone", 0, told)
    Cohort(loop.soon).join(alone)
    assert alone.is_closed
    cohort = _crowded(loop)
    bad, good = _Walker("bad", 0, told), _Walker("good", 2, told)
    for member in (bad, good, _Walker("c", 1, told)):
        cohort.join(member)
    loop.turn()
    assert bad.is_closed
    assert not bad.is_member
    assert told[-3:] == ["good2", "c1", "good1"]


def test_what_is_read_is_kept_for_a_moment_and_small() -> None:
    """A long read, or a second one, is worked on at once, after what waited; so is whoever comes when many wait."""
    loop, told = _Loop(), list[str]()
    cohort = _crowded(loop)
    long, twice = _Reader(told), _Reader(told)
    cohort.brought(long, b"l" * 20_000)
    cohort.brought(twice, b"1")
    assert told == ["l"]
    cohort.brought(twice, b"2")
    assert told == ["l", "1", "2"]
    many = [_Reader(told) for _ in range(300)]
    for one in many:
        cohort.brought(one, b"m")
    assert sum(not one.came for one in many) == 300 - 256 + 1  # `twice` waits too, for nothing
    assert loop.turn() == 1
    assert told == ["l", "1", "2", *"m" * 300]


def test_a_key_that_was_revoked_meanwhile_lets_nobody_in() -> None:
    """Judged as the request came, and again where its name is looked up under another table."""

    async def main() -> None:
        door = Door(asyncio.get_running_loop(), GatewayLimits())
        door.take_table(table(1, route("m", upstream("r", 1))))
        request = Request(
            b"POST", b"/v1/chat/completions", "1.1", {b"authorization": f"Bearer {KEY}".encode()}, True, 0
        )
        assert door.judge(request) is None
        assert isinstance(named(door, request, Ask(model="m")), Footing)
        door.take_table(table(2, route("m", upstream("r", 1)), keys=()))
        problem = named(door, request, Ask(model="m"))
        assert isinstance(problem, Problem)
        assert problem.status == 401

    run(main())


async def _together(place: House, asked: list[bytes]) -> list[Answer]:
    """All at the same moment, each on a connection of its own."""
    wires = [await place.dial() for _ in asked]
    for wire, raw in zip(wires, asked, strict=True):
        wire.writer.write(raw)  # nothing is read before all is written: one round brings all of it
    answers = [await wire.answer() for wire in wires]
    for wire in wires:
        wire.writer.close()
    return answers


def _plain(answer: Answer) -> tuple[object, ...]:
    """What is the same each time."""
    kept = {name: value for name, value in answer.headers.items() if "id" not in name and "ratelimit" not in name}
    return answer.status, kept, answer.body.replace(answer.headers.get("x-request-id", "-").encode(), b"ID")


def test_each_is_answered_as_if_it_were_alone() -> None:
    """Good ones, bad ones and streams, all at once, in an order of each kind beside the others."""

    async def main() -> None:
        stream = (event("a"), event("b"), usage_event(), DONE)

        async def behave(call: Call) -> None:
            await (stream_of(stream)(call) if call.json.get("stream") else chat(call))

        async with Engine(behave) as engine, house(table(1, route("m", upstream("r", engine.port, 256)))) as place:
            kinds = [
                post(chat_body()),
                post(b'{"model": "m", "messages": '),
                post(chat_body("nobody")),
                post(chat_body(stream=True)),
                post(chat_body(), key=None),
                get("/v1/models"),
                post(b"{}"),
                post(chat_body(), path="/v1/nothing"),
                post(chat_body(user="long " * 5000)),
            ]
            alone = [_plain(await place.ask(raw)) for raw in kinds]
            assert [one[0] for one in alone] == [200, 400, 404, 200, 401, 200, 400, 404, 200]
            for _ in range(3):
                answers = await _together(place, kinds * 16)
                assert [_plain(answer) for answer in answers] == alone * 16
            await place.at_rest()

    run(main())


def test_a_burst_does_not_pass_the_slots_or_a_limit() -> None:
    """What depends on the others is decided one after the other, even where all come in one round of the loop."""
    most = 0

    async def main() -> None:
        busy = 0

        async def behave(call: Call) -> None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.01)
            busy -= 1
            await chat(call)

        async with Engine(behave) as engine:
            here = table(1, route("m", upstream("r", engine.port, 2)))
            async with house(here) as place:
                await _together(place, [get("/v1/models")] * _ENOUGH)
                answers = await _together(place, [post(chat_body())] * _ENOUGH)
                assert Counter(answer.status for answer in answers) == {200: _ENOUGH}
                assert most == 2
            async with house(limited(here, Limits(parallel=3))) as place:
                await place.control.lease({HOUSE: Lease(parallel=3)})
                await _together(place, [get("/v1/models")] * _ENOUGH)
                answers = await _together(place, [post(chat_body())] * _ENOUGH)
                assert Counter(answer.status for answer in answers) == {200: 3, 429: _ENOUGH - 3}

    run(main())


class _Faulty(Recorder):
    """Has a bug that some requests meet, in the middle of their steps."""

    def trace(self, request: Request) -> Trace | None:
        if b"unlucky" in request.body:
            raise ValueError("a bug")
        return super().trace(request)


def test_a_bug_in_one_request_spares_the_others() -> None:
    """Its connection is closed; everybody else has an answer, and nothing of it is left."""

    async def main() -> None:
        async with (
            Engine() as engine,
            house(table(1, route("m", upstream("r", engine.port, 256))), recorder=_Faulty([])) as place,
        ):
            await _together(place, [get("/v1/models")] * _ENOUGH)
            wires = [await place.dial() for _ in range(_ENOUGH)]
            for number, wire in enumerate(wires):
                wire.writer.write(post(chat_body(user="unlucky" if number == 5 else "lucky")))
            assert await wires[5].closed()
            for wire in (*wires[:5], *wires[6:]):
                assert (await wire.answer()).status == 200
            await place.at_rest()

    run(main())


class _Forgetful(Recorder):
    """Has a bug that each end of a request meets while it is armed."""

    is_armed = False

    def add(self, request: Request, timing: Timing, transport: asyncio.Transport, status: int) -> None:
        if self.is_armed:
            self.is_armed = False
            raise ValueError("a bug")
        super().add(request, timing, transport, status)


def test_a_bug_at_an_answers_end_closes_the_client_too() -> None:
    """Nobody knows how far it came, so the connection is not used again; others are."""

    async def main() -> None:
        recorder = _Forgetful([])
        async with (
            Engine() as engine,
            house(table(1, route("m", upstream("r", engine.port, 256))), recorder=recorder) as place,
        ):
            wire, other = await place.dial(), await place.dial()
            recorder.is_armed = True
            await wire.send(post(chat_body()))
            assert await _rest(wire)
            await other.send(post(chat_body()))
            assert (await other.answer()).status == 200

    run(main())


async def _rest(wire: Wire) -> bool:
    """Whether it is closed, after whatever is said on it."""
    try:
        await asyncio.wait_for(wire.reader.read(), 10)
    except ConnectionResetError:
        return True
    return wire.reader.at_eof()


def test_requests_on_one_connection_are_answered_in_order() -> None:
    """However they are cut, with others' in the same rounds."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("r", engine.port, 256)))) as place:
            three = post(chat_body()) + post(b"{}") + post(chat_body())
            for places in ((), (40,), (300, 700), (1, 2, 3)):
                wires = [await place.dial() for _ in range(_ENOUGH)]
                for start, end in zip((0, *places), (*places, len(three)), strict=True):
                    for wire in wires:
                        wire.writer.write(three[start:end])
                    await asyncio.sleep(0.01)
                for wire in wires:
                    assert [(await wire.answer()).status for _ in range(3)] == [200, 400, 200]
                    wire.writer.close()
            await place.at_rest()

    run(main())
