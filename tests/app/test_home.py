"""The home folder: private, one `up` at a time, readable announcements."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alliage.app.home import HomeLock, open_home, read_running, write_private
from alliage.errors import HomeError


def test_home_is_private(tmp_path: Path) -> None:
    """0700, also when it was open before."""
    root = tmp_path / "home"
    root.mkdir(mode=0o755)
    home = open_home(root)
    assert {folder.stat().st_mode & 0o777 for folder in (home.root, home.run, home.models, home.logs)} == {0o700}


def test_private_file_is_never_open_and_never_half(tmp_path: Path) -> None:
    """0600 from its first byte; replaces an older one whole."""
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_second_lock_is_refused_and_names_the_first(tmp_path: Path) -> None:
    """One supervisor a home; after its release the next one may."""
    home = open_home(tmp_path / "home")
    lock = HomeLock(home)
    lock.announce(host="127.0.0.1", port=1, admin_port=2)
    with pytest.raises(HomeError, match=str(os.getpid())):
        HomeLock(home)
    lock.release()
    HomeLock(home).release()


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """The kernel lets go of it, and its announcement is not believed any more."""
    home = open_home(tmp_path / "home")
    script = (
        "import sys, os, signal; from pathlib import Path; from alliage.app.home import *;"
        "lock = HomeLock(open_home(Path(sys.argv[1]))); lock.announce(host='h', port=1, admin_port=2);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(home.root)], check=False)
    assert home.up_file.exists()
    assert read_running(home) is None
    HomeLock(home).release()


def test_garbage_announcement_means_nothing_runs(tmp_path: Path) -> None:
    """A half-written or foreign file is no supervisor."""
    home = open_home(tmp_path / "home")
    home.up_file.write_text('{"pid": "x"')
    assert read_running(home) is None


def test_home_with_too_long_a_path_is_refused(tmp_path: Path) -> None:
    """A Unix socket's path has 107 bytes at most: said with the limit, before anything starts."""
    with pytest.raises(HomeError, match="107"):
        open_home(tmp_path / ("x" * 100))


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """With the path and the option."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(HomeError, match="--home"):
        open_home(file)
