"""The board: its counts end at zero whatever happens in whatever order, and it never grows beyond its bounds."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alliage.decide.route import choose
from alliage.decide.routing.board import ALL_BLOCKS_MAX, HOLDERS_MAX, LOOKED_AT_MAX, TENANTS_MAX, Board
from alliage.decide.routing.lane import Lane, Stay
from tests.conftest import examples
from tests.decide.routing.hall import SERVICE, a_prompt, a_tempo, an_upstream, slower

_NAMES = ("a", "b", "c", "d")


class AnyOrder(RuleBasedStateMachine):
    """Requests that begin, go on, end, fail and are told of twice, while replicas leave the table, come back and change."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.now_s = 0.0
        self.open: list[tuple[Stay, str]] = []
        self.over: list[Stay] = []
        self.table = {name: an_upstream(name, a_tempo(), slots=2) for name in _NAMES}
        self.lanes: dict[int, Lane] = {}

    @rule(passed_s=st.floats(0, 5))
    def wait(self, passed_s: float) -> None:
        """Time passes."""
        self.now_s += passed_s

    @rule(tokens=st.integers(1, 3000), blocks=st.lists(st.integers(0, 20), max_size=8), streams=st.booleans())
    def begin(self, tokens: int, blocks: list[int], streams: bool) -> None:  # noqa: FBT001 - drawn
        """A request goes where it is best."""
        prompt = a_prompt(tokens, *blocks)
        chosen = choose(tuple(self.table.values()), prompt, self.board, service=SERVICE, now_s=self.now_s)
        if chosen is not None:
            stay = self.board.begin(chosen, prompt, service=SERVICE, now_s=self.now_s, streams=streams)
            self.open.append((stay, chosen.replica))
            lane = self.board.lane(chosen)
            self.lanes[id(lane)] = lane

    @rule(data=st.data(), tokens=st.integers(0, 500), how=st.sampled_from(["first", "end", "leave", "first and end"]))
    def go_on(self, data: st.DataObject, tokens: int, how: str) -> None:
        """Something happens to one in flight."""
        if not self.open:
            return
        index = data.draw(st.integers(0, len(self.open) - 1))
        stay = self.open[index][0]
        if "first" in how:
            stay.first_token(self.now_s)
        if "end" in how:
            stay.end(self.now_s, tokens)
        if "leave" in how:
            stay.leave(self.now_s)
        if how != "first":
            self.over.append(self.open.pop(index)[0])

    @rule(data=st.data(), how=st.sampled_from(["first", "end", "leave"]))
    def tell_again(self, data: st.DataObject, how: str) -> None:
        """Of one that is over: that changes nothing."""
        if self.over:
            stay = data.draw(st.sampled_from(self.over))
            before = self.board.in_flight()
            {"first": stay.first_token, "end": stay.end, "leave": stay.leave}[how](self.now_s)
            assert self.board.in_flight() == before

    @rule(names=st.sets(st.sampled_from(_NAMES)), port=st.integers(1, 2), known=st.booleans())
    def take_table(self, names: set[str], port: int, known: bool) -> None:  # noqa: FBT001 - drawn
        """Replicas leave and come back, elsewhere or with another speed."""
        tempo = slower(a_tempo(), port) if known else None
        self.table = {name: an_upstream(name, tempo, slots=2, port=port) for name in sorted(names)}
        self.board.take(self.table.values(), [SERVICE])

    @invariant()
    def what_is_counted_is_what_is_open(self) -> None:
        """Each lane counts its own, also one that left."""
        counts: dict[str, int] = {}
        for _, name in self.open:
            counts[name] = counts.get(name, 0) + 1
        assert self.board.in_flight() == counts

    def teardown(self) -> None:
        """When all have ended, by whatever way, nothing is left anywhere."""
        for stay, _ in self.open:
            stay.leave(self.now_s)
        for lane in self.lanes.values():
            assert (lane.batch, lane.held_tokens, lane.reading, lane.streams_awaited) == (0, 0, 0, 0)
            assert lane.unread_s == 0.0
            assert not lane.saying
            assert lane.output_tokens == 0.0
            assert lane.read_due_s <= self.now_s or not lane.reading
        self.board.take((), ())
        assert not self.board.lanes


AnyOrder.TestCase.settings = settings(max_examples=examples(100), stateful_step_count=40)
TestAnyOrder = AnyOrder.TestCase


def test_a_replica_that_left_with_work_still_has_it_when_it_comes_back() -> None:
    """Else it would look idle while it is not; and it is forgotten once it has none."""
    board = Board()
    upstream = an_upstream("a", a_tempo())
    stay = board.begin(upstream, a_prompt(100), service=SERVICE, now_s=0.0)
    board.take((), ())
    board.take((upstream,), (SERVICE,))
    assert board.in_flight() == {"a": 1}
    board.take((), ())
    stay.end(1.0)
    board.take((), ())
    assert not board.lanes


def test_an_engine_that_listens_elsewhere_holds_nothing() -> None:
    """A new engine of the same replica has an empty cache; what was learned of its speed stays."""
    board = Board()
    upstream = an_upstream("a", a_tempo())
    board.take((upstream,), (SERVICE,))
    prompt = a_prompt(100, 1, 2, 3)
    stay = board.begin(upstream, prompt, service=SERVICE, now_s=0.0)
    stay.first_token(5.0)
    stay.end(6.0, 10)
    lane = board.lane(upstream)
    assert lane.prefixes.held(prompt) == 48
    learned = lane.learned.reading
    assert learned > 1
    board.take((replace(upstream, tempo=slower(a_tempo(), 2.0)),), (SERVICE,))
    assert lane.prefixes.held(prompt) == 48
    board.take((replace(upstream, port=2),), (SERVICE,))
    assert lane.prefixes.held(prompt) == 0
    assert board.lane(upstream).learned.reading == learned


@given(st.lists(st.lists(st.integers(0, 400), max_size=60), max_size=60), st.integers(1, 60), st.integers(16, 2000))
def test_a_replica_holds_no_more_than_its_cache(prompts: list[list[int]], blocks_max: int, kv_tokens: int) -> None:
    """Neither in blocks nor in tokens, and the last prompt's beginning is the last to go."""
    lane = Lane(an_upstream("a", a_tempo(kv_tokens=kv_tokens)), blocks_max)
    for names in prompts:
        prompt = a_prompt(16 * len(names) + 1, *names)
        lane.prefixes.remember(prompt)
        assert len(lane.prefixes.blocks) <= blocks_max
        assert sum(lane.prefixes.blocks.values()) <= kv_tokens
        kept = min(blocks_max, kv_tokens // 16)
        distinct = len(set(names)) == len(names)
        if distinct:
            assert lane.prefixes.held(prompt) == min(kept, len(names)) * 16


def test_nothing_grows_without_bound() -> None:
    """Of very many prompts, replicas and tenants so much is kept as is stated."""
    board = Board()
    upstreams = [an_upstream(f"r{index}", a_tempo(kv_tokens=10**9)) for index in range(2 * LOOKED_AT_MAX)]
    board.take(upstreams, [SERVICE])
    for number in range(2 * HOLDERS_MAX // 1000 + 1):
        first = 1000 * number
        prompt = a_prompt(16 * 1000 + 1, *range(first, first + 1000))
        for upstream in upstreams[number % 3 :: 3]:
            board.begin(upstream, prompt, service=SERVICE, now_s=float(number)).end(number + 0.5)
    held = sum(len(lane.prefixes.blocks) for lane in board.lanes.values())
    assert 0 < held <= ALL_BLOCKS_MAX
    assert len(board._holders) <= HOLDERS_MAX
    for number in range(TENANTS_MAX + 10):
        board.tenant(str(number))
    assert len(board._tenants) <= TENANTS_MAX
    board.take((), ())
    assert not board.lanes
    assert not board._habits


def test_a_tenant_never_gets_the_number_of_another() -> None:
    """Not even after so many that the first ones were forgotten."""
    board = Board()
    first = board.tenant("house")
    assert board.tenant("house") == first
    seen = {board.tenant(str(number)) for number in range(TENANTS_MAX + 5)}
    assert first not in seen
    assert len(seen) == TENANTS_MAX + 5
    assert board.tenant("house") not in seen | {first}
