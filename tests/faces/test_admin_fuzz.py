"""The admin API fed by its own OpenAPI schema, good requests and bad ones: no request may crash it, every answer is as the schema says.

Needs schemathesis; without it this file is skipped. `ALLIAGE_FUZZ=20` tries twenty times as many.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.faces.served import ADMIN_KEY, USER_KEY, Served, served

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis makes the requests")

_ENDLESS = "/v1/replicas/{replica}/logs"
"""Followed it does not end; other tests read it."""
_MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Served]:
    """One real cloud in this process, whatever was done to it before."""
    with served() as cloud:
        yield cloud


def _operations(cloud: Served) -> list[Any]:
    schema = schemathesis.openapi.from_url(f"{cloud.url}/openapi.json").exclude(path=_ENDLESS)
    return [each.ok() for each in schema.get_all_operations()]


def _checks() -> list[Any]:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

    return [not_a_server_error, content_type_conformance, response_schema_conformance]


def test_no_request_crashes_it(cloud: Served) -> None:
    """Each route with values of its schema and with others, by an admin and by a user: never a 5xx but the 503 it states."""
    checks = _checks()
    for operation in _operations(cloud):
        cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in _MODES])

        @seed(6)
        @settings(
            max_examples=examples(3),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, key=st.sampled_from([ADMIN_KEY, USER_KEY]))
        def ask(case: Any, key: str) -> None:
            answer = case.call(headers={"Authorization": f"Bearer {key}"}, timeout=30)
            case.validate_response(answer, checks=checks)

        ask()
    assert _operations(cloud)
