"""Prompts for a probe: distinct from their first word on, so that no engine answers from what it read before. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

_WORDS: Final = [
    "time",
    "year",
    "people",
    "way",
    "day",
    "man",
    "thing",
    "woman",
    "life",
    "child",
    "world",
    "school",
    "state",
    "family",
    "student",
    "group",
    "country",
    "problem",
    "hand",
    "part",
    "place",
    "case",
    "week",
    "company",
    "system",
    "program",
    "question",
    "work",
    "number",
    "night",
    "point",
    "home",
    "water",
    "room",
    "mother",
    "area",
    "money",
    "story",
    "fact",
    "month",
    "lot",
    "right",
    "study",
    "book",
    "eye",
    "job",
    "word",
    "business",
    "issue",
    "side",
    "kind",
    "head",
    "house",
    "service",
    "friend",
    "father",
    "power",
    "hour",
    "game",
    "line",
    "end",
    "member",
    "law",
    "car",
    "city",
    "name",
    "team",
    "minute",
    "idea",
    "body",
    "back",
    "parent",
    "face",
    "level",
    "office",
    "door",
    "health",
    "person",
    "art",
    "war",
    "history",
    "party",
    "result",
    "change",
    "morning",
    "reason",
    "research",
    "girl",
    "guy",
    "moment",
    "air",
    "teacher",
    "force",
]


def prompts(seed: int) -> Iterator[Random]:
    """A source of words for each prompt, one after the other; the same seed gives the same ones."""
    source = Random(seed)  # noqa: S311 - nothing secret
    while True:
        yield Random(source.getrandbits(64))  # noqa: S311


def prompt(words: int, source: Random) -> str:
    """So many words, the first one a number that hardly another prompt begins with."""
    first = str(source.randrange(10**6, 10**7))
    return " ".join([first, *(source.choice(_WORDS) for _ in range(max(0, words - 1)))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """What a prompt of so many words came to in the engine's own tokens, its chat template included."""

    words: int
    tokens: int


def words_for(input_tokens: int, small: Sized, large: Sized) -> int:
    """How many words come nearest to `input_tokens`: tokens grow with words as they did from one sample to the other."""
    each = (large.tokens - small.tokens) / (large.words - small.words)
    if each <= 0:
        return max(1, input_tokens)
    return max(1, round(small.words + (input_tokens - small.tokens) / each))
