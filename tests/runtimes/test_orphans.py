"""What an engine started does not outlive its watcher."""

import os
import signal
import subprocess
import sys

from alliage.runtimes.claim import Watched, end_orphans
from alliage.runtimes.processes import group_members
from tests.e2e.cloud import eventually

WATCHER = """
import os, signal, sys
engine = os.fork()
if engine == 0:
    os.setpgid(0, 0)
    os.fork()  # both wait: the engine and what it started
    os.write(1, b"%d\\n" % os.getpid())  # in one piece: both write at once
    signal.pause()
signal.pause()
"""


def test_what_an_engine_started_is_ended_with_it() -> None:
    """Watcher and engine are killed; the engine's child is found by group and session, and ended; nobody else is."""
    with subprocess.Popen(
        [sys.executable, "-c", WATCHER], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as ours:
        assert ours.stdout is not None
        pids = sorted((int(ours.stdout.readline()), int(ours.stdout.readline())))
        engine = next(pid for pid in pids if os.getpgid(pid) == pid)
        watched = Watched(pid=engine, started=0, boot_id="", watcher_pid=ours.pid)
        assert sorted(group_members(engine, ours.pid)) == pids
        ours.kill()
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: len(group_members(engine, ours.pid)) == 1, within_s=10, what="only the child is left")
        assert end_orphans(watched) == 1
        eventually(lambda: not group_members(engine, ours.pid), within_s=10, what="the child has gone")
        assert end_orphans(watched) == 0


def test_a_group_of_another_session_is_not_touched() -> None:
    """Its number may be the same one day: the session tells it apart."""
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True) as other:
        try:
            assert end_orphans(Watched(pid=other.pid, started=0, boot_id="", watcher_pid=other.pid + 1)) == 0
            assert other.poll() is None
        finally:
            other.kill()
