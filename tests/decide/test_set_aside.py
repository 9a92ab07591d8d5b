"""Engines that set room aside for every request's whole context when they start: what a recipe is for, its memory holds."""

from dataclasses import replace

import pytest

from alliage.catalog.records import ModelCard, WeightsFormat
from alliage.decide.fit import FitAsk, fit
from alliage.decide.places import place_of_chip
from alliage.decide.recipes import Size, Way, sized, ways
from alliage.fleet.replicas import Recipe
from alliage.fleet.services import Objective
from alliage.fleet.view import FleetView
from alliage.units import MIB
from tests.builders import CATALOG, a_card, a_service
from tests.decide.test_devices import planned, rack

CARD_BYTES = 81_559 * MIB
WEIGHT_BYTES = 34_815_169_120
TOKEN_BYTES = 2 * 2 * 64 * 8 * 128
"""Keys and values of 64 layers with 8 heads of 128, in 16 bits."""


def file_of_32b(weight_bytes: int = WEIGHT_BYTES) -> ModelCard:
    """A GGUF file in Q8_0 with the shapes of Qwen3 32B."""
    bare = a_card("m", weight_bytes=weight_bytes, weights_format=WeightsFormat.GGUF)
    return replace(bare, precision="Q8_0", architecture=CATALOG.models["qwen3-32b"].architecture)


def placed(*, tpot_s: float, card: ModelCard | None = None, free_bytes: int = CARD_BYTES) -> Recipe:
    """What runs for that goal on one H100 with a `llama-server`."""
    node = rack("h100", cards=1, chip="nvidia-h100-sxm")
    engines = tuple(replace(found, engine="llama.cpp-cuda") for found in node.engines)
    devices = tuple(replace(device, memory_bytes=CARD_BYTES) for device in node.devices)
    service = a_service("m", card=card or file_of_32b(), objective=Objective(ttft_s=None, tpot_s=tpot_s))
    nodes, free = (replace(node, engines=engines, devices=devices),), {devices[0].id: free_bytes}
    return planned(FleetView(version=1, nodes=nodes, services=(service,), free_bytes=free)).add[0].recipe


def a_way(engine: str, model: ModelCard, size: Size) -> Way:
    """The way of that size on one H100."""
    place = place_of_chip(CATALOG.chips["nvidia-h100-sxm"])
    found = ways(model, place, CATALOG, sizes=(size,)).ways
    return next(way for way in found if way.recipe.engine == engine and way.devices == 1)


@pytest.mark.parametrize("tpot_s", [0.035, 0.045, 0.06, 1.0])
def test_memory_is_for_as_many_requests_as_the_recipe_is_for(tpot_s: float) -> None:
    """On a real H100 a recipe for 128 of them, with the memory of 16, ended in `cudaMalloc failed: out of memory`."""
    recipe = placed(tpot_s=tpot_s)
    cache_bytes = recipe.concurrency * recipe.context_tokens * TOKEN_BYTES
    assert WEIGHT_BYTES + cache_bytes < recipe.memory_bytes <= CARD_BYTES


def test_a_loose_goal_fills_the_card_with_requests_of_the_engines_own_context() -> None:
    """More requests than by default, as far as the memory goes; none of them with less context for it."""
    recipe = placed(tpot_s=1.0)
    assert (recipe.concurrency, recipe.context_tokens) == (43, CATALOG.engines["llama.cpp-cuda"].context_tokens_max)


def test_while_others_hold_some_of_the_card_the_engines_own_number_is_taken_if_that_fits() -> None:
    """What is left holds 16 requests of the engine's own context, and not the 43 that the card does."""
    recipe = placed(tpot_s=1.0, free_bytes=65 * 1024 * MIB)
    assert (recipe.concurrency, recipe.context_tokens) == (16, 4096)
    assert recipe.memory_bytes <= 65 * 1024 * MIB


def test_less_context_is_taken_where_the_engines_own_does_not_fit() -> None:
    """68 GB of weights: 16 requests of 4096 tokens would need 17 GB more; of 2048 there are as many as fit."""
    recipe = placed(tpot_s=1.0, card=file_of_32b(68_000_000_000))
    assert recipe.context_tokens == 2048
    assert 1 < recipe.concurrency <= CATALOG.engines["llama.cpp-cuda"].slots


def test_an_engine_whose_requests_share_pages_keeps_its_memory() -> None:
    """With vLLM as many as keep the goal are taken, whatever one of them may hold."""
    model = CATALOG.models["qwen3-8b"]
    way = a_way("vllm", model, Size(concurrency=16, context_tokens=8192))
    assert way.users_max is None
    assert sized(way, 100) == replace(way, recipe=replace(way.recipe, concurrency=100))


def test_a_way_for_as_many_requests_is_the_way_of_that_size() -> None:
    """By whichever way one comes to it: enumerated, or sized."""
    model = file_of_32b()
    one = a_way("llama.cpp-cuda", model, Size(concurrency=16, context_tokens=4096))
    for users in (1, 16, 43):
        assert sized(one, users) == a_way("llama.cpp-cuda", model, Size(concurrency=users, context_tokens=4096))


def test_fit_tells_no_more_users_than_there_is_room_for() -> None:
    """Of a file on one card, each with the context that was asked for."""
    ask = FitAsk(
        input_tokens=512, output_tokens=128, context_tokens=4096, concurrency=16, chips=frozenset({"nvidia-h100-sxm"}), ttft_s=None,
        tpot_s=None, rate=None,
    )  # fmt: skip
    (row,) = fit(file_of_32b(), ask, CATALOG).rows
    assert row.users is not None
    assert WEIGHT_BYTES + row.users * 4096 * TOKEN_BYTES <= CARD_BYTES
