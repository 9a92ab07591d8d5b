"""What is learned of a replica's speed: found out soon, bounded, and not by hiccups."""

from hypothesis import given
from hypothesis import strategies as st

from alliage.decide.routing.habits import Habits
from alliage.decide.routing.learned import FASTER_MAX, SLOWER_MAX, Learned
from tests.decide.routing.hall import a_tempo


def decode(learned: Learned, times: float) -> None:
    """An answer of 200 tokens in a batch of ten that took so many times longer than it should."""
    should_s = 200 * (0.01 + 10 * 2e-4)
    learned.decoded(a_tempo(), 200, seen_s=times * should_s, batch=10.0, held=0.0, reading_s=0.0)


def test_a_replica_that_is_four_times_slower_is_found_out_within_thirty_answers() -> None:
    """To within a tenth; ten bring it three quarters of the way."""
    learned = Learned()
    for _ in range(10):
        decode(learned, 4.0)
    assert learned.decoding > 4.0**0.75
    for _ in range(20):
        decode(learned, 4.0)
    assert 3.6 < learned.decoding < 4.1


def test_one_hiccup_moves_little() -> None:
    """A first token that came a thousand times too late is not believed to be the rule."""
    learned = Learned()
    learned.read(1000.0, 1.0)
    assert learned.reading < 1.25


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=200))
def test_it_is_bounded(seen: list[tuple[float, float]]) -> None:
    """Whatever is seen."""
    learned = Learned()
    for seen_s, expected_s in seen:
        learned.read(seen_s, expected_s)
        learned.decoded(a_tempo(), 10, seen_s=seen_s + 1e-6, batch=1.0, held=1.0, reading_s=expected_s)
        assert 1 / FASTER_MAX <= learned.reading <= SLOWER_MAX
        assert 1 / FASTER_MAX <= learned.decoding <= SLOWER_MAX


@given(st.integers(1, 2000), st.integers(1, 8000), st.integers(1, 50))
def test_habits_follow_what_is_seen(output: int, read: int, bytes_per_token: int) -> None:
    """Means end near what all requests are like; bytes a token stay within reason."""
    habits = Habits()
    for _ in range(400):
        habits.answered(output, read)
        habits.asked(read)
        habits.counted(100 * bytes_per_token, 100)
    assert abs(habits.output_tokens - output) <= 0.15 * output + 1.5
    assert abs(habits.read_tokens - read) <= 0.15 * read + 1.5
    assert abs(habits.expected(read) - output) <= 0.15 * output + 1.5
    assert abs(habits.bytes_per_token - min(32, bytes_per_token)) <= 0.05 * bytes_per_token


def test_answers_are_expected_as_those_to_prompts_of_that_size_were() -> None:
    """Long prompts with short answers say so of their like alone; of a size that was never seen all answers count."""
    habits = Habits()
    for _ in range(50):
        habits.answered(40, 5000)
        habits.answered(400, 500)
    assert habits.expected(6000) < 70
    assert habits.expected(400) > 370
    assert abs(habits.expected(20) - 220) < 30
    assert habits.expected(10**9) == habits.expected(20)
