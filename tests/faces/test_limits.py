"""Projects, keys and limits over the admin API, on a real port; and what the command line makes of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from rich.console import RenderableType
from syrupy.assertion import SnapshotAssertion

from alliage.control.used import Used
from alliage.errors import BadInput
from alliage.faces.admin.key_answers import KeysAnswer
from alliage.faces.admin.limit_answers import ScopesAnswer
from alliage.faces.admin.project_answers import ProjectsAnswer
from alliage.faces.admin.tenant_answers import TenantsAnswer
from alliage.faces.cli.keys import keys_table
from alliage.faces.cli.limits import limits_body, limits_table
from alliage.faces.cli.projects import projects_table
from alliage.faces.cli.tenants import tenant_lines, tenants_table
from alliage.fleet.limits import Scope
from tests.faces.served import ADMIN_KEY, USER_KEY, Served, served
from tests.faces.test_admin_api import ask, error_of
from tests.faces.test_cli_words import drawn

NO_LIMITS = dict.fromkeys(
    (
        "requests_per_minute",
        "tokens_per_minute",
        "parallel",
        "context_tokens",
        "models",
        "day_micros",
        "month_micros",
    )
)
SOME = {"requests_per_minute": 600, "models": ["smollm2-135m"], "day_micros": 12_500_000}


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


class Counting:
    """One that counts what the tenant `default` used."""

    def used(self) -> Mapping[Scope, Used]:
        """Some requests and money; nothing of tokens."""
        return {Scope("tenant:default"): Used(requests_last_minute=12, parallel=0, day_micros=1_500_000)}


def set_all(cloud: Served) -> None:
    """Limits of the tenant `default`, its project `web` and a key in that project."""
    for path in ("/v1/tenants/default", "/v1/tenants/default/projects/web"):
        assert ask(cloud, "PATCH", path, json={"limits": SOME}).status_code == 200
    key = {"name": "ci", "project": "web", "priority": "batch", "limits": {"parallel": 4}}
    assert ask(cloud, "POST", "/v1/keys", json=key).status_code == 201


def test_limits_of_a_tenant(cloud: Served) -> None:
    """Set in part, told with its doubts, lifted by null; a dry run changes nothing, and rights stay as they were."""
    ask(cloud, "PATCH", "/v1/tenants/acme", json={"weight": 2})
    dry = ask(cloud, "PATCH", "/v1/tenants/acme", json={"limits": SOME, "dry_run": True}).json()["tenant"]
    assert dry["limits"] == NO_LIMITS | SOME
    assert dry["limit_doubts"] == ["there is no service 'smollm2-135m' now"]
    assert ask(cloud, "GET", "/v1/tenants/acme").json()["limits"] == NO_LIMITS
    ask(cloud, "PATCH", "/v1/tenants/acme", json={"limits": SOME})
    part = {"requests_per_minute": None, "parallel": 8}
    told = ask(cloud, "PATCH", "/v1/tenants/acme", json={"limits": part}).json()["tenant"]
    assert told["limits"] == NO_LIMITS | SOME | part
    assert told["weight"] == 2.0
    assert ask(cloud, "DELETE", "/v1/tenants/acme?dry_run=true").json()["limits"] == NO_LIMITS
    assert ask(cloud, "GET", "/v1/tenants/acme").json() == told


def test_projects_from_set_to_drop(cloud: Served) -> None:
    """One that is set is there, and so is one that a key names; a dropped one has no limits, and is gone without keys."""
    dry = ask(cloud, "PATCH", "/v1/tenants/acme/projects/web", json={"limits": SOME, "dry_run": True}).json()
    assert dry["project"]["limits"] == NO_LIMITS | SOME
    assert ask(cloud, "GET", "/v1/projects").json() == {"projects": []}
    ask(cloud, "PATCH", "/v1/tenants/acme/projects/web", json={"limits": SOME})
    ask(cloud, "POST", "/v1/keys", json={"name": "ci", "tenant": "other", "project": "app"})
    every = ask(cloud, "GET", "/v1/projects").json()["projects"]
    assert [(each["tenant"], each["name"], each["keys"]) for each in every] == [
        ("acme", "web", []),
        ("other", "app", ["ci"]),
    ]
    assert ask(cloud, "GET", "/v1/tenants/acme/projects").json()["projects"] == every[:1]
    assert ask(cloud, "GET", "/v1/tenants/acme/projects/web").json() == every[0]
    assert ask(cloud, "GET", "/v1/tenants/acme").json()["projects"] == ["web"]
    assert ask(cloud, "DELETE", "/v1/tenants/other/projects/app").json()["keys"] == ["ci"]
    assert ask(cloud, "DELETE", "/v1/tenants/acme/projects/web").json()["limits"] == NO_LIMITS
    assert error_of(ask(cloud, "GET", "/v1/tenants/acme/projects/web"))[:2] == (404, "not_found")
    assert error_of(ask(cloud, "GET", "/v1/tenants/acme/projects"))[2] == "there is no tenant 'acme'"


def test_a_key_is_changed_and_its_secret_stays(cloud: Served) -> None:
    """Project, priority and limits; what is left out stays, null takes it out of its project. No digest is ever told."""
    asked = {"tenant": "acme", "project": "web", "priority": "interactive", "limits": {"requests_per_minute": 60}}
    dry = ask(cloud, "POST", "/v1/keys", json=asked | {"dry_run": True})
    assert (dry.status_code, dry.json()["secret"], dry.json()["key"]["id"]) == (200, "", "")
    stated = ask(cloud, "GET", "/openapi.json").json()["paths"]["/v1/keys"]["post"]["responses"]
    assert stated["200"]["content"] == stated["201"]["content"]  # found by fuzzing: only 201 was
    made = ask(cloud, "POST", "/v1/keys", json=asked).json()
    assert made["key"]["name"] == dry.json()["key"]["name"] == "acme-web-1"
    assert made["key"]["limits"] == NO_LIMITS | {"requests_per_minute": 60}
    change = {"priority": "batch", "limits": {"parallel": 2, "requests_per_minute": None}}
    changed = ask(cloud, "PATCH", "/v1/keys/acme-web-1", json=change)
    assert changed.json()["key"] == made["key"] | {"priority": "batch", "limits": NO_LIMITS | {"parallel": 2}}
    assert ask(cloud, "PATCH", "/v1/keys/acme-web-1", json={"project": None}).json()["key"]["project"] == ""
    assert ask(cloud, "GET", "/v1/status", made["secret"]).status_code == 200
    shown = ask(cloud, "GET", f"/v1/keys/{made['key']['id']}")
    assert (shown.json()["project"], shown.json()["priority"]) == ("", "batch")
    assert "sha256" not in changed.text + shown.text
    assert ask(cloud, "DELETE", "/v1/keys/acme-web-1?dry_run=true").status_code == 200
    assert ask(cloud, "GET", "/v1/keys/acme-web-1").status_code == 200


def test_one_view_of_all_limits(cloud: Served) -> None:
    """An admin sees all that have any, and what holds for one; others what holds for their own key."""
    set_all(cloud)
    scopes = ask(cloud, "GET", "/v1/limits").json()["scopes"]
    assert [each["scope"].partition(":")[0] for each in scopes] == ["tenant", "project", "key"]
    assert [each["limits"] for each in scopes] == [NO_LIMITS | each for each in (SOME, SOME, {"parallel": 4})]
    assert (scopes[2]["key"], scopes[2]["project"], scopes[2]["tenant"]) == ("ci", "web", "default")
    assert ask(cloud, "GET", "/v1/limits/key:ci").json()["scopes"] == scopes[::-1]
    assert ask(cloud, "GET", "/v1/limits/project:default/web").json()["scopes"] == scopes[1::-1]
    assert ask(cloud, "GET", "/v1/limits/project%3Adefault%2Fweb").json()["scopes"] == scopes[1::-1]
    mine = ask(cloud, "GET", "/v1/limits", USER_KEY).json()["scopes"]
    assert [each["scope"] for each in mine] == ["key:key-user", "tenant:default"]
    assert mine[1] == scopes[0]
    assert error_of(ask(cloud, "GET", "/v1/limits/default"))[:2] == (400, "bad_input")
    assert error_of(ask(cloud, "GET", "/v1/limits/key:none"))[:2] == (404, "not_found")


def test_what_was_used_is_told_where_it_is_counted(cloud: Served) -> None:
    """Nobody counts: the field is left out. Somebody does: what is counted are figures, the rest is null."""
    set_all(cloud)
    assert all("used" not in each for each in ask(cloud, "GET", "/v1/limits").json()["scopes"])
    cloud.call(lambda: setattr(cloud.world.desk, "_counting", (Counting(),)))
    tenant, project, _ = ask(cloud, "GET", "/v1/limits").json()["scopes"]
    assert "used" not in project
    assert tenant["used"] == {
        "requests_last_minute": 12,
        "tokens_last_minute": None,
        "parallel": 0,
        "day_micros": 1_500_000,
        "month_micros": None,
    }


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"requests_per_minute": 0}, "a limit of 0 requests a minute"),
        ({"tokens_per_minute": "1M"}, "limits.tokens_per_minute is '1M'"),
        ({"parallel": 1.5}, "limits.parallel is 1.5"),
        ({"models": []}, "limits.models is []"),
        ({"models": ["A b"]}, "the model 'A b'"),
        ({"models": "qwen"}, "limits.models is 'qwen'"),
        ({"day_micros": -1}, "a limit of -1 micros a day"),
        ({"month_micros": 10**400}, "a limit of 1000000000... (401 digits) micros a month"),
        ({"rpm": 1}, "limits.rpm is 1: extra inputs are not permitted"),
    ],
)
def test_bad_limits_name_field_and_value(quiet: Served, limits: dict[str, Any], words: str) -> None:
    """400 in the one shape, for tenants, projects and keys alike."""
    for method, path in (("PATCH", "/v1/tenants/a"), ("PATCH", "/v1/tenants/a/projects/b"), ("POST", "/v1/keys")):
        status, code, message = error_of(ask(quiet, method, path, json={"limits": limits}))
        assert (status, code) == (400, "bad_input")
        assert words in message


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/v1/keys", {"project": "a/b"}, "project is 'a/b'"),
        ("POST", "/v1/keys", {"priority": "first"}, "priority is 'first'"),
        ("PATCH", "/v1/keys/user", {"priority": 1}, "priority is 1"),
        ("PATCH", "/v1/keys/user", {"tenant": "other"}, "tenant is 'other': extra inputs are not permitted"),
        ("PATCH", "/v1/keys/user", {"role": "admin"}, "role is 'admin': extra inputs are not permitted"),
        ("PATCH", "/v1/tenants/a/projects/key-1", {}, "name is 'key-1'"),
    ],
)
def test_bad_changes_name_field_and_value(
    quiet: Served, method: str, path: str, body: dict[str, Any], words: str
) -> None:
    """400 in the one shape; tenant and role of a key are for good."""
    status, code, message = error_of(ask(quiet, method, path, json=body))
    assert (status, code) == (400, "bad_input")
    assert words in message


def test_who_changed_what_is_told_to_admins(cloud: Served) -> None:
    """By the key that asked; nobody else sees it, in the history or among the newest events."""
    set_all(cloud)
    ask(cloud, "PATCH", "/v1/tenants/default", json={"limits": {"day_micros": None}, "logs_prompts": True})
    seen = [each["what"] for each in ask(cloud, "GET", "/v1/history/tenant:default").json()["observations"]]
    assert seen == [
        "day_micros 12500000 -> none, its prompts are logged (by the key admin)",
        "requests_per_minute none -> 600, models none -> smollm2-135m, day_micros none -> 12500000 (by the key admin)",
    ]
    assert len(ask(cloud, "GET", "/v1/history/project:default/web").json()["observations"]) == 1
    assert "'ci' was made" in ask(cloud, "GET", "/v1/history/key:ci").json()["observations"][0]["what"]
    assert ask(cloud, "GET", "/v1/history/key:user").json()["observations"] == []
    for path in ("/v1/history/tenant:default", "/v1/history/key:user"):
        assert error_of(ask(cloud, "GET", path, USER_KEY))[:2] == (403, "forbidden")
    for name in ("tenant:nobody", "project:default/none", "key:none"):
        assert error_of(ask(cloud, "GET", f"/v1/history/{name}"))[:2] == (404, "not_found")
    told = [
        [each["subject"] for each in ask(cloud, "GET", "/v1/top", key).json()["events"]]
        for key in (ADMIN_KEY, USER_KEY)
    ]
    assert ["tenant:default" in subjects for subjects in told] == [True, False]
    assert not any(subject.startswith(("key:", "project:")) for subject in told[1])


def test_prompts_of_a_tenant_are_logged_when_an_admin_says_so(cloud: Served) -> None:
    """Off unless set, kept when something else is set, gone with the tenant; nobody else may, and it is true or false."""
    where = "/v1/tenants/default"
    assert ask(cloud, "GET", where).json()["logs_prompts"] is False
    dry = ask(cloud, "PATCH", where, json={"logs_prompts": True, "dry_run": True}).json()["tenant"]
    assert (dry["logs_prompts"], ask(cloud, "GET", where).json()["logs_prompts"]) == (True, False)
    assert error_of(ask(cloud, "PATCH", where, USER_KEY, json={"logs_prompts": True}))[:2] == (403, "forbidden")
    for value in ("yes", 1):
        status, code, message = error_of(ask(cloud, "PATCH", where, json={"logs_prompts": value}))
        assert (status, code) == (400, "bad_input")
        assert f"logs_prompts is {value!r}" in message
    ask(cloud, "PATCH", where, json={"logs_prompts": True})
    ask(cloud, "PATCH", where, json={"weight": 2})
    assert ask(cloud, "GET", where).json()["logs_prompts"] is True
    assert [each["logs_prompts"] for each in ask(cloud, "GET", "/v1/tenants").json()["tenants"]] == [True, False]
    tenants = TenantsAnswer.model_validate_json(ask(cloud, "GET", "/v1/tenants").text).tenants
    assert "PROMPTS" in (listed := drawn(tenants_table(tenants)))[0]
    assert [line.split()[-1] for line in listed[1:]] == ["logged", "-"]
    assert "PROMPTS" not in drawn(tenants_table(tenants[1:]))[0]
    assert "  prompts     logged" in tenant_lines(tenants[0])
    ask(cloud, "DELETE", where)
    assert ask(cloud, "GET", where).json()["logs_prompts"] is False


def test_tables_of_limits(cloud: Served, snapshot: SnapshotAssertion) -> None:
    """What `list` and `show` print of tenants, projects, keys and limits, with and without figures of use."""
    set_all(cloud)
    scopes = ask(cloud, "GET", "/v1/limits").text
    cloud.call(lambda: setattr(cloud.world.desk, "_counting", (Counting(),)))
    keys = KeysAnswer.model_validate_json(ask(cloud, "GET", "/v1/keys").text).keys
    tenants = TenantsAnswer.model_validate_json(ask(cloud, "GET", "/v1/tenants").text).tenants
    projects = ProjectsAnswer.model_validate_json(ask(cloud, "GET", "/v1/projects").text).projects
    shown: list[RenderableType] = [
        limits_table(ScopesAnswer.model_validate_json(scopes).scopes),
        limits_table(ScopesAnswer.model_validate_json(ask(cloud, "GET", "/v1/limits").text).scopes),
        projects_table(projects),
        keys_table([each.model_copy(update={"created_s": 0.0}) for each in keys], now_s=90),
        "\n".join(tenant_lines(tenants[0])),
    ]
    assert drawn(*shown) == snapshot


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, {}),
        ({"rpm": "600", "tpm": "1.5M"}, {"requests_per_minute": 600, "tokens_per_minute": 1_500_000}),
        ({"context": "32Ki", "parallel": "none"}, {"context_tokens": 32_768, "parallel": None}),
        ({"models": ["a", "b"], "day": "0"}, {"models": ["a", "b"], "day_micros": 0}),
        ({"models": ["none"], "month": "12.000001"}, {"models": None, "month_micros": 12_000_001}),
        ({"day": "none", "month": "none"}, {"day_micros": None, "month_micros": None}),
    ],
)
def test_limits_as_they_are_typed(given: dict[str, Any], body: dict[str, Any]) -> None:
    """Counts, sums of money, names; `none` lifts."""
    assert limits_body(**_typed(given)) == body


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rpm": "many"}, "--rpm: 'many' is no whole number"),
        ({"tpm": "1.5"}, "--tpm: '1.5' is no whole number"),
        ({"parallel": "-1"}, "--parallel: '-1'"),
        ({"context": ""}, "--context: ''"),
        ({"day": "50 EUR"}, "--day: '50 EUR' is no sum of money"),
        ({"month": "1e3"}, "--month: '1e3'"),
        ({"day": "0.0000001"}, "--day: '0.0000001'"),
    ],
)
def test_what_cannot_be_read_names_its_option(given: dict[str, Any], said: str) -> None:
    """With the way to lift the limit among the ways out."""
    with pytest.raises(BadInput) as refused:
        limits_body(**_typed(given))
    assert said in refused.value.message
    assert "`none` for no limit" in refused.value.remedy


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(("rpm", "tpm", "parallel", "context", "models", "day", "month")) | given
