"""The benchmark's load generator: a proxy that loses, doubles or adds anything is found out."""

import itertools
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


@contextmanager
def answering(answers: Iterator[bytes], piece: int = 1 << 20) -> Iterator[int]:
    """A server that gives each request the next of `answers`, in writes of `piece` bytes; yields its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while (length := self.read_length()) is not None:
                self.rfile.read(length)
                whole = next(answers)
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


def load(mode: str, port: int, *words: str) -> tuple[dict[str, int], str]:
    """Run the generator; its last line and what it said on stderr."""
    argv = (str(tools.build("load")), mode, str(port), "1", *words, *WINDOW)
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)
    opened, closed, last = done.stdout.splitlines()
    assert (opened, closed) == ("open", "close")
    return msgspec.json.decode(last, type=dict[str, int]), done.stderr


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_right_stream_has_no_errors(piece: int) -> None:
    """Wherever the bytes are cut, the answer is the same."""
    with answering(itertools.repeat(stream(*TOLD, DONE)), piece) as port:
        said, words = load("streams", port, "20000")
    assert (said["errors"], words) == (0, "")


def test_right_answers_have_no_errors_and_are_counted() -> None:
    """The closed loop goes on for the whole window."""
    with answering(itertools.repeat(answer('{"choices":[{}]}'))) as port:
        said, words = load("requests", port)
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
        said, words = load("streams", port, "20000")
    assert said["errors"] == 1
    assert found in words


def test_an_answer_that_differs_is_an_error() -> None:
    """The first answer is what the rest must be."""
    answers = itertools.chain([answer('{"choices":[{}]}')] * 2, itertools.repeat(answer('{"choices":[{"a":1}]}')))
    with answering(answers) as port:
        said, words = load("requests", port)
    assert said["errors"] == 1
    assert "an answer differs" in words
