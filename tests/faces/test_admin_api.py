"""The admin API over a real port: what each role may ask, and what an error looks like."""

import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from alliage.faces.admin.guard import BODY_BYTES_MAX, OPEN_PATHS, Guard, Message, host_name
from tests.faces.served import ADMIN_KEY, OTHER_KEY, USER_KEY, Served, build_world, served

MODEL = "smollm2-135m"


@pytest.fixture
def cloud() -> Iterator[Served]:
    """A cloud of its own for each test: they change it."""
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def quiet() -> Iterator[Served]:
    """One cloud for all tests that change nothing."""
    with served() as running:
        yield running


def ask(cloud: Served, method: str, path: str, key: str | None = ADMIN_KEY, **more: Any) -> httpx2.Response:
    """One request."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    headers |= more.pop("headers", {})
    return httpx2.request(method, cloud.url + path, headers=headers, trust_env=False, timeout=20, **more)


def error_of(response: httpx2.Response) -> tuple[int, str, str]:
    """Status, code and message of an error, which must have the one shape."""
    error = response.json()["error"]
    assert set(error) == {"code", "message", "remedy"}
    assert error["message"]
    return response.status_code, error["code"], error["message"]


def deploy(cloud: Served, key: str = ADMIN_KEY, **body: Any) -> httpx2.Response:
    """Ask for a service."""
    return ask(cloud, "POST", "/v1/services", key, json={"model": MODEL} | body)


def until_ready(cloud: Served, name: str) -> dict[str, Any]:
    """The service once it is ready."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        found: dict[str, Any] = ask(cloud, "GET", f"/v1/services/{name}").json()
        if found["phase"] == "ready":
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def test_a_service_from_order_to_end(cloud: Served) -> None:
    """Deployed, ready, listed, explained, deleted, gone: over the real desk and loop."""
    made = deploy(cloud, ttft_s=0.5)
    assert made.status_code == 201
    assert made.json()["accepted"]
    assert made.json()["service"]["objective"] == {"ttft_s": 0.5, "tpot_s": None}
    assert until_ready(cloud, MODEL)["replicas_ready"] == 1
    (replica,) = ask(cloud, "GET", "/v1/replicas").json()["replicas"]
    assert replica["live"]["state"] == "ready"
    assert replica["bindings"][0]["device"] == "laptop/cpu0"
    told = ask(cloud, "GET", f"/v1/services/{MODEL}/explain").json()
    assert "runs on laptop/cpu0 (cpu-x86, AMD EPYC)" in told["text"]
    assert told["decisions"][0]["because"][0]["code"] == "fits"
    status = ask(cloud, "GET", "/v1/status").json()
    assert (status["version"], status["gateway_url"], status["problems"]) == ("9.9.9", cloud.gateway_url, [])
    assert status["nodes"][0]["devices"][0]["cores_bound"] == replica["bindings"][0]["cores"]
    assert deploy(cloud).status_code == 200
    assert ask(cloud, "DELETE", f"/v1/services/{MODEL}").json()["phase"] == "deleting"
    deadline_s = time.monotonic() + 20
    while ask(cloud, "GET", "/v1/services").json()["services"]:
        assert time.monotonic() < deadline_s
    seen = ask(cloud, "GET", f"/v1/history/{MODEL}").json()["observations"]
    assert seen[0]["what"] == "gone"


def test_dry_run_and_refusal(cloud: Served) -> None:
    """A dry run changes nothing; a no is 409 with the error, the reasons and what would change it."""
    assert deploy(cloud, dry_run=True).json()["decisions"][0]["text"].startswith(f"{MODEL} would run on")
    assert ask(cloud, "GET", "/v1/services").json() == {"services": []}
    for name in ("one", "two"):
        assert deploy(cloud, name=name).status_code == 201
        until_ready(cloud, name)
    refused = deploy(cloud, name="three")
    assert refused.status_code == 409
    answer = refused.json()
    assert (answer["accepted"], answer["created"], answer["error"]["code"]) == (False, False, "refused")
    assert "the rest is held by one, two" in answer["error"]["message"]
    assert "deleting service one would free 1 core" in answer["error"]["remedy"]
    assert ask(cloud, "GET", "/v1/services/three/explain").status_code == 200
    assert ask(cloud, "GET", "/v1/services/three").status_code == 404


def every_route(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of all that the application answers, with `x` for each name."""
    return {
        (method, re.sub(r"\{[^}]*\}", "x", route.path or ""))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
    }


def test_routes_need_a_key(quiet: Served) -> None:
    """No key and a wrong key are both 401, in one shape, on every route that is not open to all."""
    routes = every_route(quiet.app)
    closed = {(method, path) for method, path in routes if path not in OPEN_PATHS}
    assert {path for _, path in routes} >= OPEN_PATHS
    assert {("POST", "/v1/keys"), ("GET", "/v1/replicas/x/logs"), ("GET", "/metrics"), ("GET", "/bug")} <= closed
    for method, path in sorted(closed):
        assert error_of(ask(quiet, method, path, None))[:2] == (401, "unauthorized"), (method, path)
        wrong = ask(quiet, method, path, "alliage-wrong")
        assert error_of(wrong)[:2] == (401, "unauthorized"), (method, path)
        assert wrong.headers["www-authenticate"] == "Bearer"
        assert "wrong" not in wrong.text
    assert ask(quiet, "GET", "/health", None).json() == {"status": "ok", "version": "9.9.9"}
    basic = ask(quiet, "GET", "/v1/status", None, headers={"Authorization": f"Basic {ADMIN_KEY}"})
    assert error_of(basic)[:2] == (401, "unauthorized")


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("key", [None, "alliage-wrong"])
def test_no_body_is_parsed_without_a_key(quiet: Served, key: str | None) -> None:
    """Whoever has no key learns only that: what is no JSON, of a wrong shape or too large is a 401 like all else."""
    for body in (b"{", b"{}", b" " * (BODY_BYTES_MAX + 1)):
        refused = ask(quiet, "POST", "/v1/keys", key, content=body, headers=JSON)
        assert error_of(refused)[:2] == (401, "unauthorized")


def test_no_body_is_read_without_a_key() -> None:
    """The guard refuses before it receives a single byte, and asks nothing of the application."""
    sent: list[Message] = []

    async def never(*_: object) -> Message:
        raise AssertionError("the body was asked for")

    async def send(message: Message) -> None:
        sent.append(message)

    async def application(*_: object) -> None:
        raise AssertionError("the application was asked")

    guard = Guard(application, desk=build_world()[0].desk, allowed_hosts=frozenset({"localhost"}))
    scope = {"type": "http", "method": "POST", "path": "/v1/keys", "headers": [(b"host", b"localhost")]}
    asyncio.run(guard(scope, never, send))
    assert sent[0]["status"] == 401


def test_a_body_has_a_largest_size(quiet: Served) -> None:
    """Above 1 MiB: 413 in the one shape, also where the length is not told; below, only the fields count."""

    def pieces() -> Iterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 65536 + 1):
            yield b" " * 65536

    for body in (b" " * (BODY_BYTES_MAX + 1), pieces()):
        refused = ask(quiet, "POST", "/v1/keys", content=body, headers=JSON)
        assert error_of(refused) == (413, "too_large", "POST /v1/keys: the body is larger than 1 MiB")
    padded = ask(quiet, "POST", "/v1/services", content=b"{}".ljust(BODY_BYTES_MAX), headers=JSON)
    assert error_of(padded) == (400, "bad_input", "model is missing")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/keys", None),
        ("POST", "/v1/keys", {"name": "x"}),
        ("GET", "/v1/keys/user", None),
        ("PATCH", "/v1/keys/user", {"priority": "interactive"}),
        ("DELETE", "/v1/keys/user", None),
        ("GET", "/v1/replicas/x/logs", None),
        ("GET", "/v1/tenants", None),
        ("GET", "/v1/tenants/default", None),
        ("PATCH", "/v1/tenants/default", {"tier": 1}),
        ("DELETE", "/v1/tenants/default", None),
        ("GET", "/v1/projects", None),
        ("GET", "/v1/tenants/default/projects", None),
        ("GET", "/v1/tenants/default/projects/web", None),
        ("PATCH", "/v1/tenants/default/projects/web", {"limits": {"parallel": None}}),
        ("DELETE", "/v1/tenants/default/projects/web", None),
        ("GET", "/v1/limits/key:user", None),
        ("POST", "/v1/services", {"model": "/models/x.gguf"}),
        ("POST", "/v1/services", {"model": "ORG/NAME"}),
        ("POST", "/v1/services", {"model": MODEL, "remote_code": True}),
    ],
)
def test_what_only_an_admin_may(quiet: Served, method: str, path: str, body: dict[str, Any] | None) -> None:
    """403 names the role that is needed."""
    status, code, message = error_of(ask(quiet, method, path, USER_KEY, json=body))
    assert (status, code) == (403, "forbidden")
    assert "needs the role admin" in message


def test_a_user_works_in_the_own_tenant(cloud: Served) -> None:
    """Users deploy models of the catalogue, and neither change nor delete another tenant's service."""
    assert deploy(cloud, USER_KEY).json()["service"]["tenant"] == "default"
    assert error_of(deploy(cloud, OTHER_KEY, min_replicas=2))[:2] == (403, "forbidden")
    assert error_of(ask(cloud, "DELETE", f"/v1/services/{MODEL}", OTHER_KEY))[:2] == (403, "forbidden")
    assert error_of(ask(cloud, "DELETE", "/v1/services/none", OTHER_KEY))[:2] == (404, "not_found")
    assert ask(cloud, "GET", f"/v1/services/{MODEL}", OTHER_KEY).status_code == 200
    status, _, message = error_of(deploy(cloud, OTHER_KEY, model="smollm"))
    assert (status, message) == (404, "the catalogue has no model 'smollm'")
    assert ask(cloud, "DELETE", f"/v1/services/{MODEL}", USER_KEY).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"min_replicas": "2"}, "min_replicas is '2'"),
        ({"replicas": 2}, "replicas is 2: extra inputs are not permitted"),
        ({"model": 5}, "model is 5"),
        ({"min_replicas": 3, "max_replicas": 2}, "from 3 to 2"),
        ({"ttft_s": -1}, "-1"),
        ({"rate_rps": 0}, "--rate is 0"),
        ({"rate_rps": 1e9}, "--rate is 1000000000"),
        ({"rate_rps": "12"}, "rate_rps is '12'"),
        ({"min_replicas": -1}, "from -1 to"),
        ({"min_replicas": 0, "max_replicas": 0}, "from 0 to 0"),
        ({"residency": ["the moon"]}, "'the moon'"),
        ({"residency": "local"}, "residency is 'local'"),
        ({"residency": [""]}, "residency.0 is ''"),
        ({"name": "No Good"}, "'No Good'"),
        ({"name": "x" * 500}, "name is 'xxx"),
    ],
)
def test_bad_bodies_name_field_and_value(quiet: Served, body: dict[str, Any], words: str) -> None:
    """400 in the one shape, and a long value is cut."""
    status, code, message = error_of(deploy(quiet, **body))
    assert (status, code) == (400, "bad_input")
    assert words in message
    assert len(message) < 300


def test_what_a_service_asks_for_is_told_again(cloud: Served) -> None:
    """Rate, residency and replicas come back as they were asked; with a rate there is no limit of replicas but the largest."""
    asked = deploy(cloud, rate_rps=2, residency=["local"], min_replicas=0).json()["service"]
    assert (asked["rate_rps"], asked["residency"]) == (2.0, ["local"])
    assert (asked["min_replicas"], asked["max_replicas"]) == (0, 1000)
    (node,) = ask(cloud, "GET", "/v1/status").json()["nodes"]
    assert (node["region"], node["tags"]) == ("", [])
    again = deploy(cloud).json()["service"]
    assert (again["rate_rps"], again["residency"], again["max_replicas"]) == (None, [], 1)


def test_tenants_from_set_to_drop(cloud: Served) -> None:
    """Named by keys and services, set, changed in part, dropped back to the defaults; a dry run changes nothing."""
    deploy(cloud)
    names = [each["name"] for each in ask(cloud, "GET", "/v1/tenants").json()["tenants"]]
    assert names == ["default", "other"]
    rights = {
        "tier": 1,
        "weight": 2,
        "guarantees": [{"chips": ["nvidia-h20", "huawei-910b"], "devices": 8, "site": "moon"}],
        "budget_micros": 40_000_000,
    }
    dry = ask(cloud, "PATCH", "/v1/tenants/default", json=rights | {"dry_run": True}).json()
    assert (dry["dry_run"], dry["tenant"]["tier"]) == (True, 1)
    assert ask(cloud, "GET", "/v1/tenants/default").json()["tier"] == 0

    set_ = ask(cloud, "PATCH", "/v1/tenants/default", json=rights).json()["tenant"]
    assert {name: set_[name] for name in rights} == rights
    assert set_["doubts"] == ["no node is at the site 'moon'; sites there are: local"]
    assert (set_["services"], set_["keys"]) == ([MODEL], ["admin", "user"])

    part = ask(cloud, "PATCH", "/v1/tenants/default", json={"budget_micros": None, "guarantees": []}).json()["tenant"]
    assert (part["tier"], part["weight"], part["guarantees"], part["budget_micros"]) == (1, 2.0, [], None)
    assert ask(cloud, "DELETE", "/v1/tenants/default").json()["tier"] == 0
    assert ask(cloud, "PATCH", "/v1/tenants/new", json={"weight": 0.5}).status_code == 200
    assert ask(cloud, "DELETE", "/v1/tenants/new").status_code == 200
    assert error_of(ask(cloud, "DELETE", "/v1/tenants/new"))[:2] == (404, "not_found")
    assert error_of(ask(cloud, "GET", "/v1/tenants/new"))[2] == "there is no tenant 'new'"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"tier": -1}, "tier -1"),
        ({"tier": "0"}, "tier is '0'"),
        ({"weight": 0}, "weight 0"),
        ({"budget_micros": 1.5}, "budget_micros is 1.5"),
        ({"budget": 1}, "budget is 1: extra inputs are not permitted"),
        ({"guarantees": [{"chips": ["nvidia-h2O"], "devices": 8}]}, "no chip 'nvidia-h2O'"),
        ({"guarantees": [{"chips": [], "devices": 8}]}, "guarantees.0.chips"),
        ({"guarantees": [{"chips": ["nvidia-h20"], "devices": 0}]}, "0 devices"),
    ],
)
def test_bad_rights_name_field_and_value(quiet: Served, body: dict[str, Any], words: str) -> None:
    """400 in the one shape; so is a name that is none."""
    status, code, message = error_of(ask(quiet, "PATCH", "/v1/tenants/a", json=body))
    assert (status, code) == (400, "bad_input")
    assert words in message
    assert error_of(ask(quiet, "PATCH", "/v1/tenants/a%20b", json={"tier": 1}))[:2] == (400, "bad_input")


def test_bad_json_and_unknown_routes(quiet: Served) -> None:
    """What is no JSON, no route or no method is told so, in the one shape."""
    broken = ask(quiet, "POST", "/v1/services", content=b"{", headers={"Content-Type": "application/json"})
    assert error_of(broken)[0] == 400
    assert "not JSON" in error_of(broken)[2]
    for depth in (500, 900, 990, 100_000):
        nested = b'{"model": ' + b"[" * depth + b"]" * depth + b"}"
        assert error_of(ask(quiet, "POST", "/v1/services", content=nested, headers=JSON))[:2] == (400, "bad_input")
    odd = ask(quiet, "POST", "/v1/services", content=b'{"model": "\xff"}', headers=JSON)
    assert error_of(odd)[:2] == (400, "bad_input")
    assert error_of(ask(quiet, "POST", "/v1/services", json=None))[0] == 400
    assert error_of(ask(quiet, "GET", "/v1/nothing"))[:2] == (404, "not_found")
    assert error_of(ask(quiet, "PUT", "/v1/services"))[:2] == (405, "method_not_allowed")
    assert error_of(ask(quiet, "GET", "/v1/services/x/explain?limit=0"))[:2] == (400, "bad_input")


def test_foreign_hosts_are_refused(quiet: Served) -> None:
    """DNS rebinding: a web page that points its own name here gets nothing, not even /health."""
    for host in ("evil.example", "evil.example:8001", "127.0.0.1.evil.example", ""):
        status, code, message = error_of(ask(quiet, "GET", "/health", headers={"Host": host}))
        assert (status, code) == (400, "bad_input")
        assert repr(host) in message
    assert [host_name(each) for each in ("[::1]:8001", "LocalHost:8001", "a.b.")] == ["::1", "localhost", "a.b"]


def test_a_bug_is_an_id_for_the_client(quiet: Served) -> None:
    """No traceback and no detail leaves the process; the id leads to the log."""
    status, code, message = error_of(ask(quiet, "GET", "/bug"))
    assert (status, code) == (500, "internal")
    assert "fault" in message
    assert "secret detail" not in message


def test_keys_live_and_die(cloud: Served) -> None:
    """The secret is told once and works; a revoked one does not; the last admin key stays."""
    made = ask(cloud, "POST", "/v1/keys", json={"name": "ci", "role": "user"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    secret = made.json()["secret"]
    assert ask(cloud, "GET", "/v1/status", secret).status_code == 200
    listed = ask(cloud, "GET", "/v1/keys")
    assert {each["name"] for each in listed.json()["keys"]} == {"admin", "user", "other", "ci"}
    assert secret not in listed.text
    assert "sha256" not in listed.text
    assert error_of(ask(cloud, "POST", "/v1/keys", json={"name": "ci"}))[:2] == (409, "conflict")
    assert ask(cloud, "DELETE", "/v1/keys/ci").json()["name"] == "ci"
    assert ask(cloud, "GET", "/v1/status", secret).status_code == 401
    assert error_of(ask(cloud, "DELETE", "/v1/keys/admin"))[:2] == (409, "conflict")
    assert error_of(ask(cloud, "DELETE", "/v1/keys/none"))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    "name", ["", "x\x1b[31m\n\0", "team/ci", "key-admin", "key-x", "..", "-x", "a b", "ci\n", "é", "x" * 64]
)
def test_names_of_keys_are_plain(quiet: Served, name: str) -> None:
    """Neither a name nor a tenant may drive a terminal, lead elsewhere in an address, or look like a key's id."""
    for body in ({"name": name}, {"name": "fine", "tenant": name}):
        status, code, message = error_of(ask(quiet, "POST", "/v1/keys", json=body))
        assert (status, code) == (400, "bad_input")
        assert f"{'tenant' if 'tenant' in body else 'name'} is " in message
        assert "use 1 to 63 letters, digits" in message


def test_plain_names_are_taken(cloud: Served) -> None:
    """And each can be revoked by it."""
    for name in ("ci", "Team_1.ci-2", "key", "9", "x" * 63):
        assert ask(cloud, "POST", "/v1/keys", json={"name": name, "tenant": name}).status_code == 201
        assert ask(cloud, "DELETE", f"/v1/keys/{name}").status_code == 200


def test_history_of_what_never_was(quiet: Served) -> None:
    """404 with the names there are; a node of which nothing happened yet has an empty history."""
    status, code, message = error_of(ask(quiet, "GET", "/v1/history/nothing"))
    assert (status, code, message) == (404, "not_found", "nothing was ever recorded about 'nothing'")
    assert "laptop" in ask(quiet, "GET", "/v1/history/nothing").json()["error"]["remedy"]
    assert ask(quiet, "GET", "/v1/history/laptop").status_code == 200


def test_logs_stream_and_let_go(cloud: Served) -> None:
    """The last lines come at once while the log is followed, and the agent's reader is let go when the client leaves."""
    deploy(cloud)
    until_ready(cloud, MODEL)
    replica = ask(cloud, "GET", "/v1/replicas").json()["replicas"][0]["id"]
    whole = ask(cloud, "GET", f"/v1/replicas/{replica}/logs?lines=2")
    assert whole.text == f"line 0 of {replica}\nline 1 of {replica}\n"
    assert whole.headers["content-type"].startswith("text/plain")
    assert error_of(ask(cloud, "GET", "/v1/replicas/none/logs"))[:2] == (404, "not_found")
    assert error_of(ask(cloud, "GET", f"/v1/replicas/{replica}/logs?lines=-1"))[:2] == (400, "bad_input")
    for lines in (0, 1):
        left = cloud.agents.left
        url = f"{cloud.url}/v1/replicas/{replica}/logs?follow=true&lines={lines}"
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        with httpx2.Client(trust_env=False) as http, http.stream("GET", url, headers=headers) as response:
            assert response.status_code == 200
            if lines:
                assert next(response.iter_text()) == f"line 0 of {replica}\n"
        deadline_s = time.monotonic() + 10
        while cloud.agents.left == left:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)


def test_metrics_tell_every_phase(cloud: Served) -> None:
    """Prometheus text with a line for each phase, also those that nobody is in."""
    deploy(cloud)
    until_ready(cloud, MODEL)
    text = ask(cloud, "GET", "/metrics", USER_KEY).text
    for line in (
        'alliage_info{version="9.9.9"} 1.0',
        'alliage_nodes{phase="ready"} 1.0',
        'alliage_services{phase="ready"} 1.0',
        'alliage_services{phase="unserved"} 0.0',
        'alliage_replicas{phase="ready"} 1.0',
        "alliage_gateways_connected 1.0",
        'alliage_device_free_bytes{device="laptop/cpu0"}',
    ):
        assert line in text


def test_the_page_and_the_document(quiet: Served) -> None:
    """The page names every route and loads nothing from elsewhere; the document describes errors and bodies."""
    page = ask(quiet, "GET", "/docs", None)
    document = ask(quiet, "GET", "/openapi.json", None).json()
    for path in document["paths"]:
        assert path in page.text
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "Seconds to the first token." in page.text
    assert f"$KEY&quot; {quiet.url}/v1/status" in page.text
    assert "8001" not in page.text
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert ask(quiet, "GET", "/", None).headers["location"] == "/docs"


def test_problems_are_said(cloud: Served) -> None:
    """A node that is lost and a service that cannot be served are in `status` as sentences."""
    deploy(cloud)
    until_ready(cloud, MODEL)
    node = next(iter(cloud.world.agents.nodes))
    cloud.call(lambda: cloud.agents.away.add(node))
    deadline_s = time.monotonic() + 20
    problems: list[str] = []
    while "node laptop cannot be reached" not in problems:
        assert time.monotonic() < deadline_s, problems
        status = ask(cloud, "GET", "/v1/status").json()
        problems = status["problems"]
    assert not status["nodes"][0]["connected"]
