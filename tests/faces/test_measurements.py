"""Measurements over the admin API: recorded by admins, checked, shown beside the estimate and in what explains a service."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.faces.served import ADMIN_KEY, USER_KEY, Served, served
from tests.faces.test_admin_api import MODEL, ask, deploy, error_of, until_ready

FIGURES = {
    "concurrency": 4,
    "input_tokens": 128,
    "output_tokens": 64,
    "throughput_tps": 32.0,
    "decode_tps": 40.0,
    "ttft_s": 0.5,
    "tpot_s": 0.1,
    "requests": 10,
    "duration_s": 20.0,
}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Served]:
    """One cloud with one service for all tests here."""
    with served() as running:
        deploy(running)
        until_ready(running, MODEL)
        yield running


def replica_of(cloud: Served) -> dict[str, Any]:
    """The service's one replica."""
    (found,) = ask(cloud, "GET", "/v1/replicas").json()["replicas"]
    replica: dict[str, Any] = found
    return replica


def record(cloud: Served, key: str = ADMIN_KEY, service: str = MODEL, **change: Any) -> httpx2.Response:
    """Tell the figures, changed in what the test is about."""
    body = {"replica": replica_of(cloud)["id"], **FIGURES, **change}
    return ask(cloud, "POST", f"/v1/services/{service}/measurements", key, json=body)


def test_what_is_recorded_is_shown_everywhere(cloud: Served) -> None:
    """In the list, at the service, in its explanation, and as the evidence of the replica's recipe."""
    before = ask(cloud, "GET", "/v1/measurements").json()["measurements"]
    made = record(cloud)
    assert made.status_code == 201
    told = made.json()
    recipe = replica_of(cloud)["recipe"]
    assert recipe["evidence"] == "measured"
    for name in ("chip", "engine", "model", "precision", "cores"):
        assert told[name] == recipe[name]
    assert {name: told[name] for name in FIGURES} == FIGURES
    assert (told["evidence"], told["origin"], told["service"]) == ("measured", "probe", MODEL)
    assert ask(cloud, "GET", "/v1/measurements", USER_KEY).json()["measurements"] == [told, *before]
    assert ask(cloud, "GET", f"/v1/services/{MODEL}").json()["measurements"][0] == told
    text = ask(cloud, "GET", f"/v1/services/{MODEL}/explain").json()["text"]
    assert "4 at once, 128 + 64 tokens: 32 tokens/s, first token after 500 ms, then one every 100 ms; " in text


def test_an_estimate_or_the_reason_for_none_stands_beside_it(cloud: Served) -> None:
    """Never both, never neither; the ratio goes with the estimate."""
    told = record(cloud).json()
    if told["estimated"] is None:
        assert told["unknown"]
        assert told["ratio"] is None
    else:
        assert told["unknown"] == ""
        assert told["ratio"] == pytest.approx(32.0 / told["estimated"]["throughput_tps"])


def test_only_admins_record(cloud: Served) -> None:
    """What is recorded changes what is planned for everyone."""
    assert error_of(record(cloud, USER_KEY))[:2] == (403, "forbidden")


@pytest.mark.parametrize("field", list(FIGURES))
@pytest.mark.parametrize("value", [-1, 0, 10**15, "x", None, [], True])
def test_bad_figures_are_refused_by_name(cloud: Served, field: str, value: Any) -> None:
    """Negative, nothing, absurd, of another kind: 400 that names the field; nothing is kept."""
    before = ask(cloud, "GET", "/v1/measurements").json()
    status, code, message = error_of(record(cloud, **dict.fromkeys([field], value)))
    assert (status, code) == (400, "bad_input")
    assert field in message
    assert ask(cloud, "GET", "/v1/measurements").json() == before


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(cloud: Served, text: str) -> None:
    """Python's JSON reads them; a measurement is none of them."""
    body = f'{{"replica": "{replica_of(cloud)["id"]}", "concurrency": 4, "input_tokens": 128, "output_tokens": 64,'
    body += f'"throughput_tps": {text}, "decode_tps": 1, "ttft_s": 1, "tpot_s": 1, "requests": 10, "duration_s": 20}}'
    headers = {"Content-Type": "application/json"}
    answer = ask(cloud, "POST", f"/v1/services/{MODEL}/measurements", content=body, headers=headers)
    assert error_of(answer)[:2] == (400, "bad_input")
    assert "throughput_tps" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"replica": "nobody-1"}, 404, "has no replica 'nobody-1'"),
        ({"service": "nobody"}, 404, "no service 'nobody'"),
        ({"replica": ""}, 400, "replica"),
        ({"input_tokens": 100_000}, 400, "may hold"),
        ({"throughput_tps": 99.0}, 400, "throughput_tps x duration_s"),
        ({"chip": "nvidia-h20"}, 400, "chip"),
    ],
)
def test_what_does_not_go_together_is_refused(cloud: Served, change: dict[str, Any], status: int, said: str) -> None:
    """Another's replica, another's service, more than the recipe holds, tokens that do not add up, a chip of one's own."""
    answer = record(cloud, **change)
    assert error_of(answer)[0] == status
    assert said in answer.json()["error"]["message"]
