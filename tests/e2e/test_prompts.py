"""What becomes of prompts on the disk of a whole cloud with a real engine: nothing, until an admin wants one tenant's logged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, eventually

pytestmark = pytest.mark.e2e
_BEFORE, _LOGGED, _OTHERS, _AFTER = "zebrafinch", "wagtailing", "goldcrested", "nightjarred"
_MARKS = (_BEFORE, _LOGGED, _OTHERS, _AFTER)


@pytest.fixture
def watched(quick_alphabet: Path) -> Iterator[Cloud]:
    """A cloud with an access log, a service, which tests ask with keys of two tenants."""
    with a_cloud("[gateway]\naccess_log = true\n") as cloud:
        cloud.up()
        cloud.deploy(quick_alphabet, "alphabet")
        yield cloud


def _say(cloud: Cloud, key: str, mark: str) -> None:
    """A chat, a stream and a completion."""
    client = cloud.client(key)
    asked: Any = {"model": "alphabet", "messages": [{"role": "user", "content": mark}], "max_tokens": 3}
    client.chat.completions.create(**asked)
    list(client.chat.completions.create(**asked, stream=True))
    client.completions.create(model="alphabet", prompt=mark, max_tokens=3)


def _where(cloud: Cloud) -> dict[str, set[str]]:
    """Which files of the home, of whatever kind, have which of the marks in them."""
    files = [path for path in cloud.home.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {"alliage.db", "gateway.log", "access.log"} <= {path.name for path in files}
    held = {path: path.read_bytes() for path in files}
    found = {
        mark: {str(path.relative_to(cloud.home)) for path in files if mark.encode() in held[path]} for mark in _MARKS
    }
    return {mark: names for mark, names in found.items() if names}


def _lines(cloud: Cloud) -> list[Any]:
    """The access log's lines of requests to an engine."""
    text = (cloud.home / "logs" / "access.log").read_text() if (cloud.home / "logs" / "access.log").exists() else ""
    return [line for line in map(json.loads, text.splitlines()) if line["replica"]]


def _run(cloud: Cloud, *command: str) -> str:
    """What it printed, once the gateway works by the table that comes of it."""
    before = cloud.see("status")["doors"][0]["table_version"]
    printed = cloud.run(*command).stdout.strip()
    eventually(lambda: cloud.see("status")["doors"][0]["table_version"] > before, what="the next table")
    return printed


def _used(cloud: Cloud, key: str) -> dict[str, int] | None:
    """What the tenant used in the last minute, after asking once more; None until control was told."""
    _say(cloud, key, _AFTER)
    (told,) = cloud.see("limits", "tenant:open")["scopes"]
    used: dict[str, int] = told["used"]
    return used if used["requests_last_minute"] and used["tokens_last_minute"] else None


def test_prompts_are_nowhere_until_they_are_wanted(watched: Cloud) -> None:
    """Off: in no file of the home. On: in the access log alone, in lines of that tenant alone; off again: nothing more comes."""
    key = _run(watched, "key", "create", "--tenant", "open")
    other = (watched.home / "user.key").read_text().strip()  # of the tenant `default`
    _say(watched, key, _BEFORE)
    eventually(lambda: len(_lines(watched)) == 3, what="the lines are written")
    assert _where(watched) == {}

    _run(watched, "tenant", "set", "open", "--log-prompts", "--tpm", "1M")
    _say(watched, key, _LOGGED)
    _say(watched, other, _OTHERS)
    eventually(lambda: len(_lines(watched)) == 9, what="the lines are written")
    assert _where(watched) == {_LOGGED: {"logs/access.log"}}

    _run(watched, "tenant", "set", "open", "--no-log-prompts")
    _say(watched, key, _AFTER)
    eventually(lambda: len(_lines(watched)) == 12, what="the lines are written")
    eventually(lambda: _used(watched, key), what="control is told what was used of the limit")
    watched.close()  # what was in memory is on the disk then

    assert _where(watched) == {_LOGGED: {"logs/access.log"}}
    told = [(line["tenant"], json.loads(line["prompt"])) for line in _lines(watched) if "prompt" in line]
    chat = {"messages": [{"role": "user", "content": _LOGGED}]}
    assert told == [("open", chat), ("open", chat), ("open", {"prompt": _LOGGED})]
    log = watched.home / "logs" / "access.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert not any(secret in log.read_text() for secret in (key, other, "Bearer"))
