"""The supervisor's parts that need no cloud: names of signals, last words, ports."""

import signal
import socket
from pathlib import Path

import pytest

from alliage.app.supervisor import last_words, listen_on, way_of_ending
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
