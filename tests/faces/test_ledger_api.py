"""Usage, bills, records, corrections and prices over the admin API: who may read what, and that sums agree."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.faces.served import ADMIN_KEY, OTHER_KEY, USER_KEY, Served, served
from tests.ledger.builders import NOVEMBER_S, PRICE, a_record

JANUARY_S = 1_000_000.0
"""The world's clock begins then, in January 1970."""


@pytest.fixture
def cloud() -> Iterator[Served]:
    """A cloud of its own for each test, with one price, in yuan."""
    with served() as running:
        made = ask(running, "POST", "/v1/prices", json={"pattern": "*", **micros()})
        assert made.status_code == 201, made.text
        yield running


@pytest.fixture(scope="module")
def quiet() -> Iterator[Served]:
    """One cloud for tests that change nothing."""
    with served() as running:
        yield running


def micros() -> dict[str, int]:
    """The price of the builders, as a body tells it."""
    return {
        "prompt_micros": PRICE.prompt_micros,
        "cached_micros": PRICE.cached_micros,
        "output_micros": PRICE.output_micros,
    }


def ask(cloud: Served, method: str, path: str, key: str = ADMIN_KEY, **more: Any) -> httpx2.Response:
    """One request."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.request(method, cloud.url + path, headers=headers, trust_env=False, timeout=20, **more)


def read(cloud: Served, path: str, key: str = ADMIN_KEY) -> dict[str, Any]:
    """The answer, which must be a good one."""
    answer = ask(cloud, "GET", path, key)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def error_code(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of an error."""
    return answer.status_code, answer.json()["error"]["code"]


def correct(cloud: Served, record: str, key: str = ADMIN_KEY, **body: Any) -> httpx2.Response:
    """A correction to nothing."""
    body = {"to_micros": 0, "reason": "garbled"} | body
    return ask(cloud, "POST", f"/v1/usage/records/{record}/corrections", key, json=body)


def test_usage_bill_and_records_tell_one_sum(cloud: Served) -> None:
    """By whatever it is asked, in whole micros and to the last digit as a text."""
    cloud.take(a_record("r1"), a_record("r2", service="free", key="key-user"), a_record("d1", tenant="duck"))
    for by in ("tenant", "project", "key", "service", "model", "day", "chip"):
        told = read(cloud, f"/v1/usage?tenant=acme&month=2026-11&by={by}")
        assert read(cloud, f"/v1/usage?tenant=acme&month=2026-11&by={by}&recount=true") == told
        assert (told["by"], told["currency"], told["month"]) == (by, "CNY", "2026-11")
        assert sum(line["total_micros"] for line in told["lines"]) == told["total"]["total_micros"] == 888
        assert (told["total"]["total"], told["total"]["requests"]) == ("0.000888", 2)
    by_key = read(cloud, "/v1/usage?tenant=acme&month=2026-11&by=key")["lines"]
    assert [(line["name"], line["label"]) for line in by_key] == [("key-1", "key-1"), ("key-user", "user")]
    bill = read(cloud, "/v1/bill?tenant=acme&month=2026-11")
    assert [(line["service"], line["model"]) for line in bill["lines"]] == [("chat", "qwen3-8b"), ("free", "qwen3-8b")]
    assert bill["total"]["total_micros"] == 888
    records = read(cloud, "/v1/usage/records?tenant=acme")["records"]
    assert sum(each["charged_micros"] for each in records) == 888
    assert records[0]["price"] == micros()
    assert read(cloud, "/v1/usage?month=2026-11")["total"]["total_micros"] == 3 * 444, "an admin may ask of all"
    assert read(cloud, "/v1/usage?month=2026-12")["lines"] == []


def test_a_correction_is_an_entry_of_its_own(cloud: Served) -> None:
    """A dry run tells it; then it stands in the month in which it was made, with reason and key, and the charge stays."""
    cloud.take(a_record("r1"))
    dry = correct(cloud, "r1", dry_run=True)
    assert (dry.status_code, dry.json()["dry_run"], dry.json()["correction"]["amount"]) == (201, True, "-0.000444")
    assert read(cloud, "/v1/usage/records/r1")["corrections"] == []
    assert correct(cloud, "r1").status_code == 201
    told = read(cloud, "/v1/usage/records/r1")
    assert (told["record"]["charged_micros"], told["total_micros"], told["total"]) == (444, 0, "0.00")
    assert [(each["micros"], each["reason"], each["who"]) for each in told["corrections"]] == [
        (-444, "garbled", "admin")
    ]
    assert read(cloud, "/v1/bill?tenant=acme&month=2026-11")["total"]["total_micros"] == 444
    now = read(cloud, "/v1/bill?tenant=acme")
    assert (now["month"], now["lines"], now["total"]["total_micros"]) == ("1970-01", [], -444)
    assert [each["record"] for each in now["corrections"]] == ["r1"]
    assert error_code(correct(cloud, "r1")) == (409, "conflict")
    assert error_code(correct(cloud, "r9")) == (404, "not_found")
    assert error_code(correct(cloud, "r1", to_micros=-1)) == (400, "bad_input")
    assert error_code(correct(cloud, "r1", reason="a\nb", to_micros=5)) == (400, "bad_input")


def test_records_come_in_pages(cloud: Served) -> None:
    """`before` of a page asks for the next; it is empty at the end."""
    cloud.take(*(a_record(f"r{number}", began_s=NOVEMBER_S + number) for number in range(5)))
    seen, before = list[str](), ""
    for _ in range(3):
        page = read(cloud, f"/v1/usage/records?limit=2&before={before}")
        seen += [each["id"] for each in page["records"]]
        before = page["before"]
    assert (seen, before) == (["r4", "r3", "r2", "r1", "r0"], "")
    assert len(read(cloud, "/v1/usage/records?month=2026-10")["records"]) == 0
    assert len(read(cloud, "/v1/usage/records?key=key-1&service=chat&project=search")["records"]) == 5
    assert error_code(ask(cloud, "GET", "/v1/usage/records?before=gone")) == (404, "not_found")


def test_a_users_key_reads_of_its_own_tenant_only(cloud: Served) -> None:
    """Usage, bill, records and prices; others' records are as if they were not there, and it changes nothing."""
    cloud.take(a_record("r1", tenant="default"), a_record("o1", tenant="other"))
    assert read(cloud, "/v1/usage?month=2026-11", USER_KEY)["tenant"] == "default"
    assert read(cloud, "/v1/usage?month=2026-11", USER_KEY)["total"]["requests"] == 1
    assert read(cloud, "/v1/bill?month=2026-11", OTHER_KEY)["tenant"] == "other"
    assert [each["id"] for each in read(cloud, "/v1/usage/records", OTHER_KEY)["records"]] == ["o1"]
    assert read(cloud, "/v1/usage/records/r1", USER_KEY)["record"]["id"] == "r1"
    assert read(cloud, "/v1/prices", USER_KEY)["prices"][0]["pattern"] == "*"
    for path in ("usage?tenant=other", "bill?tenant=other", "usage/records?tenant=other"):
        assert error_code(ask(cloud, "GET", f"/v1/{path}", USER_KEY)) == (403, "forbidden")
    for path in ("usage/records/o1", "usage/records?before=o1"):
        assert error_code(ask(cloud, "GET", f"/v1/{path}", USER_KEY)) == (404, "not_found")
    assert error_code(correct(cloud, "r1", USER_KEY)) == (403, "forbidden")
    assert error_code(ask(cloud, "POST", "/v1/prices", USER_KEY, json={"pattern": "a", **micros()})) == (
        403,
        "forbidden",
    )
    assert error_code(ask(cloud, "DELETE", "/v1/prices/*", USER_KEY)) == (403, "forbidden")
    device = {"chip": "nvidia-h20", "micros_per_hour": 5}
    assert error_code(ask(cloud, "POST", "/v1/device-prices", USER_KEY, json=device)) == (403, "forbidden")
    assert error_code(ask(cloud, "DELETE", "/v1/device-prices/nvidia-h20", USER_KEY)) == (403, "forbidden")


def test_prices_from_set_to_drop(cloud: Served) -> None:
    """In force, to come, dropped; names of models may have slashes."""
    later_s = JANUARY_S + 1e6
    body = {"pattern": "org/m*", "prompt_micros": 5, "output_micros": 6}
    dry = ask(cloud, "POST", "/v1/prices", json=body | {"dry_run": True}).json()
    assert dry["price"]["price"] == {"prompt_micros": 5, "cached_micros": 5, "output_micros": 6}
    made = ask(cloud, "POST", "/v1/prices", json=body | {"from_s": later_s}).json()
    assert (made["price"]["coming"], made["price"]["who"]) == (True, "admin")
    listed = read(cloud, "/v1/prices")
    assert [(each["pattern"], each["coming"]) for each in listed["prices"]] == [("*", False), ("org/m*", True)]
    dropped = ask(cloud, "DELETE", "/v1/prices/org/m*")
    assert (dropped.status_code, dropped.json()["price"]["price"]) == (200, None)
    assert ask(cloud, "DELETE", "/v1/prices/*?dry_run=true").json()["dry_run"] is True
    assert [each["pattern"] for each in read(cloud, "/v1/prices")["prices"]] == ["*"]
    assert error_code(ask(cloud, "DELETE", "/v1/prices/org/m*")) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "usage?month=2026-13", None),
        ("GET", "usage?by=colour", None),
        ("GET", "usage?tenant=a%00b", None),
        ("GET", "bill", None),
        ("GET", "usage/records?limit=0", None),
        ("GET", "usage/records?limit=1001", None),
        ("GET", "usage/records/a%00b", None),
        ("POST", "prices", {"pattern": "a b", "prompt_micros": 1, "output_micros": 1}),
        ("POST", "prices", {"pattern": "a", "prompt_micros": -1, "output_micros": 1}),
        ("POST", "prices", {"pattern": "a", "prompt_micros": 10**30, "output_micros": 1}),
        ("POST", "prices", {"pattern": "a", "prompt_micros": 0.5, "output_micros": 1}),
        ("POST", "prices", {"pattern": "a", "prompt_micros": 1, "output_micros": 1, "from_s": 5.0}),
        ("POST", "prices", {"pattern": "a", "prompt_micros": 1, "output_micros": 1, "from_s": 1e300}),
        ("POST", "prices", {"pattern": "a", "prompt_micros": 1}),
        ("POST", "prices", {"pattern": "a", "prompt_micros": 1, "output_micros": 1, "scarcity_max_ppm": 999_999}),
        ("POST", "device-prices", {"chip": "nvidia-h20", "micros_per_hour": -1}),
        ("POST", "device-prices", {"chip": "nvidia-h20", "micros_per_hour": 1, "from_s": 5.0}),
        ("POST", "device-prices", {"chip": "nvidia-h20", "micros_per_hour": 10**30}),
    ],
)
def test_what_cannot_be_asked_is_bad_input(quiet: Served, method: str, path: str, body: dict[str, Any] | None) -> None:
    """A clear no, whatever came."""
    assert error_code(ask(quiet, method, f"/v1/{path}", json=body)) == (400, "bad_input")
