"""The supervisor's parts that need no cloud: names of signals, last words, ports."""

import contextlib
import signal
import socket
from pathlib import Path

import pytest

from alliage.app.supervisor import last_words, listen_each, listen_on, way_of_ending
from alliage.errors import HomeError


def test_every_end_has_words() -> None:
    """Exit statuses, named signals and a real-time signal without a name."""
    assert way_of_ending(3) == "ended with exit status 3"
    assert way_of_ending(-signal.SIGKILL) == "was ended by SIGKILL"
    assert way_of_ending(-40) == "was ended by signal 40"


def test_last_words_are_the_end_of_what_was_printed(tmp_path: Path) -> None:
    """Only the last lines, whatever bytes they are; nothing where there is no file."""
    path = tmp_path / "out"
    path.write_bytes(b"\n".join(b"line %d" % number for number in range(10_000)) + b"\n\xff\n")
    assert last_words(path, lines=2) == "line 9999\n\ufffd"
    assert last_words(tmp_path / "absent") == ""


def test_taken_port_is_named_with_its_option() -> None:
    """Which port, on which address, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HomeError, match=rf"port {port} .*--port"):
            listen_on("127.0.0.1", port, "--port")


def test_address_that_is_not_here_is_named() -> None:
    """Not a traceback."""
    with pytest.raises(HomeError, match="no-such-host"):
        listen_on("no-such-host.invalid", 0, "--port")


def test_several_sockets_share_a_port_among_them() -> None:
    """Connections are spread over all, each keeps what waits in its own backlog, and nobody else gets the port."""
    listeners = listen_each("127.0.0.1", 0, "--port", 3)
    port = listeners[0].getsockname()[1]
    try:
        for count in (1, 2):
            with pytest.raises(HomeError, match=rf"port {port} .*in use"):
                listen_each("127.0.0.1", port, "--port", count)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        waiting = []
        for listener in listeners:
            waiting.append(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    waiting[-1] += 1
        assert sum(waiting) == 100
        assert all(waiting)
        for client in clients:
            client.close()
    finally:
        for listener in listeners:
            listener.close()


def test_a_port_that_is_shared_by_others_is_taken_too() -> None:
    """Somebody of the same user who lets others share it: the kernel would let us in, we do not want in."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(HomeError, match="in use"):
            listen_each("127.0.0.1", taken.getsockname()[1], "--port", 2)
