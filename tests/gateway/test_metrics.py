"""The gateway's own numbers, and how little it takes to load it."""

import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from alliage.fleet.ids import ReplicaId
from alliage.gateway.flights import Flights
from tests.gateway.house import get, house, post, route, run, table, upstream
from tests.gateway.upstream import Engine

_EVERYWHERE = {"gateway", "tenant", "chip"}


def test_the_exposition_is_prometheus_text() -> None:
    """Prometheus' own parser reads it; the counts of a few known requests are in it."""

    async def main() -> None:
        async with Engine() as engine, house(table(5, route("m", upstream("m-1", engine.port)))) as place:
            for _ in range(3):
                await place.chat()
            await place.chat("none")
            await place.ask(post(b"{}"))
            answer = await place.ask(get("/metrics"))
            assert answer.headers["content-type"].startswith("text/plain")
            families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
            values = {
                (
                    sample.name,
                    *(value for name, value in sorted(sample.labels.items()) if name not in _EVERYWHERE),
                ): sample.value
                for family in families.values()
                for sample in family.samples
            }
            assert values["alliage_gateway_requests_total", "m", "200"] == 3
            assert values["alliage_gateway_requests_total", "", "404"] == 1
            assert values["alliage_gateway_requests_total", "", "400"] == 1
            assert values["alliage_gateway_refused_total", "model_not_found", ""] == 1
            assert values["alliage_gateway_refused_total", "invalid_body", ""] == 1
            assert values["alliage_gateway_tokens_total", "output", "m"] == 15
            assert values["gen_ai_server_request_duration_seconds_count", "m"] == 3
            assert values["alliage_gateway_request_queue_time_seconds_count", "m"] == 3
            assert values["alliage_gateway_in_flight", "m-1"] == 0
            assert values["alliage_gateway_table_version",] == 5
            assert values["alliage_gateway_connections",] >= 1

    run(main())


def test_a_replica_is_told_empty_once() -> None:
    """The count falls to 0 once for each time it rose from 0, and an empty replica is not kept."""
    emptied: list[ReplicaId] = []
    flights, one = Flights(emptied.append), ReplicaId("one")
    for _ in range(2):
        flights.take(one)
        flights.take(one)
        flights.give_back(one)
        assert flights.counts == {one: 1}
        flights.give_back(one)
        assert flights.counts == {}
    assert emptied == [one, one]


def test_the_data_path_loads_no_framework() -> None:
    """Neither Pydantic nor an ASGI framework nor an HTTP client library nor a database comes with the gateway."""
    heavy = {"pydantic", "fastapi", "starlette", "uvicorn", "httpx", "httpx2", "sqlalchemy", "numpy", "typer"}
    code = f"import sys, alliage.gateway.serve; print(sorted({heavy!r} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]"
