"""The load of a probe: its prompts, its arithmetic, and what it makes of a gateway that answers badly."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from alliage.errors import AlliageError, BadInput, NotFound
from alliage.faces.admin import answers
from alliage.faces.cli.load import FAILURES_MAX, Answered, Loaded, LoadOrder, Target, run_load
from alliage.faces.cli.load_figures import figures_of
from alliage.faces.cli.probing import choose
from alliage.faces.cli.prompts import Sized, prompt, prompts, words_for
from alliage.fleet.lifecycles import ReplicaPhase
from tests.faces.test_cli_words import a_replica_answer
from tests.gateway.upstream import Behaviour, Call, Engine, event, stream_of, usage_event


def test_prompts_differ_from_their_first_word_on() -> None:
    """No two of a thousand begin alike, so no prefix cache helps; the same seed gives the same ones."""
    sources, again = prompts(7), prompts(7)
    made = [prompt(12, next(sources)) for _ in range(1000)]
    assert made == [prompt(12, next(again)) for _ in range(1000)]
    assert len({text.split()[0] for text in made}) > 990
    assert {len(text.split()) for text in made} == {12}
    assert made[0] != prompt(12, next(prompts(8)))


@pytest.mark.parametrize(
    ("input_tokens", "words"), [(128, 98), (30, 0 + 1), (1000, 970), (1, 1)], ids=["usual", "template", "long", "least"]
)
def test_words_that_make_so_many_tokens(input_tokens: int, words: int) -> None:
    """A template of 30 tokens and a token a word: so many words are left for the prompt, and never none."""
    small, large = Sized(words=8, tokens=38), Sized(words=32, tokens=62)
    assert words_for(input_tokens, small, large) == words


def an_answer(
    asked_s: float, *, ttft_s: float, tokens: int = 11, tpot_s: float = 0.1, prompt_tokens: int = 100
) -> Answered:
    """An answer whose last piece is its end."""
    last_s = asked_s + ttft_s + (tokens - 1) * tpot_s
    return Answered(
        asked_s=asked_s,
        first_s=asked_s + ttft_s,
        last_s=last_s,
        ended_s=last_s,
        prompt_tokens=prompt_tokens,
        completion_tokens=tokens,
    )


def test_figures_of_a_load() -> None:
    """Three answers by hand: 33 tokens in 6 s, medians of times, means of tokens."""
    found = figures_of([an_answer(0, ttft_s=1), an_answer(2, ttft_s=1), an_answer(4, ttft_s=1, prompt_tokens=106)], 1)
    assert (found.requests, found.input_tokens, found.output_tokens) == (3, 102, 11)
    assert found.duration_s == pytest.approx(6.0)
    assert found.throughput_tps == pytest.approx(33 / 6)
    assert found.ttft_s == pytest.approx(1.0)
    assert found.tpot_s == pytest.approx(0.1)
    assert found.decode_tps == pytest.approx(10.0)


def test_a_median_is_not_moved_by_one_slow_answer() -> None:
    """One of three that waited ten seconds for its first token shows in the throughput, not in the usual time."""
    found = figures_of([an_answer(0, ttft_s=1), an_answer(0, ttft_s=10), an_answer(0, ttft_s=1)], 3)
    assert found.ttft_s == pytest.approx(1.0)
    assert found.throughput_tps == pytest.approx(33 / 11)
    assert found.decode_tps == pytest.approx(30.0)


def test_answers_without_time_between_tokens_have_no_figures() -> None:
    """One token, or all in one piece: no speed can be told."""
    at_once = replace(an_answer(0, ttft_s=1), last_s=1.0)
    for bad in (an_answer(0, ttft_s=1, tokens=1), at_once):
        with pytest.raises(AlliageError, match="no time between tokens"):
            figures_of([bad], 1)


def load(behave: Behaviour, *, concurrency: int = 2, key: str = "k") -> tuple[Loaded, list[Call]]:
    """One round against a real server that behaves so."""

    async def run() -> tuple[Loaded, list[Call]]:
        async with Engine(behave) as engine:
            target = Target(gateway_url=f"http://127.0.0.1:{engine.port}", key=key, service="m", replica="m-1")
            order = LoadOrder(concurrency=concurrency, seconds=0.0, words=5, output_tokens=9)
            return await run_load(target, order, prompts(1), lambda _count, _elapsed_s: None), engine.calls

    return asyncio.run(run())


def test_a_request_says_what_is_measured() -> None:
    """One replica, answers of one length, counted by the engine, no two prompts alike."""
    pieces = [
        event("a"),
        event(reasoning_content="x"),
        event("b"),
        usage_event(prompt=20, completion=9),
        b"data: [DONE]\n\n",
    ]
    loaded, calls = load(stream_of(pieces, 0.01))
    assert not loaded.failures
    assert [(each.prompt_tokens, each.completion_tokens) for each in loaded.answers] == [(20, 9)] * 2
    for each in loaded.answers:
        assert each.asked_s < each.first_s < each.last_s <= each.ended_s
    one, two = (call.json for call in calls)
    assert (one["max_tokens"], one["ignore_eos"], one["stream_options"]) == (9, True, {"include_usage": True})
    assert one["messages"] != two["messages"]
    headers = {name.lower(): value for name, value in calls[0].headers.items()}
    assert (headers["x-alliage-replica"], headers["authorization"]) == ("m-1", "Bearer k")


async def _refuses(call: Call) -> None:
    await call.answer(b'{"error": {"message": "no room"}}', status="503 Service Unavailable")


async def _strange(call: Call) -> None:
    await call.answer(b"<html>", status="502 Bad Gateway", kind="text/html")


async def _cuts(call: Call) -> None:
    await call.begin_stream()
    await call.chunk(event("a"))
    call.cut()


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (_refuses, "no room"),
        (_strange, "the gateway answered 502"),
        (_cuts, "broke off"),
        (stream_of([event("a"), event(error={"message": "engine died"})]), "engine died"),
        (stream_of([event("a"), b"data: {no json\n\n"]), "no part of a chat"),
        (stream_of([b"data: []\n\n"]), "no part of a chat"),
        (stream_of([event("a"), event("b"), b"data: [DONE]\n\n"]), "did not tell how many tokens"),
        (stream_of([usage_event(), b"data: [DONE]\n\n"]), "the answer was empty"),
    ],
    ids=["refused", "strange", "cut", "error", "garbled", "list", "uncounted", "empty"],
)
def test_every_failure_is_counted_with_its_reason(behave: Behaviour, said: str) -> None:
    """A load goes on to its end, and says what went wrong and how often."""
    loaded, calls = load(behave)
    assert loaded.answers == ()
    assert len(calls) == 2
    ((why, count),) = loaded.failures.items()
    assert said in why
    assert count == 2


def test_a_gateway_that_only_fails_is_left_alone() -> None:
    """Whatever time is left: after a few failures nothing more is asked."""

    async def run() -> tuple[Loaded, int]:
        async with Engine(_refuses) as engine:
            target = Target(gateway_url=f"http://127.0.0.1:{engine.port}", key="k", service="m", replica="m-1")
            order = LoadOrder(concurrency=2, seconds=600.0, words=5, output_tokens=9)
            loaded = await run_load(target, order, prompts(1), lambda _count, _elapsed_s: None)
            return loaded, len(engine.calls)

    loaded, calls = asyncio.run(run())
    assert calls == sum(loaded.failures.values())
    assert FAILURES_MAX <= calls <= FAILURES_MAX + 1


def replica(name: str, *, engine: str = "llama.cpp", phase: ReplicaPhase = ReplicaPhase.READY) -> answers.ReplicaAnswer:
    """A replica of the service `tiny`."""
    made = a_replica_answer(phase)
    return made.model_copy(update={"id": name, "recipe": made.recipe.model_copy(update={"engine": engine})})


def test_the_replica_to_measure() -> None:
    """Any where they run alike, the one that is named, and never a guess between recipes."""
    alike = [replica("tiny-1"), replica("tiny-2"), replica("tiny-3", engine="vllm", phase=ReplicaPhase.STARTING)]
    assert choose("tiny", alike, None).id == "tiny-1"
    assert choose("tiny", alike, "tiny-2").id == "tiny-2"
    mixed = [replica("tiny-1"), replica("tiny-2", engine="vllm")]
    assert choose("tiny", mixed, "tiny-2").id == "tiny-2"
    asked: list[tuple[Callable[[], object], type[AlliageError], str]] = [
        (lambda: choose("tiny", mixed, None), BadInput, r"different recipes: tiny-1 \(llama.cpp .*; tiny-2 \(vllm "),
        (lambda: choose("tiny", alike, "tiny-3"), NotFound, "no ready replica 'tiny-3'"),
        (lambda: choose("other", alike, None), NotFound, "other has no ready replica"),
    ]
    for ask, kind, said in asked:
        with pytest.raises(kind, match=said):
            ask()
