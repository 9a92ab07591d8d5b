"""The benchmark's load generator: a proxy that loses, doubles or adds anything is found out."""

import itertools
import re
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from bench.gateway import tools

MISSING = tools.find_missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = "[DONE]"
USAGE = '{"choices":[],"usage":{"total_tokens":3}}'
WINDOW = ("0.1", "0.1")
TOKENS = 20  # a window of 0.2 s at a token every 20 ms, and the ten that the generator adds


def token(number: int) -> str:
    """One event's data, as the benchmark's engine writes it."""
    return f'{{"choices":[{{"delta":{{"content":" tok{number}"}}}}]}}'


def stream(*events: str) -> bytes:
    """A whole answer: each event a chunk."""
    framed = (f"data: {event}\n\n".encode() for event in events)
    return HEAD + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in framed) + b"0\r\n\r\n"


def answer(text: str, status: str = "200 OK") -> bytes:
    """A whole answer that is not streamed."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


TOLD = tuple(token(i) for i in range(TOKENS))
SERIAL = re.compile(rb"serial-([0-9a-f]{16})")
ECHO = "@@serial_of_req@"
"""In an answer: the serial of its request, of the same length."""
RIGHT = f'{{"choices":[{{"text":"{ECHO}"}}]}}'


@contextmanager
def answering(answers: Iterator[bytes], piece: int = 1 << 20, *, bodies: list[bytes] | None = None) -> Iterator[int]:
    """A server that gives each request the next of `answers`, in writes of `piece` bytes; yields its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while (length := self.read_length()) is not None:
                body = self.rfile.read(length)
                if bodies is not None:
                    bodies.append(body)
                whole = next(answers).replace(ECHO.encode(), SERIAL.findall(body)[-1])
                for start in range(0, len(whole), piece):
                    self.wfile.write(whole[start : start + piece])

        def read_length(self) -> int | None:
            length = None
            for line in iter(self.rfile.readline, b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                if line == b"\r\n":
                    break
            return length

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """The generator hangs up on a wrong answer; that is no error of the server."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def load(mode: str, port: int, *words: str) -> tuple[dict[str, Any], str]:
    """Run the generator; its last line and what it said on stderr."""
    argv = (str(tools.build("load")), mode, str(port), *words, *WINDOW)
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    *marks, last = done.stdout.splitlines()
    assert marks == [*(("ready", "idle") if mode == "crowd" else ()), "open", "close"]
    return msgspec.json.decode(last), done.stderr


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_right_stream_has_no_errors(piece: int) -> None:
    """Wherever the bytes are cut, the answer is the same."""
    with answering(itertools.repeat(stream(*TOLD, DONE)), piece) as port:
        said, words = load("streams", port, "1", "20000")
    assert (said["errors"], words) == (0, "")


def test_right_answers_have_no_errors_and_are_counted() -> None:
    """The closed loop goes on for the whole window."""
    with answering(itertools.repeat(answer(RIGHT))) as port:
        said, words = load("requests", port, "1", "0")
    assert (said["errors"], words) == (0, "")
    assert said["done"] > 1


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param(stream(*TOLD[:5], *TOLD[6:], DONE), "token 5 is missing", id="lost"),
        pytest.param(stream(*TOLD[:5], *TOLD[4:], DONE), "token 5 is missing", id="doubled"),
        pytest.param(stream(*TOLD[:-1], DONE), "ended after 19 tokens", id="short"),
        pytest.param(stream(*TOLD), "ended after 20 tokens", id="no-done"),
        pytest.param(stream(*TOLD, USAGE, DONE), "usage came unasked", id="usage"),
        pytest.param(stream(*TOLD, DONE) + b"x", "bytes after the answer's end", id="more"),
        pytest.param(HEAD + b"1\r\nxy\r\n", "a chunk is not closed", id="framing"),
        pytest.param(answer("{}", "503 Service Unavailable"), "not 200", id="refused"),
    ],
)
def test_a_wrong_stream_is_an_error(given: bytes, found: str) -> None:
    """Each thing that a proxy could do to a stream is counted and named."""
    with answering(itertools.repeat(given)) as port:
        said, words = load("streams", port, "1", "20000")
    assert said["errors"] == 1
    assert found in words


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param([RIGHT, RIGHT, f'{{"choices":[{{"text":"{ECHO}","a":1}}]}}'], "an answer differs", id="other"),
        pytest.param([RIGHT, RIGHT, RIGHT.replace(ECHO, "0" * 16)], "an answer differs", id="another's"),
        pytest.param([RIGHT.replace(ECHO, "0" * 16)], "not its request's", id="nobody's"),
        pytest.param([f'{{"error":"{ECHO}"}}'], "no completion", id="no-completion"),
    ],
)
def test_an_answer_that_differs_is_an_error(given: list[str], found: str) -> None:
    """The first answer is what the rest must be, and each must be that of its own request."""
    answers = itertools.chain(map(answer, given), itertools.repeat(answer(RIGHT)))
    with answering(answers) as port:
        said, words = load("requests", port, "1", "0")
    assert said["errors"] == 1
    assert found in words


def test_requests_are_many_sizes_and_no_two_are_alike() -> None:
    """Nothing is to be won by remembering a request: each is valid JSON, names the service, and is new."""
    bodies: list[bytes] = []
    with answering(itertools.repeat(answer(RIGHT)), bodies=bodies) as port:
        said, _ = load("requests", port, "2", "0")
    assert said["errors"] == 0
    assert all(msgspec.json.decode(body)["model"] == "bench" for body in bodies)
    assert len(set(bodies)) == len(bodies)
    assert len({len(body) for body in bodies[:100]}) > min(len(bodies), 100) // 2


def test_a_large_prompt_comes_whole() -> None:
    """What a socket does not take at once is sent when it has room."""
    bodies: list[bytes] = []
    with answering(itertools.repeat(answer(RIGHT)), bodies=bodies) as port:
        said, words = load("requests", port, "2", str(512 * 1024))
    assert (said["errors"], words) == (0, "")
    assert all(len(msgspec.json.decode(body)["messages"]) == 2 and len(body) > 512 * 1024 for body in bodies)


def test_ports_are_asked_in_turns() -> None:
    """Each port has its lag, and the first one adds nothing to itself."""
    with answering(itertools.repeat(answer(RIGHT))) as first, answering(itertools.repeat(answer(RIGHT))) as second:
        said, words = load("latency", first, str(second))
    assert (said["errors"], words) == (0, "")
    assert said["done"] > 0
    engine, other = said["ports"]
    assert (engine["added_p50_us"], engine["added_p99_us"]) == (0, 0)
    assert 0 < other["p50_us"] <= other["p99_us"]


@contextmanager
def engine(interval_us: int) -> Iterator[int]:
    """The benchmark's own engine; yields its port."""
    argv = (str(tools.build("upstream")), str(interval_us))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def test_a_crowd_stays_and_others_are_answered() -> None:
    """Idle connections and slow streams are there until the end, and what is counted are the others' answers."""
    with engine(20_000) as port:
        said, words = load("crowd", port, "50", "20", "50000", "200")
    assert (said["errors"], words) == (0, "")
    assert 5 <= said["done"] <= 30  # 200 a second in a window of 0.1 s


def test_an_idle_connection_that_is_closed_is_an_error() -> None:
    """A proxy that throws its idle clients out does not hold a crowd."""
    once = itertools.chain([answer(RIGHT)] * 40, itertools.repeat(answer(RIGHT) + b"x"))
    with answering(once) as port:
        said, words = load("crowd", port, "20", "0", "50000", "100")
    assert said["errors"] > 0
    assert "bytes after the answer's end" in words
