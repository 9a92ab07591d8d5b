"""Experiments as files: the real decisions make the replicas; mistakes are named."""

from pathlib import Path

import pytest

from alliage.catalog.loader import load_catalog
from alliage.errors import BadInput
from alliage.replay.requests.experiment import read_experiment
from alliage.replay.requests.making import count_devices, make_replicas
from alliage.replay.requests.playing import check_room, find_load
from tests.replay.requests.builders import EXPERIMENT, a_trace, two_replicas

ROOT = Path(__file__).parents[3]
BENCH = ROOT / "bench" / "route"


def test_replicas_are_what_the_decisions_make() -> None:
    """Recipes that promise the objective, on devices of the chips that were named."""
    first, second = two_replicas()
    assert (first.recipe.chip, second.recipe.chip) == ("nvidia-h20", "thead-ppu-810e")
    assert first.pace.slots == first.recipe.concurrency <= 8
    assert first.recipe.context_tokens == 16384
    assert count_devices((first, second)) == {
        "nvidia-h20": first.recipe.devices,
        "thead-ppu-810e": second.recipe.devices,
    }


@pytest.mark.parametrize("name", ["azure.toml", "mooncake.toml"])
def test_the_benchmarks_experiments_fit_their_fleet(name: str) -> None:
    """Sixteen replicas, four of each maker. The speed of the one that is only like another is told to no router."""
    replicas = make_replicas(read_experiment(BENCH / name), load_catalog())
    assert {each.recipe.chip for each in replicas if not each.is_known} == {"metax-c500"}
    assert len(replicas) == 16
    assert len({each.name for each in replicas}) == 16
    assert len(count_devices(replicas)) == 4


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"qwen3-8b"', '"qwen9"', "no model 'qwen9'"),
        ("count = 1", "count = 99", "devices for"),
        ("ttft_s = 1.0", "ttft_s = 0.0001", "keeps the objective"),
        ("ttft_s = 1.0", "ttft_s = -1", "ttft_s is -1"),
        ("nvidia-h20", "thead-ppu-810e", "a chip comes twice"),
        ("seeds", "sedes", "sedes"),
        ("four-makers", "no-makers", "no-makers.toml cannot be read"),
        ("fleet =", "fleet", "no TOML"),
    ],
)
def test_a_wrong_experiment_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    """File and value."""
    text = EXPERIMENT.read_text().replace(old, new, 1).replace("../fleets", str(ROOT / "examples" / "fleets"))
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        make_replicas(read_experiment(path), load_catalog())
    assert told in str(error.value)
    with pytest.raises(BadInput, match="cannot be read"):
        read_experiment(tmp_path / "none.toml")


def test_a_request_that_no_engine_takes_is_told() -> None:
    """Before the run."""
    with pytest.raises(BadInput, match="request 2 of made has 16385 tokens"):
        check_room(a_trace((0.0, 10, 10), (0.0, 16384, 1)), two_replicas())


def test_the_load_is_found_by_bisection() -> None:
    """Within a hundredth; the bound where it is kept there too; a load too high to begin with is refused."""
    assert find_load(lambda load: 1.0 if load <= 3.7 else 0.5, share=0.99, low=1.0, high=16.0) == pytest.approx(
        3.7, rel=0.01
    )
    assert find_load(lambda _: 1.0, share=0.99, low=1.0, high=16.0) == 16.0
    with pytest.raises(BadInput, match="begin lower"):
        find_load(lambda _: 0.5, share=0.99, low=1.0, high=16.0)
