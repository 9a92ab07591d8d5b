"""What a live point sends is what replay is given."""

import json

import pytest

from alliage.errors import BadInput
from alliage.rehearsal.openai import read_request
from alliage.replay.requests.experiment import read_experiment
from alliage.replay.requests.trace import Request, Trace
from bench.live.prompts import orders_of
from bench.live.run import HERE, PARTS, slice_of


def a_trace(*requests: Request, block_tokens: int = 16) -> Trace:
    """Of these."""
    return Trace(name="some", requests=requests, block_tokens=block_tokens)


@pytest.mark.parametrize("tokens", [1, 2, 7, 500, 4096])
def test_a_prompt_has_the_tokens_of_the_trace(tokens: int) -> None:
    """As the rehearsed engine counts them, with and without blocks; one of a single token has two, for its role."""
    for blocks in ((), tuple(range(-(-tokens // 16)))):
        request = Request(at_s=0.0, prompt_tokens=tokens, output_tokens=3, blocks=blocks)
        (order,) = orders_of(a_trace(request), "m")
        read = read_request(order.body, key="k", is_chat=True, context_tokens=10_000)
        assert (read.ask.prompt_tokens, read.ask.output_tokens) == (max(tokens, 2), 3)
        assert json.loads(order.body)["stream"]


def test_prompts_are_alike_as_far_as_their_blocks_are() -> None:
    """To the block; those without names are alike in none."""
    one = Request(at_s=0.0, prompt_tokens=64, output_tokens=1, blocks=(1, 2, 3, 4))
    other = Request(at_s=1.0, prompt_tokens=64, output_tokens=1, blocks=(1, 2, 5, 4))
    alike = [
        read_request(order.body, key="k", is_chat=True, context_tokens=100).ask.blocks
        for order in orders_of(a_trace(one, other), "m")
    ]
    assert [a == b for a, b in zip(*alike, strict=True)] == [True, True, False, False]
    plain = Request(at_s=0.0, prompt_tokens=64, output_tokens=1)
    first, second = (
        read_request(order.body, key="k", is_chat=True, context_tokens=100).ask.blocks
        for order in orders_of(a_trace(plain, plain), "m")
    )
    assert first[0] != second[0]


def test_a_slice_begins_at_zero_and_leaves_out_what_does_not_fit() -> None:
    """Sped up as the experiment says, for as many seconds as are asked; BadInput where nothing is left."""
    experiment = read_experiment(HERE / "azure.toml")
    factor = experiment.speed_ups[0]
    requests = [Request(at_s=float(at), prompt_tokens=100 if at % 2 else 10**6, output_tokens=5) for at in range(100)]
    taken = slice_of(a_trace(*requests), experiment, from_s=10.0, seconds=20.0)
    assert taken.requests[0].at_s == 0.0
    assert {each.prompt_tokens for each in taken.requests} == {100}
    assert taken.length_s == pytest.approx(2 * (20 * factor // 2) / factor)
    with pytest.raises(BadInput):
        slice_of(a_trace(*requests), experiment, from_s=1000.0, seconds=20.0)


@pytest.mark.parametrize("part", list(PARTS))
def test_the_committed_experiments_are_whole(part: str) -> None:
    """Their fleets are there, with a node for each replica."""
    experiment = read_experiment(HERE / f"{part}.toml")
    assert experiment.fleet.is_file()
    assert sum(count for _, count in experiment.counts) == 4
