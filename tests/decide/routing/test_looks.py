"""Running streams tell when a replica became slow, and nothing else does: not its load, not prompts, not slow readers, not a late gateway."""

import random
from dataclasses import dataclass, field, replace

import pytest

from alliage.decide.routing.board import Board
from alliage.decide.routing.lane import Stay
from alliage.decide.routing.looks import AGREEING, FORGOTTEN_AFTER_S, LOOK_S
from alliage.decide.routing.prompt import Prompt
from alliage.decide.tempo import tempo_of
from alliage.fleet.routing import Upstream
from alliage.speed.batching import Ask, Batching
from tests.decide.routing.hall import SERVICE, a_pace, an_upstream, slower

NOTICED_S = 5.0
LOOK_EVERY_S = 0.5


@dataclass(slots=True)
class Scene:
    """One engine that streams at the real batching's pace, seen by a board that looks twice a second."""

    piece_tokens: int = 1
    engine: Batching = field(default_factory=lambda: Batching(a_pace()))
    board: Board = field(default_factory=Board)
    now_s: float = 0.0
    late: bool = False
    varied: bool = True
    """Answers differ in length, so that they do not end together."""
    open: dict[str, Stay] = field(default_factory=dict)
    ever: int = 0
    hangs: bool = False
    unread: set[str] = field(default_factory=set)
    lengths: dict[str, int] = field(default_factory=dict)
    upstream: Upstream = field(init=False)

    def __post_init__(self) -> None:
        self.upstream = an_upstream("r", tempo_of(a_pace(), context_tokens=1280), slots=64)

    @property
    def is_slow(self) -> bool:
        """As the board has it."""
        return self.board.paces()[self.upstream.replica].is_slow

    @property
    def believed(self) -> float:
        """How many times slower than its tempo."""
        return self.board.lane(self.upstream).learned.decoding

    def ask(self, prompt_tokens: int, output_tokens: int) -> str:
        """One more request."""
        key, self.ever = str(self.ever), self.ever + 1
        self.open[key] = self.board.begin(self.upstream, Prompt(prompt_tokens), service=SERVICE, now_s=self.now_s)
        self.engine.submit(Ask(id=key, prompt_tokens=prompt_tokens, output_tokens=output_tokens), self.now_s)
        self.lengths[key] = output_tokens
        return key

    def run(
        self, seconds: float, *, clients: int = 0, load: tuple[int, int] = (512, 200), rate_rps: float = 0.0
    ) -> None:
        """So many clients ask one after the other, and others come at a rate; the board looks."""
        until_s, next_look_s, seen = self.now_s + seconds, self.now_s + LOOK_EVERY_S, random.Random(self.ever)
        next_s = self.now_s + seen.expovariate(rate_rps) if rate_rps else float("inf")
        while self.now_s < until_s:
            while len(self.open) < clients:
                self.ask(load[0], round(load[1] * (seen.uniform(0.4, 1.6) if self.varied else 1.0)))
            due_s = self.engine.due_s
            step_s = due_s if due_s is not None and not self.hangs else float("inf")
            self.now_s = min(step_s, next_look_s, next_s, until_s)
            if self.now_s == step_s:
                self._step()
            elif self.now_s == next_s:
                self.ask(*load)
                next_s += seen.expovariate(rate_rps)
            elif self.now_s == next_look_s:
                self.board.look(self.now_s, is_late=self.late)
                next_look_s += LOOK_EVERY_S

    def until_slow(self, within_s: float, *, clients: int = 0) -> float:
        """Seconds until it is found to be slow; fails where it is not."""
        began_s = self.now_s
        while not self.is_slow:
            assert self.now_s - began_s < within_s, "not noticed"
            self.run(LOOK_EVERY_S, clients=clients)
        return self.now_s - began_s

    def _step(self) -> None:
        step = self.engine.finish_step()
        for key, stay in list(self.open.items()):
            if key in step.first:
                stay.first_token(self.now_s)
            told = self.lengths[key] if key in step.done else self.engine.produced(key)
            if key not in self.unread:
                stay.said = told // self.piece_tokens + (3 if key in step.done else 0)
            if key in step.done:
                stay.end(self.now_s, self.lengths[key])
                del self.open[key]


@pytest.mark.parametrize(("clients", "times"), [(1, 2.5), (1, 30.0), (8, 2.5), (8, 4.0), (48, 4.0), (48, 30.0)])
def test_one_that_becomes_slow_is_noticed_within_five_seconds(clients: int, times: float) -> None:
    """Alone or in a full batch; what is believed of it is not more than is true, and nearly that."""
    scene = Scene()
    scene.run(20.0, clients=clients)
    assert not scene.is_slow
    scene.engine.slow = times
    assert scene.until_slow(NOTICED_S, clients=clients) <= NOTICED_S
    scene.run(6.0, clients=clients)
    assert 0.6 * min(times, 16.0) <= scene.believed <= 1.1 * times


def test_one_that_is_well_again_is_believed_so() -> None:
    """As soon as looks agree on it."""
    scene = Scene()
    scene.run(20.0, clients=8)
    usual = scene.believed
    scene.engine.slow = 6.0
    scene.until_slow(NOTICED_S, clients=8)
    scene.run(4.0, clients=8)
    scene.engine.slow = 1.0
    scene.run(8.0, clients=8)
    assert not scene.is_slow
    assert scene.believed == pytest.approx(usual, rel=0.25)


def test_one_whose_streams_fall_silent_counts_as_slow() -> None:
    """No piece comes at all: requests go elsewhere long before its deadline; how long a step takes is not told."""
    scene = Scene()
    scene.run(20.0, clients=8)
    scene.hangs = True
    scene.until_slow(NOTICED_S)
    scene.run(AGREEING * LOOK_S + 1)
    assert scene.believed > 8
    assert scene.board.paces()[scene.upstream.replica].step_s == 0


@pytest.mark.parametrize(
    ("calm", "busy"),
    [
        ({"clients": 1}, {"clients": 60}),
        ({"clients": 1}, {"clients": 60, "load": (4000, 400)}),
        ({"clients": 4, "load": (100, 3000)}, {"clients": 60, "load": (100, 6000)}),
        ({"rate_rps": 1.0}, {"rate_rps": 12.0, "load": (3000, 200)}),
        ({"rate_rps": 1.0}, {"rate_rps": 3.0, "load": (12000, 50)}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("varied", [True, False])
def test_a_loaded_one_is_not_slow(calm: dict[str, float], busy: dict[str, float], varied: bool) -> None:  # noqa: FBT001
    """From nothing to all slots, long answers that fill the cache, prompts that take most of its time, all in step or not."""
    scene = Scene(varied=varied)
    scene.run(15.0, **calm)  # type: ignore[arg-type]
    for _ in range(60):
        scene.run(1.0, **busy)  # type: ignore[arg-type]
        assert not scene.is_slow


def test_little_is_no_evidence() -> None:
    """Before streams have ended, nobody knows how many tokens come in one event; a client that does not read is no engine."""
    scene = Scene()
    scene.ask(100, 100_000)
    scene.run(3.0)
    scene.engine.slow = 8.0
    scene.run(8.0)
    assert not scene.is_slow
    scene = Scene()
    scene.run(20.0, clients=4)
    key = scene.ask(100, 100_000)
    scene.run(15.0)
    scene.unread.add(key)
    scene.open[key].is_unread, scene.open[key].marked = True, -1
    scene.run(10.0)
    assert not scene.is_slow


def test_a_gateway_that_is_late_says_nothing() -> None:
    """It did not see what came."""
    scene = Scene()
    scene.run(20.0, clients=8)
    scene.engine.slow, scene.late = 5.0, True
    scene.run(10.0, clients=8)
    assert not scene.is_slow
    scene.late = False
    scene.until_slow(NOTICED_S, clients=8)


def test_tokens_that_come_several_in_one_event_are_counted() -> None:
    """An engine that tells eight tokens at a time is not eight times slower, and is noticed too."""
    scene = Scene(piece_tokens=8)
    scene.run(60.0, clients=8)
    assert not scene.is_slow
    assert scene.believed == pytest.approx(1.0, rel=0.3)
    scene.engine.slow = 4.0
    scene.until_slow(NOTICED_S, clients=8)


def test_who_gets_nothing_any_more_gets_another_chance() -> None:
    """Nobody is sent there, so nobody could see that it is well."""
    scene = Scene()
    scene.run(20.0, clients=8)
    scene.engine.slow = 8.0
    scene.until_slow(NOTICED_S, clients=8)
    for stay in scene.open.values():
        stay.leave(scene.now_s)
    for key in scene.open:
        scene.engine.abort(key)
    scene.open.clear()
    found = []
    for seconds in (FORGOTTEN_AFTER_S - 2, 6.0):
        scene.run(seconds)
        found.append(scene.is_slow)
    assert found == [True, False]
    assert scene.believed < 1.5


def test_when_control_tells_of_it_it_does_not_count_twice() -> None:
    """Its tempo is made slower by control: what the gateway found out before is in it."""
    scene = Scene()
    scene.run(20.0, clients=8)
    scene.engine.slow = 4.0
    scene.until_slow(NOTICED_S, clients=8)
    scene.run(3.0, clients=8)
    assert scene.upstream.tempo is not None
    scene.upstream = replace(scene.upstream, tempo=slower(scene.upstream.tempo, 4.0))
    scene.board.take([scene.upstream], [SERVICE])
    assert scene.believed == pytest.approx(1.0, rel=0.3)
    scene.run(20.0, clients=8)
    assert not scene.is_slow
