"""Wrong keys: told to wait longer and longer, by address, in bounded memory; a right key is never held back."""

from hypothesis import given
from hypothesis import strategies as st

from alliage.gateway import problems
from alliage.gateway.guessing import ADDRESSES_MAX, FORGET_S, FREE, WAIT_S_MAX, Guessing, group
from tests.gateway.house import chat_body, get, house, post, route, run, table, upstream
from tests.gateway.upstream import Engine

_NO = problems.wrong_key()


def _waits(guessing: Guessing, address: str, now_s: float) -> int:
    """Seconds that it is told to wait; 0 for a plain 401."""
    answer = guessing.answer(address, now_s, _NO)
    if answer is _NO:
        return 0
    assert (answer.status, answer.code) == (429, "too_many_wrong_keys")
    return int(answer.headers.removeprefix(b"Retry-After: "))


def test_the_wait_doubles_up_to_its_most() -> None:
    """Ten are free; who obeys each wait and comes again waits twice as long, and five minutes in the end."""
    guessing, now_s, waits = Guessing(), 1000.0, []
    for _ in range(FREE + 12):
        waits.append(_waits(guessing, "192.0.2.1", now_s))
        now_s += waits[-1]
    assert waits == [0] * FREE + [1, 2, 4, 8, 16, 32, 64, 128, 256, *[WAIT_S_MAX] * 3]


def test_keys_within_the_wait_do_not_make_it_longer() -> None:
    """A client that is set wrong and never stops is told the rest of the same wait, each time."""
    guessing = Guessing()
    for _ in range(FREE):
        _waits(guessing, "192.0.2.1", 5.0)
    for _ in range(4):
        _waits(guessing, "192.0.2.1", 5.0)
    assert [_waits(guessing, "192.0.2.1", 5.0 + 0.1 * step) for step in range(4)] == [1, 1, 1, 1]
    assert _waits(guessing, "192.0.2.1", 6.0) == 2


def test_others_and_the_patient_are_not_meant() -> None:
    """Another address has its own ten; one that was quiet for long enough begins anew; a clock that stands still is no trouble."""
    guessing = Guessing()
    for _ in range(FREE + 5):
        _waits(guessing, "192.0.2.1", 0.0)
    assert _waits(guessing, "192.0.2.2", 0.0) == 0
    assert _waits(guessing, "192.0.2.1", 2.0) == 2
    assert _waits(guessing, "192.0.2.1", 2.1 + FORGET_S) == 0


@given(st.lists(st.tuples(st.integers(0, 2 * ADDRESSES_MAX), st.floats(0, 1e6)), max_size=50))
def test_memory_is_bounded(more: list[tuple[int, float]]) -> None:
    """However many addresses there are, so many are known; the one that guessed last is among them."""
    guessing = Guessing()
    for _ in range(FREE):
        _waits(guessing, "203.0.113.9", 0.0)
    for number in range(ADDRESSES_MAX - 1):
        _waits(guessing, f"10.0.{number >> 8}.{number & 255}", 0.0)
    assert _waits(guessing, "203.0.113.9", 0.0) == 1
    _waits(guessing, "198.51.100.1", 0.0)
    assert len(guessing) == ADDRESSES_MAX
    assert _waits(guessing, "203.0.113.9", 0.0) == 1
    for number, now_s in more:
        _waits(guessing, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", now_s)
        assert len(guessing) <= ADDRESSES_MAX


def test_addresses_of_one_house_count_together() -> None:
    """IPv6 by its first 64 bits, however it is written; IPv4 in IPv6's clothes as IPv4."""
    assert group("192.0.2.1") == group("::ffff:192.0.2.1") == "192.0.2.1"
    assert (
        group("2001:db8:1:2:3:4:5:6") == group("2001:db8:1:2::9") == group("2001:db8:1:2:ffff::%eth0") == "2001:db8:1:2"
    )
    assert group("2001:db8::1") == "2001:db8:0:0"
    assert group("::1") == "0:0:0:0"
    assert group("fe80::1%2") == "fe80:0:0:0"


def test_a_right_key_comes_in_behind_a_guesser() -> None:
    """One address guesses until it is told to wait: keys that are right are answered from it all the while, wrong ones are not."""

    async def main() -> None:
        async with Engine() as engine, house(table(1, route("m", upstream("m-1", engine.port)))) as place:
            wire = await place.dial()
            told = []
            for number in range(FREE + 3):
                await wire.send(post(chat_body(), key=f"guess-{number}"))
                answer = await wire.answer()
                told.append((answer.status, answer.headers.get("retry-after")))
            assert told == [(401, None)] * FREE + [(429, "1")] * 3
            assert answer.code == "too_many_wrong_keys"
            assert (await place.chat()).status == 200
            assert (await place.ask(get("/v1/models", key="guess"))).status == 429
            assert (await place.ask(get("/v1/models", key=None))).code == "missing_api_key"
            assert (await place.ask(get("/v1/models"))).status == 200

    run(main())
