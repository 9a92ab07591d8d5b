"""The gateway's benchmark: its arithmetic, its reading of /proc, and that a short run works from end to end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.gateway import measure, tools
from bench.gateway.report import Pair, Pass, Report, Sample, render, summarise
from bench.gateway.settings import SHORT

ROOT = Path(__file__).resolve().parents[2]
MISSING = tools.find_missing()
needs_machine = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def sample(cpu_us: float, *, foreign: float = 0.0, errors: int = 0) -> Sample:
    """A window with this CPU time a unit."""
    return Sample(cpu_us=cpu_us, per_s=1e3, p50_us=10, p99_us=20, core_busy=0.9, foreign=foreign, errors=errors)


def pair(nginx_us: float, gateway_us: float, *, foreign: float = 0.0, errors: int = 0) -> Pair:
    """Two windows; the gateway's may be noisy or wrong."""
    return Pair(nginx=sample(nginx_us), gateway=sample(gateway_us, foreign=foreign, errors=errors))


def test_the_ratio_is_the_median_of_the_pairs_own_ratios() -> None:
    """Absolute figures drift on a shared machine, so a pair is compared with itself and not with another."""
    result = summarise([pair(10, 20), pair(20, 50), pair(40, 120)], 0.13)
    assert result.ratio == 2.5
    assert result.nginx is not None
    assert result.nginx.cpu_us == 20


def test_a_pair_with_foreign_work_is_dropped_but_its_errors_count() -> None:
    """A noisy window says nothing about CPU time; a wrong answer in it is still a wrong answer."""
    result = summarise([pair(10, 20), pair(10, 90, foreign=0.14, errors=2)], 0.13)
    assert (result.ratio, result.kept, result.dropped, result.errors) == (2, 1, 1, 2)


def test_without_a_clean_pair_there_is_no_figure() -> None:
    """Nothing is printed that was not measured cleanly."""
    result = summarise([pair(10, 20, foreign=0.5)], 0.13)
    assert (result.ratio, result.nginx, result.gateway) == (None, None, None)


def test_a_run_with_errors_says_invalid() -> None:
    """A fast wrong answer is not a result."""
    python = tools.ask_interpreter(sys.executable)
    results = summarise([pair(10, 20, errors=1)], 0.13), summarise([pair(10, 12)], 0.13)
    report = Report(
        date="today",
        valid=False,
        processor="a processor",
        kernel="6",
        nginx="nginx/1",
        settings=SHORT,
        passes=(Pass(python=python, requests=results[0], tokens=results[1]),),
    )
    assert "INVALID" in render(report)


def test_cpu_time_is_of_the_whole_tree() -> None:
    """A child's work is found and counted; this process's own grows with what it does."""
    with subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE) as child:
        try:
            tree = measure.process_tree(os.getpid())
            assert child.pid in tree
            before = measure.cpu_ns(tree)
            sum(range(2_000_000))
            assert measure.cpu_ns(tree) - before > 1_000_000
        finally:
            child.kill()


def test_foreign_work_is_what_the_processes_did_not_do() -> None:
    """Of a core that was busy for 0.8 s in a second, 0.5 s were ours: 0.3 were others'."""
    before = measure.Reading(cpu_ns=0, busy_ns=0, at_ns=0)
    after = measure.Reading(cpu_ns=500_000_000, busy_ns=800_000_000, at_ns=1_000_000_000)
    spent = measure.spent(before, after)
    assert spent.foreign == pytest.approx(0.3)
    assert spent.core_busy == pytest.approx(0.8)


def run_bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run it as `make bench-gateway` does. On a failure it is told to leave, so that it ends what it started."""
    argv = (sys.executable, "-m", "bench.gateway.run", *words)
    bench = subprocess.Popen(
        argv, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        out, err = bench.communicate(timeout=90)
    except BaseException:
        bench.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            bench.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(bench.pid, signal.SIGKILL)
        bench.wait()
        raise
    return subprocess.CompletedProcess(argv, bench.returncode, out, err)


def check_sample(seen: dict[str, Any]) -> None:
    """One window in the report: whole, without errors, with figures that can be."""
    assert set(seen) == set(Sample.__dataclass_fields__)
    assert seen["errors"] == 0
    assert seen["cpu_us"] > 0
    assert seen["per_s"] > 0
    assert 0 < seen["p50_us"] <= seen["p99_us"]


@needs_machine
def test_a_short_run_answers_everything_right() -> None:
    """Real nginx, real gateway, real link: every byte of every answer was checked by the load generator."""
    done = run_bench("--short", "--json")
    assert done.returncode in {0, 3}, done.stderr  # 3: others used the core, which a test machine may
    report = json.loads(done.stdout)
    assert report["valid"], done.stderr
    assert report["nginx"].startswith("nginx/")
    (one,) = report["passes"]
    assert one["python"]["version"].startswith("3.")
    for kind in ("requests", "tokens"):
        assert one[kind]["errors"] == 0
        assert one[kind]["kept"] + one[kind]["dropped"] == len(one[kind]["pairs"]) == 1
        for side in ("nginx", "gateway"):
            check_sample(one[kind]["pairs"][0][side])


@needs_machine
def test_an_interpreter_that_does_not_run_is_named() -> None:
    """The message says which value was wrong and what to give instead."""
    done = run_bench("--short", "--python", "/nowhere/python3")
    assert done.returncode == 2
    assert "/nowhere/python3" in done.stderr
    assert "--python" in done.stderr
