"""The access log: a line for each request, whoever answered it, and nothing of what was said in it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from alliage.fleet.ids import KeyId
from alliage.fleet.keys import Role
from alliage.fleet.routing import KeyEntry
from alliage.fleet.usage import Origin
from alliage.gateway.access_log import FILES_OLD, AccessLog
from alliage.gateway.recorder import PENDING_MAX, Ended, Recorder
from tests.gateway.house import KEY, chat_body, get, house, post, route, run, table, until, upstream
from tests.gateway.upstream import Call, Engine, chat, event

_SECRET = "what nobody may read"
_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _lines(path: Path) -> list[Any]:
    """Every line, decoded; none where there is no file yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _log(folder: Path, bytes_max: int = 1 << 20) -> AccessLog:
    return AccessLog(folder / "access.log", "gateway-1", bytes_max)


def _ended(number: int = 0) -> Ended:
    return Ended(1.0e9 + number, b"req-%d" % number, ("10.0.0.1", 5), None, b"GET", b"/health", 200, "")


def test_each_request_leaves_a_line_without_what_was_said(tmp_path: Path) -> None:
    """A stream, a refusal by the body, a wrong key, a model that is not there and a list of models."""

    async def main() -> None:
        async with Engine() as engine:
            one = replace(upstream("m-1", engine.port), origin=Origin(chip="cpu-x86"))
            recorder = Recorder([_log(tmp_path)])
            async with house(table(1, route("m", one)), recorder=recorder) as place:
                body = chat_body(stream=True, user=_SECRET)
                await place.ask(post(body, extra=f"X-Request-Id: mine-1\r\ntraceparent: {_PARENT}\r\n"))
                await place.ask(post(b'{"no-model": "' + _SECRET.encode() + b'"}'))
                await place.ask(post(chat_body(), key=_SECRET.replace(" ", "-")))
                await place.chat("absent")
                await place.ask(get(f"/v1/models?x={_SECRET.replace(' ', '-')}"))
            lines = _lines(tmp_path / "access.log")
            assert [(line["status"], line["ending"], line["reason"]) for line in lines] == [
                (200, "finished", ""),
                (400, "refused", "invalid_body"),
                (401, "refused", "invalid_api_key"),
                (404, "refused", "model_not_found"),
                (200, "finished", ""),
            ]
            first = lines[0]
            told = {
                name: first[name] for name in ("request", "gateway", "client", "tenant", "project", "key", "service")
            }
            assert told == {
                "request": "mine-1", "gateway": "gateway-1", "client": "127.0.0.1", "tenant": "house", "project": "", "key": "k",
                "service": "m",
            }  # fmt: skip
            assert (first["method"], first["endpoint"]) == ("POST", "/v1/chat/completions")
            assert (first["replica"], first["chip"]) == ("m-1", "cpu-x86")
            assert (first["prompt_tokens"], first["cached_tokens"], first["output_tokens"]) == (3, 0, 4)
            assert 0 < first["ttft_ms"] <= first["duration_ms"]
            assert first["tpot_ms"] > 0
            assert first["bytes"] > 0
            assert (first["retried"], first["continued"]) == (0, False)
            assert first["trace"] == _PARENT.split("-")[1]
            assert lines[4]["endpoint"] == "/v1/models"
            text = (tmp_path / "access.log").read_text()
            assert _SECRET not in text
            assert _SECRET.replace(" ", "-") not in text
            assert KEY not in text
            assert (tmp_path / "access.log").stat().st_mode & 0o777 == 0o600
            assert recorder.lost == 0

    run(main())


def test_how_a_request_ended_is_told(tmp_path: Path) -> None:
    """One that another replica answered, one that was cut off, and one whose client left."""

    async def main() -> None:
        async def dying(call: Call) -> None:
            call.cut()

        async def breaking(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("a"))
            call.cut()

        async def silent(call: Call) -> None:
            await call.gone.wait()

        async with Engine(dying) as bad, Engine(chat) as good:
            both = route("m", upstream("m-1", bad.port, 8), upstream("m-2", good.port, 1))
            async with house(table(1, both), recorder=Recorder([_log(tmp_path)])) as place:
                assert (await place.chat()).status == 200
                good.behave = bad.behave = breaking
                await place.chat(stream=True)
                good.behave = bad.behave = silent
                before = len(good.calls) + len(bad.calls)
                wire = await place.dial()
                await wire.send(post(chat_body()))
                await until(lambda: len(good.calls) + len(bad.calls) > before, "it was asked")
                wire.writer.close()
                await place.at_rest()
            lines = [line for line in _lines(tmp_path / "access.log") if line["endpoint"] != "/metrics"]
            assert [(line["status"], line["ending"]) for line in lines] == [
                (200, "finished"),
                (200, "failed"),
                (499, "cancelled"),
            ]
            assert lines[0]["retried"] == len(bad.calls[:1])

    run(main())


def test_files_are_put_aside_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    """Several processes may share them: each writes whole lines to the file of that name, and none is lost by that."""
    logs = [_log(tmp_path, 2000), _log(tmp_path, 2000)]
    for number in range(40):
        assert logs[number % 2].take([_ended(number)]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"access.log", *(f"access.log.{number}" for number in range(1, FILES_OLD + 1))}
    kept = [line["request"] for name in sorted(names, reverse=True) for line in _lines(tmp_path / name)]
    assert kept == [f"req-{number}" for number in range(40 - len(kept), 40)]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    for log in logs:
        log.close()


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    """As log rotation programs do."""
    log = _log(tmp_path)
    log.take([_ended(1)])
    (tmp_path / "access.log").rename(tmp_path / "elsewhere")
    log.take([_ended(2)])
    log.close()
    assert [line["request"] for line in _lines(tmp_path / "access.log")] == ["req-2"]


def test_a_full_disk_loses_lines_and_counts_them(tmp_path: Path) -> None:
    """The limit of the file's size stands for the disk's: no part of a line stays, and it goes on once there is room."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from alliage.gateway.access_log import AccessLog; from alliage.gateway.recorder import Ended\n"
        "ended = lambda number: Ended(0.0, b'req-%d' % number, None, None, b'GET', b'/', 200, '')\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "log = AccessLog(Path(sys.argv[1]) / 'access.log', 'g', 1 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, -1))\n"
        "lost = [log.take([ended(number)]) for number in range(5)]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "print(lost, log.take([ended(5)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stdout.strip().endswith("[0, 0, 1, 1, 1] 0")
    assert [line["request"] for line in _lines(tmp_path / "access.log")] == ["req-0", "req-1", "req-5"]


def test_a_folder_that_is_not_there_loses_lines_only(tmp_path: Path) -> None:
    """Whatever the file system says, the gateway goes on."""
    log = AccessLog(tmp_path / "gone" / "access.log", "g", 1000)
    assert log.take([_ended(), _ended()]) == 2
    (tmp_path / "gone").mkdir()
    assert log.take([_ended()]) == 0
    log.close()


class _Stuck:
    """A sink whose disk hangs until it is let go."""

    def __init__(self) -> None:
        reading, self.gate = os.pipe()
        self._reading = reading
        self.taken: list[int] = []

    def take(self, batch: Any) -> int:
        os.read(self._reading, 1)
        self.taken.append(len(batch))
        return 0

    def close(self) -> None:
        os.close(self._reading)


def test_a_disk_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    """Requests are answered all the while; what is put by is bounded, and what is beyond is counted as lost."""

    async def main() -> None:
        stuck = _Stuck()
        recorder = Recorder([stuck])
        async with (
            Engine() as engine,
            house(table(1, route("m", upstream("m-1", engine.port))), recorder=recorder) as place,
        ):
            assert (await place.chat()).status == 200
            await until(lambda: recorder._busy is not None, "the first batch is being written")
            for _ in range(3):
                assert (await place.chat()).status == 200
            recorder._pending += [_ended()] * (PENDING_MAX - len(recorder._pending))
            assert (await place.chat()).status == 200
            assert (await place.metrics())["alliage_gateway_records_lost_total"] >= 1
            os.write(stuck.gate, b"xx")
        assert stuck.taken[0] >= 1
        assert stuck.taken[1] == PENDING_MAX
        os.close(stuck.gate)

    run(main())


def test_what_is_put_by_is_small_whatever_is_sent(tmp_path: Path) -> None:
    """A path and a trace header of 30 KiB: as many as wait at most must not fill the memory."""

    async def main() -> None:
        recorder = Recorder([_log(tmp_path)])
        async with (
            Engine() as engine,
            house(table(1, route("m", upstream("m-1", engine.port))), recorder=recorder) as place,
        ):
            assert (await place.ask(get("/" + 30_000 * "x"))).status == 404
            assert (
                await place.ask(post(chat_body(), extra=f"traceparent: {_PARENT}-{30_000 * 'x'}\r\n"))
            ).status == 200
        refused, answered = _lines(tmp_path / "access.log")
        assert len(refused["endpoint"]) == 200
        assert answered["trace"] == ""  # version 00 says no more than this
        assert (tmp_path / "access.log").stat().st_size < 2000

    run(main())


def test_keys_and_projects_are_in_the_line(tmp_path: Path) -> None:
    """By their ids: secrets are never known here."""
    who = KeyEntry(key=KeyId("key-7"), tenant="mill", role=Role.USER, project="night")
    log = _log(tmp_path)
    log.take([Ended(1.0, b"r", None, who, b"POST", b"/v1/embeddings", 200, "")])
    log.close()
    (line,) = _lines(tmp_path / "access.log")
    assert (line["key"], line["tenant"], line["project"], line["client"]) == ("key-7", "mill", "night", "")
    assert (line["ttft_ms"], line["time"]) == (None, "1970-01-01T00:00:01Z")
