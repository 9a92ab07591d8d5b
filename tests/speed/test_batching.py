"""Continuous batching: what always holds, and that it keeps the time that the speed model predicts."""

from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliage.catalog.loader import load_catalog
from alliage.speed.batching import Ask, Batching, Step
from alliage.speed.figures import chip_figures, model_figures
from alliage.speed.pace import Pace, pace_of
from alliage.speed.predict import Running, Speed, predict

CATALOG = load_catalog()


def running(chip: str = "nvidia-h20", *, concurrency: int = 1, prompt: int = 1024, answer: int = 256) -> Running:
    """Qwen3-32B on vLLM, as many at once as the engine takes."""
    card = CATALOG.models["qwen3-32b"]
    return Running(
        chip=chip_figures(CATALOG.chips[chip]),
        model=model_figures(card.id, card.architecture),
        engine="vllm",
        precision="BF16",
        devices=2,
        concurrency=concurrency,
        input_tokens=prompt,
        output_tokens=answer,
    )


def pace(**wanted: int) -> Pace:
    """Of the same, with other sizes where `wanted`."""
    found = pace_of(running())
    assert isinstance(found, Pace)
    return replace(found, **wanted)  # type: ignore[arg-type] # all are ints


def ask(name: str, prompt: int = 100, answer: int = 10, blocks: tuple[int, ...] = ()) -> Ask:
    """A request."""
    return Ask(id=name, prompt_tokens=prompt, output_tokens=answer, blocks=blocks)


def all_steps(machine: Batching, most: int = 100_000) -> list[Step]:
    """Until there is nothing to do."""
    steps = []
    while machine.due_s is not None:
        steps.append(machine.finish_step())
        assert len(steps) < most
    return steps


REQUESTS = st.lists(
    st.tuples(st.integers(1, 120), st.integers(1, 40), st.lists(st.integers(0, 3), max_size=7), st.floats(0, 2)),
    min_size=1,
    max_size=25,
)


@given(REQUESTS, st.integers(160, 400), st.integers(1, 6), st.integers(8, 64))
def test_each_request_gets_its_tokens_once_and_the_cache_is_never_overfull(
    requests: list[tuple[int, int, list[int], float]], kv_tokens: int, slots: int, step_tokens: int
) -> None:
    """Whatever comes and whoever gives way: one first and one last token each, in time, and in the end nothing is held."""
    machine = Batching(pace(kv_tokens=kv_tokens, slots=slots, step_tokens=step_tokens))
    steps: list[Step] = []
    for number, (prompt, answer, blocks, at_s) in enumerate(sorted(requests, key=lambda each: each[3])):
        steps.extend(machine.advance(at_s))
        machine.submit(ask(str(number), prompt, answer, tuple(blocks)), at_s)
        assert 0 <= machine.kv_share <= 1
    while machine.due_s is not None:
        before = {str(n): machine.produced(str(n)) for n in range(len(requests))}
        steps.append(machine.finish_step())
        assert 0 <= machine.kv_share <= 1
        assert machine.running <= slots
        gone = set(steps[-1].done)
        after = {key: machine.produced(key) for key in before if key not in gone}
        assert all(before[key] <= count <= before[key] + 1 for key, count in after.items())
        assert steps[-1].decoded + steps[-1].read <= max(step_tokens, slots)
    everyone = {str(number): 1 for number in range(len(requests))}
    assert Counter(key for step in steps for key in step.first) == everyone
    assert Counter(key for step in steps for key in step.done) == everyone
    assert all(one.ended_s <= two.began_s for one, two in pairwise(steps))
    assert machine.kv_share == 0
    assert machine.running == machine.waiting == 0


@given(REQUESTS, st.data())
def test_whoever_is_aborted_is_gone_and_nobody_else(
    requests: list[tuple[int, int, list[int], float]], data: st.DataObject
) -> None:
    """At any moment, in any state; the others end, and nothing stays held."""
    machine = Batching(pace(kv_tokens=300, slots=4, step_tokens=32))
    for number, (prompt, answer, blocks, _) in enumerate(requests):
        machine.submit(ask(str(number), prompt, answer, tuple(blocks)), 0.0)
    done: set[str] = set()
    aborted: set[str] = set()
    while machine.due_s is not None:
        if data.draw(st.booleans()):
            key = str(data.draw(st.integers(0, len(requests) - 1)))
            machine.abort(key)
            aborted |= {key} - done
        if machine.due_s is not None:
            done |= set(machine.finish_step().done)
    assert done | aborted == {str(number) for number in range(len(requests))}
    assert not done & aborted
    assert machine.kv_share == 0


@pytest.mark.parametrize("chip", ["nvidia-h20", "nvidia-a100-pcie-80gb", "thead-ppu-810e"])
@pytest.mark.parametrize("concurrency", [1, 8, 24])
def test_a_closed_loop_runs_as_fast_as_predicted(chip: str, concurrency: int) -> None:
    """So many requests always in flight: throughput within 6 % of the speed model's closed formula, tokens within 20 % (whose prompts fall together differs)."""
    asked = running(chip, concurrency=concurrency, prompt=800, answer=200)
    speed, found = predict(asked), pace_of(asked)
    assert isinstance(speed, Speed)
    assert isinstance(found, Pace)
    machine = Batching(found)
    firsts: dict[str, float] = {}
    ends: dict[str, float] = {}
    names = iter(map(str, range(8 * concurrency)))
    for name in islice(names, concurrency):
        machine.submit(ask(name, 800, 200), 0.0)
    while machine.due_s is not None:
        step = machine.finish_step()
        firsts.update(dict.fromkeys(step.first, step.ended_s))
        ends.update(dict.fromkeys(step.done, step.ended_s))
        for name in islice(names, len(step.done)):
            machine.submit(ask(name, 800, 200), step.ended_s)
    assert len(ends) == 8 * concurrency
    assert 200 * len(ends) / max(ends.values()) == pytest.approx(speed.throughput_tps, rel=0.06)
    tpot_s = sum((ends[key] - firsts[key]) / 199 for key in ends) / len(ends)
    assert tpot_s == pytest.approx(speed.tpot_s, rel=0.2)


def test_a_prompt_that_begins_alike_is_read_faster() -> None:
    """The second request with the same first blocks finds them; one with others does not."""
    machine = Batching(pace())
    blocks = tuple(range(60))
    times: dict[str, float] = {}
    at_s = 0.0
    for name, mine in (("first", blocks), ("again", blocks), ("other", tuple(range(100, 160)))):
        machine.submit(ask(name, 1000, 2, mine), at_s)
        (one, *_) = all_steps(machine)
        times[name] = one.ended_s - one.began_s
        at_s = one.ended_s
    assert machine.hit_tokens == 960
    assert times["again"] < 0.3 * times["first"]
    assert times["other"] == pytest.approx(times["first"])


def test_what_nobody_uses_is_forgotten_when_room_is_needed() -> None:
    """The block that was not used for longest goes first."""
    machine = Batching(pace(kv_tokens=150))
    at_s = 0.0
    for name, blocks in (
        ("a", (1, 2)),
        ("b", (3, 4)),
        ("a again", (1, 2)),
        ("c", (5, 6)),
        ("d", (7, 8)),
        ("e", (9, 10)),
    ):
        machine.submit(ask(name, 40, 2, blocks), at_s)
        at_s = all_steps(machine)[-1].ended_s
    hits = machine.hit_tokens
    machine.submit(ask("b again", 40, 2, (3, 4)), at_s)
    all_steps(machine)
    assert machine.hit_tokens == hits == 32


def test_a_full_cache_makes_the_newest_give_way_and_loses_nothing() -> None:
    """Two that fit at first and not to their ends: the later one is read again, and gets the rest of its tokens."""
    machine = Batching(pace(kv_tokens=300, slots=2))
    machine.submit(ask("old", 100, 100), 0.0)
    machine.submit(ask("new", 100, 100), 0.0)
    steps = all_steps(machine)
    assert [key for step in steps for key in step.done] == ["old", "new"]
    assert machine.read_tokens > 200
    assert sum(len(step.first) for step in steps) == 2


def test_long_prompts_are_read_in_parts_beside_those_who_write() -> None:
    """Nobody who has begun waits for a whole prompt: each step takes at most so many tokens."""
    machine = Batching(pace(step_tokens=256))
    machine.submit(ask("writer", 10, 50), 0.0)
    machine.finish_step()
    machine.submit(ask("reader", 2000, 5), 0.0)
    machine.finish_step()
    steps = [machine.finish_step() for _ in range(8)]
    assert [step.decoded for step in steps] == [1] * 8
    assert [step.read for step in steps[:7]] == [255] * 7
    assert steps[7].first == ("reader",)


def test_nothing_begins_before_the_model_is_loaded() -> None:
    """What is asked while it loads waits for it; a slow replica takes so many times as long."""
    quick, slow = Batching(pace(), ready_s=60.0), Batching(pace(), ready_s=60.0)
    slow.slow = 3.0
    for machine in (quick, slow):
        machine.submit(ask("a"), 5.0)
    one, other = quick.finish_step(), slow.finish_step()
    assert one.began_s == other.began_s == 60.0
    assert other.ended_s - 60.0 == pytest.approx(3 * (one.ended_s - 60.0))


def test_what_can_never_be_answered_is_refused() -> None:
    """Longer than the cache, without a prompt, or with a name that is taken."""
    machine = Batching(pace(kv_tokens=100))
    machine.submit(ask("a", 50, 50), 0.0)
    for wrong in (ask("b", 60, 41), ask("c", 0, 1), ask("d", 1, 0), ask("a")):
        with pytest.raises(ValueError, match="cannot be taken"):
            machine.submit(wrong, 0.0)


@given(REQUESTS, st.integers(1, 8), st.integers(200, 600), st.floats(0.001, 0.5))
def test_gliding_is_stepping(
    requests: list[tuple[int, int, list[int], float]], slots: int, kv_tokens: int, look_s: float
) -> None:
    """Whoever glides where it may sees the same first and last tokens at the same times, to the last bit."""
    one, two = (Batching(pace(slots=slots, kv_tokens=kv_tokens, step_tokens=64)) for _ in range(2))
    coming = sorted((at_s, number) for number, (_, _, _, at_s) in enumerate(requests))
    told: list[tuple[list[tuple[float, tuple[str, ...], tuple[str, ...]]], int]] = []
    for machine, glides in ((one, True), (two, False)):
        events, left, until_s = [], list(coming), 0.0
        while left or machine.due_s is not None:
            until_s += look_s
            at_s = left[0][0] if left else float("inf")
            while (due_s := machine.due_s) is not None and due_s <= min(at_s, until_s):
                if glides and machine.glide(min(at_s, until_s)):
                    continue
                step = machine.finish_step()
                if step.first or step.done:
                    events.append((step.ended_s, step.first, step.done))
            if left and at_s <= until_s:
                _, number = left.pop(0)
                prompt, answer, blocks, _ = requests[number]
                machine.submit(ask(str(number), prompt, answer, tuple(dict.fromkeys(blocks))), at_s)
        told.append((events, machine.steps))
    assert told[0] == told[1]
    assert (one.kv_share, one.read_tokens, one.hit_tokens) == (two.kv_share, two.read_tokens, two.hit_tokens)


def test_a_decoder_says_what_the_pace_says() -> None:
    """To the last bit, for any batch and length."""
    mine = pace()
    decode_s = mine.decoder()
    for batch in (0, 1, 2, 17, 200):
        for context in (1.0, 333.3, 8192.0):
            assert decode_s(batch, context) == mine.decode_s(batch, context)
