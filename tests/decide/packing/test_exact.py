"""Whatever is grouped, kept or cut short, the choice is that of scoring every host from scratch."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliage.decide.packing.packing import Packing
from alliage.decide.packing.plain import PlainPacking
from alliage.decide.packing.shapes import Host, Placed, Shape, Typical
from alliage.decide.packing.weights import Weights
from tests.conftest import examples
from tests.decide.packing.builders import hosts, mixes, shapes

WEIGHTS = Weights(streams=4, stream_shapes=12, stay=0.5)


def replay(
    packing: Packing, plain: PlainPacking, asked: Sequence[int], leaving: Sequence[int], count: int
) -> list[Placed | None]:
    """Places and removes; each answer is held against the least of all costs, ties included."""
    held: list[Placed] = []
    answers: list[Placed | None] = []
    for shape, leaves in zip(asked, leaving, strict=False):
        choices = plain.choices(shape % count)
        placed = packing.place(shape % count)
        answers.append(placed)
        if placed is None:
            assert not choices
        else:
            best = min(choices, key=lambda choice: (choice.cost, choice.tie))
            mine = [
                choice
                for choice in choices
                if choice.host == placed.host
                and all(plain.rooms[placed.host].idle[device] == choice.device_idle for device in placed.devices)
            ]
            assert [(choice.cost, choice.tie) for choice in mine] == [(best.cost, best.tie)]
            plain.take(placed)
            held.append(placed)
        if held and leaves % 3 == 0:
            gone = held.pop(leaves % len(held))
            packing.remove(gone)
            plain.take(gone, -1)
    return answers


CASES = {
    "fleet": st.lists(hosts(), min_size=1, max_size=6),
    "wanted": st.lists(shapes(), min_size=1, max_size=5),
    "typical": mixes(),
    "asked": st.lists(st.integers(0, 100), min_size=1, max_size=25),
    "leaving": st.lists(st.integers(0, 100), min_size=25, max_size=25),
}
SMALL = {
    **CASES,
    "fleet": st.lists(hosts(), min_size=1, max_size=3),
    "wanted": st.lists(shapes(), min_size=1, max_size=3),
    "asked": st.lists(st.integers(0, 100), min_size=1, max_size=6),
}
"""For kernels that are not compiled, which are a thousand times slower, and more where every branch is watched."""


@settings(max_examples=examples(50))
@given(**CASES)
def test_choices_are_those_of_scoring_every_host(
    fleet: list[Host], wanted: list[Shape], typical: tuple[Typical, ...], asked: list[int], leaving: list[int]
) -> None:
    """Compiled: cost and tie-break of every choice are the least there is, through arrivals and departures."""
    packing = Packing(fleet, wanted, typical, weights=WEIGHTS, compiled=True, learns=False)
    replay(packing, PlainPacking(fleet, wanted, typical, WEIGHTS), asked, leaving, len(wanted))


@settings(max_examples=examples(3))
@given(**SMALL)
def test_uncompiled_kernels_answer_the_same(
    fleet: list[Host], wanted: list[Shape], typical: tuple[Typical, ...], asked: list[int], leaving: list[int]
) -> None:
    """The same code as plain Python over the same arrays: the very same hosts and devices."""
    answers = [
        replay(
            Packing(fleet, wanted, typical, weights=WEIGHTS, compiled=compiled, learns=False),
            PlainPacking(fleet, wanted, typical, WEIGHTS),
            asked,
            leaving,
            len(wanted),
        )
        for compiled in (True, False)
    ]
    assert answers[0] == answers[1]


@settings(max_examples=examples(10))
@given(**CASES)
def test_scores_are_the_costs_of_the_best_two(
    fleet: list[Host], wanted: list[Shape], typical: tuple[Typical, ...], asked: list[int], leaving: list[int]
) -> None:
    """`score` names the host that `place` takes, its cost term by term, and never a runner-up that is cheaper."""
    del leaving
    packing = Packing(fleet, wanted, typical, weights=WEIGHTS, compiled=True, learns=False)
    plain = PlainPacking(fleet, wanted, typical, WEIGHTS)
    for shape in (one % len(wanted) for one in asked):
        verdict = packing.score(shape)
        placed = packing.place(shape)
        assert (verdict is None) == (placed is None)
        if verdict is not None and placed is not None:
            assert verdict.chosen.host == placed.host
            idle = plain.rooms[placed.host].idle[placed.devices[0]] if placed.devices else 0
            grains = plain.weights.streams * 1024 * 1000
            terms = plain.terms(shape, placed.host, idle)
            cost = verdict.chosen.cost
            assert (cost.fill, cost.kind, cost.slot, cost.opening) == pytest.approx([term / grains for term in terms])
            assert verdict.dearer_by is None or verdict.dearer_by >= 0
            plain.take(placed)
