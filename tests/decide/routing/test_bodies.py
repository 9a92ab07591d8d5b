"""Bodies that are not parsed: the next turn begins as the last one did, no tenant has another's names, work is bounded."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alliage.decide.routing.bodies import CUTS, SAMPLE_BYTES, read_body
from alliage.decide.routing.habits import Habits
from alliage.decide.routing.prefixes import Prefixes
from alliage.units import KIB, MIB


def a_body(*texts: str, **more: Any) -> bytes:
    """A chat of these turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[index % 2], "content": text} for index, text in enumerate(texts)]
    return json.dumps({"model": "m", **more, "messages": messages}).encode()


@given(st.text(min_size=1100, max_size=3000), st.text(max_size=2000), st.text(max_size=300))
def test_the_next_turn_begins_as_the_last_one_did(first: str, answer: str, second: str) -> None:
    """Its blocks are the first ones of the next, but for the last, in which its messages may end; whatever comes before them."""
    turn = read_body(a_body(first), 1, Habits())[0]
    later = read_body(a_body(first, answer, second, temperature=0.5, max_tokens=77), 1, Habits())[0]
    whole = len(turn.blocks) - 1
    assert whole >= 1
    assert list(later.blocks[:whole]) == list(turn.blocks[:whole])
    held = Prefixes(4096, None)
    held.remember(turn)
    assert held.held(later) > 0
    assert held.held(later) < later.tokens


def test_another_beginning_has_other_names() -> None:
    """One letter in the first block changes it and all that follow."""
    one = read_body(a_body("a" * 5000), 1, Habits())[0]
    two = read_body(a_body("b" + "a" * 4999), 1, Habits())[0]
    assert not set(one.blocks) & set(two.blocks)


@given(st.binary(max_size=40 * KIB), st.integers(1, 1000), st.integers(1, 1000))
def test_no_tenant_has_a_name_of_another(body: bytes, one: int, two: int) -> None:
    """So no prompt of a tenant can change, or be told from, where another's is sent."""
    own = read_body(body, one, Habits())[0].blocks
    other = read_body(body, two, Habits())[0].blocks
    assert (own == other) if one == two else not set(own) & set(other)


@given(st.integers(0, 40), st.integers(0, 4096))
def test_work_is_bounded(mebibytes: int, more: int) -> None:
    """However large a body: so many blocks at most, of which so many bytes are looked at; ends grow and stay in the prompt."""
    body = b'{"messages":"' + b"x" * (mebibytes * MIB // 8 + more) + b'"}'
    prompt = read_body(body, 1, Habits())[0]
    assert len(prompt.blocks) <= len(CUTS)
    assert len(CUTS) * SAMPLE_BYTES <= 64 * KIB
    assert list(prompt.ends) == sorted(prompt.ends)
    assert not prompt.blocks or prompt.ends[len(prompt.blocks) - 1] <= prompt.tokens


def test_tokens_are_counted_by_what_bytes_turned_out_to_be() -> None:
    """Four bytes a token until engines have told otherwise."""
    habits = Habits()
    body = a_body("word " * 800)
    prompt, text_bytes = read_body(body, 1, habits)
    assert abs(prompt.tokens - 1000) < 50
    for _ in range(500):
        habits.counted(text_bytes, text_bytes)
    assert abs(read_body(body, 1, habits)[0].tokens / text_bytes - 1) < 0.05


def test_pictures_do_not_count_as_text() -> None:
    """A megabyte of picture is no quarter of a million tokens, and nothing is learned from it."""
    url = "data:image/png;base64," + "iVBO" * (MIB // 4)
    prompt, _ = read_body(a_body("what is this?", picture={"url": url}), 1, Habits())
    inside, text_bytes = read_body(a_body(url), 1, Habits())
    assert prompt.tokens < 100
    assert inside.tokens <= 4096
    assert text_bytes == 0
    assert inside.ends[len(inside.blocks) - 1] <= inside.tokens
