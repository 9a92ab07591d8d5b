"""choose: the replica that costs least, for the one who asks and for those who are there."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.decide.route import choose, foresee
from alliage.decide.routing.board import LOOKED_AT_MAX, Board
from alliage.fleet.services import UNASKED, Objective
from tests.conftest import examples
from tests.decide.routing.hall import SERVICE, Hall, Load, a_prompt, a_tempo, an_upstream, slower


def some_loads(count: int, seed: int) -> list[Load]:
    """Requests of a chat."""
    dice = random.Random(seed)
    return [(dice.randint(50, 1500), dice.randint(20, 300)) for _ in range(count)]


def open_loop(rate: float, count: int, seed: int) -> list[tuple[float, Load]]:
    """The same, arriving by chance, so many a second."""
    dice = random.Random(seed)
    at_s, arrivals = 0.0, []
    for load in some_loads(count, seed):
        at_s += dice.expovariate(rate)
        arrivals.append((at_s, load))
    return arrivals


def fill(board: Board, name: str, tempo_times: float, requests: int, *, tokens: int = 100) -> None:
    """Requests at a replica whose first token has come."""
    upstream = an_upstream(name, slower(a_tempo(), tempo_times))
    for _ in range(requests):
        board.begin(upstream, a_prompt(tokens), service=SERVICE, now_s=0.0).first_token(0.0)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.floats(0.2, 5))), min_size=1, max_size=12),
    st.sets(st.integers(0, 11)),
    st.sampled_from([Objective(ttft_s=1.0, tpot_s=0.05), UNASKED]),
)
def test_only_those_given_and_not_excluded_are_chosen(
    replicas: list[tuple[int, float | None]], out: set[int], objective: Objective
) -> None:
    """Whatever is known of them, and however busy; None only where all are excluded. So residency, obeyed by the route, is kept."""
    board = Board()
    given_ones = [
        an_upstream(f"r{index}", None if times is None else slower(a_tempo(), times))
        for index, (_, times) in enumerate(replicas)
    ]
    for (requests, _), upstream in zip(replicas, given_ones, strict=True):
        for _ in range(requests):
            board.begin(upstream, a_prompt(100, 1), service=SERVICE, now_s=0.0)
    board.begin(an_upstream("elsewhere", a_tempo()), a_prompt(100, 1, 2), service=SERVICE, now_s=0.0)
    excluded = frozenset(given_ones[index].replica for index in out if index < len(given_ones))
    chosen = choose(
        given_ones, a_prompt(100, 1, 2), board, service=SERVICE, now_s=1.0, objective=objective, excluded=excluded
    )
    allowed = [upstream for upstream in given_ones if upstream.replica not in excluded]
    assert (chosen in allowed) if allowed else (chosen is None)


@given(st.integers(LOOKED_AT_MAX - 1, 4 * LOOKED_AT_MAX), st.data())
def test_of_very_many_one_that_is_not_excluded_is_found(count: int, data: st.DataObject) -> None:
    """Also where all that would be looked at first are excluded, and where the one that holds the beginning is."""
    board = Board()
    upstreams = [an_upstream(f"r{index}", a_tempo()) for index in range(count)]
    for upstream in upstreams[: data.draw(st.integers(0, count))]:
        board.begin(upstream, a_prompt(100, 7), service=SERVICE, now_s=0.0)
    only = data.draw(st.integers(0, count - 1))
    excluded = frozenset(upstream.replica for index, upstream in enumerate(upstreams) if index != only)
    chosen = choose(upstreams, a_prompt(100, 7), board, service=SERVICE, now_s=0.0, excluded=excluded)
    assert chosen is upstreams[only]


def test_equals_share_evenly_even_one_at_a_time() -> None:
    """When nothing tells them apart they take turns, with speeds and without."""
    for tempo in (a_tempo(), None):
        board = Board()
        upstreams = [an_upstream(f"r{index}", tempo) for index in range(3)]
        counts = {upstream.replica: 0 for upstream in upstreams}
        for number in range(30):
            chosen = choose(upstreams, a_prompt(100), board, service=SERVICE, now_s=float(number))
            assert chosen is not None
            counts[chosen.replica] += 1
            board.begin(chosen, a_prompt(100), service=SERVICE, now_s=float(number)).end(number + 0.5, 10)
        assert set(counts.values()) == {10}


@settings(max_examples=examples(15))
@given(st.integers(2, 6), st.integers(0, 1000))
def test_equals_share_evenly_under_load(count: int, seed: int) -> None:
    """In a closed loop over real batching none has a third more or less than its share."""
    hall = Hall([1.0] * count)
    hall.run_closed(some_loads(60 * count, seed), clients=8 * count)
    assert all(40 <= each <= 80 for each in hall.counts()), hall.counts()


def test_twice_as_fast_has_about_twice_the_load() -> None:
    """When there are as many requests as both have slots. With fewer it has more: a small batch costs each of its requests more."""
    for seed in range(3):
        hall = Hall([1.0, 2.0])
        hall.run_closed(some_loads(1000, seed), clients=128)
        fast, slow = hall.counts()
        assert 1.7 <= fast / slow <= 3.1, hall.counts()


def test_a_speed_that_nobody_told_is_found_out() -> None:
    """The board believes that all are equal; one is three times slower. It ends with about a third of another's load."""
    hall = Hall([1.0, 1.0, 3.0], told=[1.0, 1.0, 1.0])
    hall.run_closed(some_loads(900, 5), clients=60)
    hall.served = hall.served[300:]
    first, second, slow = hall.counts()
    assert slow < 0.55 * min(first, second), hall.counts()
    learned = hall.board.lane(hall.upstreams[2]).learned
    assert 2.0 < learned.decoding < 4.0
    assert 0.6 < hall.board.lane(hall.upstreams[0]).learned.decoding < 1.5


def test_a_prefix_wins_unless_its_queue_is_longer_than_what_it_saves() -> None:
    """1600 of 2000 tokens are held: 0.16 s of reading, and as much for each that is there. Worth a queue of 0.1 s, not of 0.4 s."""
    for queue_tokens, wins in ((0, True), (1000, True), (4000, False)):
        board = Board()
        holder, other = an_upstream("holder", a_tempo()), an_upstream("other", a_tempo())
        blocks = tuple(range(100))
        board.begin(holder, a_prompt(1600, *blocks), service=SERVICE, now_s=0.0).end(0.1, 0)
        board.begin(holder, a_prompt(1 + queue_tokens), service=SERVICE, now_s=1.0)
        board.begin(other, a_prompt(1), service=SERVICE, now_s=1.0)
        chosen = choose((other, holder), a_prompt(2000, *blocks), board, service=SERVICE, now_s=1.0)
        assert (chosen is holder) == wins, queue_tokens


def test_those_who_still_keep_their_objective_are_left_in_peace() -> None:
    """A long prompt goes to the batch that misses its objective anyway, though the one that is near its limit is faster."""
    tempo = a_tempo(step_s=0.02, prompt_token_s=2e-5)
    near, lost = an_upstream("near", tempo), an_upstream("lost", tempo)
    board = Board()
    for upstream, requests in ((near, 30), (lost, 60)):
        for _ in range(requests):
            board.begin(upstream, a_prompt(100), service=SERVICE, now_s=0.0).first_token(0.0)
    prompt = a_prompt(10_000)
    assert choose((near, lost), prompt, board, service=SERVICE, now_s=0.0) is near
    limit = Objective(ttft_s=None, tpot_s=0.027)
    assert choose((near, lost), prompt, board, service=SERVICE, now_s=0.0, objective=limit) is lost
    ample = Objective(ttft_s=None, tpot_s=0.04)
    assert choose((near, lost), prompt, board, service=SERVICE, now_s=0.0, objective=ample) is near


def test_an_objective_is_kept_more_often_than_by_counting_requests() -> None:
    """Unlike replicas under the load of a fleet: the very requests that least-requests spoils are kept."""
    objective = Objective(ttft_s=1.5, tpot_s=0.06)
    kept = []
    for told in ([1.0, 1.0, 2.0, 3.0], None):
        hall = Hall([1.0, 1.0, 2.0, 3.0], told=told, objective=objective)
        if told is None:
            hall.upstreams = tuple(replace(upstream, tempo=None) for upstream in hall.upstreams)
        hall.run(open_loop(14.0, 900, 11))
        kept.append(hall.kept(1.5, 0.06))
    ours, least = kept
    assert ours > least + 0.1, kept


def test_a_replica_that_says_nothing_is_believed_less_and_less() -> None:
    """Its prompts were due long ago, so the next one goes elsewhere, although the other has more to read."""
    board = Board()
    hung, busy = an_upstream("hung", a_tempo()), an_upstream("busy", a_tempo())
    board.begin(hung, a_prompt(1000), service=SERVICE, now_s=0.0)
    for at_s in (9.5, 9.9):
        board.begin(busy, a_prompt(8000), service=SERVICE, now_s=at_s)
    assert choose((hung, busy), a_prompt(100), board, service=SERVICE, now_s=10.0) is busy


def test_where_no_speed_is_known_the_requests_are_counted() -> None:
    """A slot each, as there is nothing else to go by; nothing can be foreseen."""
    board = Board()
    small, large = an_upstream("small", slots=4), an_upstream("large", slots=8)
    for upstream in (small, large):
        for _ in range(2):
            board.begin(upstream, a_prompt(10), service=SERVICE, now_s=0.0)
    assert choose((small, large), a_prompt(10), board, service=SERVICE, now_s=0.0) is large
    assert foresee(large, a_prompt(10), board, service=SERVICE, now_s=0.0) is None


def test_one_unknown_speed_among_known_ones_is_learned() -> None:
    """It is taken for the slowest at first; that it is the fastest is found out, and then it has the greatest share."""
    hall = Hall([1.0, 2.0, 0.7], told=[1.0, 2.0, 1.0])
    hall.upstreams = (*hall.upstreams[:2], replace(hall.upstreams[2], tempo=None))
    hall.run_closed(some_loads(900, 3), clients=60)
    hall.served = hall.served[400:]
    first, _, unknown = hall.counts()
    assert unknown > first, hall.counts()


def test_a_prompt_that_does_not_fit_goes_where_it_does() -> None:
    """However busy that is."""
    board = Board()
    small, large = an_upstream("small", a_tempo(kv_tokens=4000)), an_upstream("large", slower(a_tempo(), 4.0))
    fill(board, "large", 4.0, 30)
    assert choose((small, large), a_prompt(5000), board, service=SERVICE, now_s=0.0) is large
    assert choose((small, large), a_prompt(3000), board, service=SERVICE, now_s=0.0) is small


@settings(max_examples=examples(40))
@given(st.integers(1, 40), st.integers(1, 3000), st.integers(0, 100))
def test_what_is_foreseen_is_about_what_comes(clients: int, tokens: int, seed: int) -> None:
    """The first token of one more request at a replica in a steady state, against the real batching: within a factor of two."""
    hall = Hall([1.0])
    hall.run_closed(some_loads(4 * clients, seed), clients)
    board, (upstream,) = hall.board, hall.upstreams
    seen = foresee(upstream, a_prompt(tokens), board, service=SERVICE, now_s=hall.now_s)
    before = len(hall.served)
    hall.run([(hall.now_s, (tokens, 50))])
    (last,) = hall.served[before:]
    assert seen is not None
    assert seen.ttft_s / 2 - 0.02 <= last.ttft_s <= 2 * seen.ttft_s + 0.02


def test_with_a_slot_only_the_prompts_before_it_are_waited_for() -> None:
    """At a replica whose slots are taken the wait for one is left out; with a free one both say the same."""
    board = Board()
    upstream = an_upstream("r", a_tempo(), slots=2)
    for requests in range(4):
        now, later = (
            foresee(upstream, a_prompt(100), board, service=SERVICE, now_s=0.0, has_slot=has_slot)
            for has_slot in (False, True)
        )
        assert now is not None
        assert later is not None
        assert (later.ttft_s < now.ttft_s) == (requests >= 2)
        board.begin(upstream, a_prompt(100), service=SERVICE, now_s=0.0).first_token(0.0)
