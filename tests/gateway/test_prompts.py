"""Prompts in the access log: for the tenant that wants it, from what the body calls a prompt, cut; and for nobody else."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry, RoutingTable
from alliage.gateway.access_log import AccessLog
from alliage.gateway.prompts import FIELDS, FORM_FIELDS, PROMPT_BYTES_MAX, logged_prompt
from alliage.gateway.recorder import PROMPTS_BYTES_MAX, Ended, Recorder
from tests.gateway.house import House, chat_body, house, post, route, run, table, upstream
from tests.gateway.test_forms import KIND, form, part
from tests.gateway.upstream import Engine

_MARK = "what-the-cook-said"
_OPEN, _SHY = "alliage-of-the-open", "alliage-of-the-shy"
_DOCS = Path(__file__).parent.parent.parent / "docs" / "watching.md"


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _table(version: int, port: int, *, logs: bool) -> RoutingTable:
    """A service and keys of two tenants, of which `open` has its prompts logged or not; `shy` never."""
    keys = {
        hashlib.sha256(secret.encode()).hexdigest(): KeyEntry(
            key=KeyId(f"key-{tenant}"), tenant=tenant, role=Role.USER, logs_prompts=logs and tenant == "open"
        )
        for tenant, secret in (("open", _OPEN), ("shy", _SHY))
    }
    return replace(table(version, route("m", upstream("m-1", port))), keys=keys)


async def _say(place: House, words: str, key: str, *, stream: bool = False) -> int:
    body = chat_body(messages=[{"role": "user", "content": words}], stream=stream)
    return (await place.ask(post(body, key=key))).status


def test_it_is_logged_for_the_tenant_that_wants_it_while_it_does(tmp_path: Path) -> None:
    """Off, on, off by three tables: only what began under the second has it, streams too, and no other tenant's ever."""

    async def main() -> None:
        recorder = Recorder([AccessLog(tmp_path / "access.log", "g", 1 << 20)])
        async with Engine() as engine, house(_table(1, engine.port, logs=False), recorder=recorder) as place:
            assert await _say(place, "one", _OPEN) == 200
            await place.control.swap(_table(2, engine.port, logs=True))
            assert await _say(place, "two", _OPEN) == 200
            assert await _say(place, "hidden", _SHY) == 200
            assert await _say(place, "three", _OPEN, stream=True) == 200
            refused = chat_body("absent", messages=[{"role": "user", "content": "four"}], user=_MARK)
            assert (await place.ask(post(refused, key=_OPEN, extra=f"X-Mark: {_MARK}\r\n"))).status == 404
            assert (await place.ask(post(b"{" + _MARK.encode(), key=_OPEN))).status == 400
            await place.control.swap(_table(3, engine.port, logs=False))
            assert await _say(place, "five", _OPEN) == 200
        text, lines = (tmp_path / "access.log").read_text(), _lines(tmp_path / "access.log")
        told = [(line["tenant"], json.loads(line.get("prompt", "null"))) for line in lines]
        said = [None, "two", None, "three", "four", None, None]
        tenants = ["open", "open", "shy", "open", "open", "open", "open"]
        asked = [None if word is None else {"messages": [{"role": "user", "content": word}]} for word in said]
        assert told == list(zip(tenants, asked, strict=True))
        assert not any("prompt_cut_bytes" in line for line in lines)
        assert not any(word in text for word in ("hidden", "five", _MARK, _OPEN, _SHY))

    run(main())


@pytest.mark.parametrize("stream", [False, True])
def test_a_long_prompt_is_cut_where_it_is_said(tmp_path: Path, *, stream: bool) -> None:
    """At most PROMPT_BYTES_MAX bytes of UTF-8 that are whole characters, the line stays JSON and says what is missing."""
    words = "köche " * 9000

    async def main() -> None:
        recorder = Recorder([AccessLog(tmp_path / "access.log", "g", 1 << 20)])
        async with Engine() as engine, house(_table(1, engine.port, logs=True), recorder=recorder) as place:
            messages = [{"role": "user", "content": words}]
            body = json.dumps({"model": "m", "stream": stream, "messages": messages}, ensure_ascii=False).encode()
            assert (await place.ask(post(body, key=_OPEN))).status == 200
        (line,) = _lines(tmp_path / "access.log")
        whole = json.dumps({"messages": messages}, ensure_ascii=False).encode()
        kept = line["prompt"].encode()
        assert PROMPT_BYTES_MAX - 2 <= len(kept) <= PROMPT_BYTES_MAX
        assert whole.replace(b'"messages": ', b'"messages":').startswith(kept)
        assert len(kept) + line["prompt_cut_bytes"] == len(whole) - 1

    run(main())


def test_a_prompt_is_whole_up_to_the_last_byte() -> None:
    """Around the limit, for characters of one to four bytes that may lie across it."""
    for letter in "aé厨😀":
        for size in range(PROMPT_BYTES_MAX - 20, PROMPT_BYTES_MAX + 8):
            text = letter * (size // len(letter.encode()))
            kept = logged_prompt(f'{{"prompt":"{text}"}}'.encode(), None)
            whole = f'{{"prompt":"{text}"}}'.encode()
            assert len(kept.text) + kept.cut_bytes == len(whole)
            assert whole.startswith(kept.text)
            assert kept.text.decode().encode() == kept.text
            assert (kept.cut_bytes == 0) is (len(whole) <= PROMPT_BYTES_MAX)
            assert len(kept.text) > PROMPT_BYTES_MAX - 25 - len(letter.encode())


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ('{"model":"m","prompt":["a","b"],"suffix":"c","max_tokens":5}', '{"prompt":["a","b"],"suffix":"c"}'),
        ('{"input":"a","model":"m","instructions":"b"}', '{"instructions":"b","input":"a"}'),
        (
            '{"model":"m","system":"s","messages":[],"tools":[{"t":1}],"metadata":{"input":1}}',
            '{"system":"s","messages":[]}',
        ),
        ('{"model":"m","query":"q","documents":["d"]}', '{"query":"q","documents":["d"]}'),
        ('{"model":"m","text_1":"a","text_2":["b"]}', '{"text_1":"a","text_2":["b"]}'),
        ('{"model":"m","input":"a","input":"b"}', '{"input":"b"}'),
        ('{"model":"m","prompt":"\\ud83d\\ude00 \\" \\u0000"}', '{"prompt":"\\ud83d\\ude00 \\" \\u0000"}'),
        ('{"model":"m"}', "{}"),
    ],
)
def test_what_of_a_body_is_its_prompt(body: str, kept: str) -> None:
    """Members by their names, at the outside only, as they came; of doubled ones the last, as in the engines."""
    found = logged_prompt(body.encode(), None)
    assert (found.text.decode(), found.cut_bytes) == (kept, 0)


def test_of_a_form_only_its_texts_are_logged() -> None:
    """No file, whatever it is called, and what is no UTF-8 is made readable."""
    body = form(
        part("model", b"m"),
        part("image", _MARK.encode(), '; filename="prompt.png"'),
        part("prompt", _MARK.encode(), '; filename="x.png"'),
        part("prompt", b'a "hat" \xff'),
        part("language", b"de"),
    )
    found = logged_prompt(body, KIND)
    assert json.loads(found.text) == {"prompt": 'a "hat" \ufffd'}
    assert json.loads(logged_prompt(form(part("model", b"m")), KIND).text) == {}


def test_fields_and_limits_are_documented() -> None:
    """The page names each member that may come into the log, and the limits as they are."""
    told = _DOCS.read_text().split("## Prompts")[1].split("\n# ")[0]
    assert all(f"`{name}`" in told for name in FIELDS)
    assert {name.encode() for name in FIELDS} >= FORM_FIELDS
    assert f"{PROMPT_BYTES_MAX:,} bytes" in told
    assert f"{PROMPTS_BYTES_MAX >> 20} MiB" in told


class _Seen:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.ended: list[Ended] = []

    def take(self, batch: Sequence[Ended]) -> int:
        """All of it."""
        self.ended += batch
        return 0

    def close(self) -> None:
        """Nothing to do."""


@pytest.mark.parametrize("keeps", [True, False])
def test_prompts_are_not_even_put_by_where_nobody_writes_them(*, keeps: bool) -> None:
    """As where there is tracing and no access log."""

    async def main() -> None:
        seen = _Seen()
        recorder = Recorder([seen], keeps_prompts=keeps)
        async with Engine() as engine, house(_table(1, engine.port, logs=True), recorder=recorder) as place:
            assert await _say(place, "one", _OPEN) == 200
        (prompt,) = [each.prompt for each in seen.ended]
        whole = b'{"messages":[{"role": "user", "content": "one"}]}'
        assert (None if prompt is None else prompt.text) == (whole if keeps else None)

    run(main())


def test_what_waits_to_be_written_is_bounded() -> None:
    """A disk that hangs must not fill the memory with prompts: of those beyond only the size is kept."""
    recorder = Recorder([])
    small, large = logged_prompt(b'{"prompt":"a"}', None), logged_prompt(b'{"prompt":"' + b"a" * 99_999 + b'"}', None)
    assert recorder._room_for(small) is small
    recorder._prompt_bytes = PROMPTS_BYTES_MAX - len(small.text)
    assert recorder._room_for(small) is small
    refused = recorder._room_for(large)
    assert (refused.text, refused.cut_bytes) == (b"", len(large.text) + large.cut_bytes)


def test_the_file_is_for_its_user_alone(tmp_path: Path) -> None:
    """Also one that was there before, for everybody to read."""
    path = tmp_path / "access.log"
    path.touch(0o644)
    path.chmod(0o644)
    log = AccessLog(path, "g", 1 << 20)
    log.take([Ended(1.0, b"r", None, None, b"GET", b"/health", 200, "")])
    log.close()
    assert path.stat().st_mode & 0o777 == 0o600
