"""Running tools for real: those that hang, are not there, are not programs, print too much, fail, or leave children."""

import time
from pathlib import Path

import pytest

from alliage.runtimes.detection.running import TEXT_BYTES_MAX, End, find_program, run_tool


def _program(folder: Path, text: str, *, mode: int = 0o755) -> str:
    path = folder / "some-smi"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_tools_words_come_from_both_streams(tmp_path: Path) -> None:
    """In plain English, without an input to wait for."""
    program = _program(tmp_path, "#!/bin/sh\necho out $1 $LC_ALL\necho err >&2\ncat\n")
    ran = run_tool((program, "info"))
    assert ran.end is End.ANSWERED
    assert sorted(ran.text.splitlines()) == ["err", "out info C"]


def test_a_tool_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    """It ignores being asked to end, and has a child that holds the stream: both are gone soon after the time-out."""
    pids = tmp_path / "pids"
    program = _program(
        tmp_path, f"#!/bin/sh\ntrap '' TERM INT HUP\nsleep 600 &\necho $$ $! > {pids}\necho begun\nsleep 600\n"
    )
    begun = time.monotonic()
    ran = run_tool((program,), timeout_s=0.5)
    assert time.monotonic() - begun < 10
    assert ran.end is End.HUNG
    assert "0.5 s" in ran.why
    assert ran.text == "begun\n"
    deadline = time.monotonic() + 5
    while alive := [pid for pid in pids.read_text().split() if _runs(int(pid))]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_that_outlives_its_tool_does_not_hold_the_answer_for_ever(tmp_path: Path) -> None:
    """The tool ended; the stream is still held by what it left behind, until the time-out."""
    program = _program(tmp_path, "#!/bin/sh\necho table\nsleep 600 &\n")
    ran = run_tool((program,), timeout_s=0.5)
    assert ran.end is End.HUNG
    assert ran.text == "table\n"


def test_what_is_missing_or_no_program_is_told_apart(tmp_path: Path) -> None:
    """Not there; there without the right to run it; there but no program."""
    assert run_tool((str(tmp_path / "nothing"),)).end is End.MISSING
    locked = run_tool((_program(tmp_path, "#!/bin/sh\n", mode=0o644),))
    assert locked.end is End.NOT_EXECUTABLE
    assert "Permission denied" in locked.why
    assert run_tool((_program(tmp_path, "\x7fELF broken"),)).end is End.NOT_EXECUTABLE


def test_a_tool_that_fails_says_why_with_its_last_line(tmp_path: Path) -> None:
    """Exit code and words."""
    ran = run_tool((_program(tmp_path, "#!/bin/sh\necho one\necho 'init hgml error: no driver'\nexit 9\n"),))
    assert ran.end is End.FAILED
    assert "exit code 9" in ran.why
    assert "no driver" in ran.why


def test_endless_output_is_cut_and_the_tool_ended(tmp_path: Path) -> None:
    """A tool that never stops printing costs 1 MiB and no time-out."""
    ran = run_tool((_program(tmp_path, "#!/bin/sh\nyes '| 0 | Name |'\n"),))
    assert ran.end is End.ANSWERED
    assert len(ran.text) == TEXT_BYTES_MAX
    assert "more than" in ran.why


def test_a_tool_that_prints_nothing_answered_nothing(tmp_path: Path) -> None:
    """No error: the caller says that there was nothing."""
    ran = run_tool((_program(tmp_path, "#!/bin/sh\n"),))
    assert (ran.end, ran.text, ran.why) == (End.ANSWERED, "", "")


def test_programs_are_found_where_their_vendor_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH first, then the folders, also one that a variable names; a name that is nowhere stays a name."""
    monkeypatch.setenv("SOME_HOME", str(tmp_path))
    _program(tmp_path, "#!/bin/sh\n")
    assert find_program("some-smi", (str(tmp_path),)) == str(tmp_path / "some-smi")
    assert find_program("some-smi", ("$SOME_HOME",)) == str(tmp_path / "some-smi")
    assert find_program("some-smi", ("$NOT_SET_ANYWHERE",)) == "some-smi"
    assert find_program("sh", (str(tmp_path),)).endswith("/sh")
    assert find_program("no-such-smi", (str(tmp_path),)) == "no-such-smi"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_is_left_open(tmp_path: Path) -> None:
    """No descriptor stays after twenty runs."""
    program = _program(tmp_path, "#!/bin/sh\necho x\n")
    run_tool((program,))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        run_tool((program,))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
