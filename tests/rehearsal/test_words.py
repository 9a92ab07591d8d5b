"""What rehearsed engines say: the same for the same prompt, gone on from anywhere to the letter, cut at stop strings."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.rehearsal.words import blocks_of, cut_at_stop, pieces, said_tokens, seed_of, tokens_of


def say(seed: int, count: int, before: str = "") -> str:
    """So many tokens in one text."""
    return "".join(islice(pieces(seed, before), count))


@given(st.text(), st.integers(1, 30), st.data())
def test_an_answer_is_gone_on_from_anywhere_to_the_letter(prompt: str, count: int, data: st.DataObject) -> None:
    """Wherever it was cut, in the middle of a token too, what follows is what would have followed."""
    seed = seed_of(prompt)
    whole = say(seed, count)
    cut = data.draw(st.integers(0, len(whole)))
    assert (whole[:cut] + say(seed, count + 1, whole[:cut])).startswith(whole)


def test_each_token_carries_its_number_and_prompts_differ() -> None:
    """So a lost, doubled or moved piece is seen."""
    tokens = list(islice(pieces(seed_of("a")), 200))
    assert [int(token.split(":")[0]) for token in tokens] == list(range(200))
    assert say(seed_of("a"), 20) == say(seed_of("a"), 20) != say(seed_of("b"), 20)


def test_another_text_before_is_no_beginning_of_ours() -> None:
    """What somebody else said is answered from the start."""
    assert say(seed_of("a"), 3, "Once upon a time ") == say(seed_of("a"), 3)


@given(st.integers(0, 1 << 32 - 1), st.integers(1, 20), st.data())
def test_nothing_of_a_stop_string_or_after_it_is_said(seed: int, count: int, data: st.DataObject) -> None:
    """A stop string anywhere in the text, over the seam of tokens too, ends it just before."""
    answer = list(islice(pieces(seed), count))
    text = "".join(answer)
    start = data.draw(st.integers(0, len(text) - 1))
    stop = text[start : data.draw(st.integers(start + 1, len(text)))]
    kept, stopped = cut_at_stop(answer, [stop])
    assert stopped
    assert "".join(kept) == text[: text.index(stop)]


@given(st.integers(0, 1 << 32 - 1), st.integers(2, 20), st.data())
def test_a_stop_string_may_have_begun_before(seed: int, count: int, data: st.DataObject) -> None:
    """A continuation stops where the whole answer would have."""
    text = say(seed, count)
    cut = data.draw(st.integers(1, len(text) - 1))
    stop = text[cut - 1 : cut + 1]
    kept, stopped = cut_at_stop([text[cut:]], [stop], before=text[:cut])
    assert stopped
    assert text[:cut] + "".join(kept) == text[: max(cut, text.index(stop, cut - 1))]


def test_without_a_stop_string_all_is_said() -> None:
    """Empty ones stop nothing."""
    assert cut_at_stop(["a ", "b "], ["", "c"]) == (["a ", "b "], False)


@pytest.mark.parametrize(("text", "count"), [("", 1), ("abcd", 1), ("abcde", 2), ("a" * 400, 100)])
def test_tokens_of_a_prompt(text: str, count: int) -> None:
    """Four letters each, rounded up, at least one."""
    assert tokens_of(text) == count


def test_what_was_said_counts_by_its_own_tokens() -> None:
    """Not by letters, so that an answer may be gone on from as long as it may be."""
    assert [said_tokens(text) for text in ("", "0:reef ", "0:reef 1:o", say(1, 50))] == [0, 1, 2, 50]


def test_blocks_are_equal_as_far_as_texts_are() -> None:
    """Each names all text up to its end; what does not fill a block has none."""
    one, other = blocks_of("x" * 200, 16), blocks_of("x" * 130 + "y" * 70, 16)
    assert len(one) == len(other) == 3
    assert one[:2] == other[:2]
    assert one[2] != other[2]
    assert blocks_of("x" * 63, 16) == ()
    assert blocks_of("x" * 64 + "\u00e9" * 64, 16)[:1] == blocks_of("x" * 64, 16)
