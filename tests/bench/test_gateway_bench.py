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
from bench.gateway.control import build_leases, build_table
from bench.gateway.report import Column, Lag, Report, Round, Sample, summarise, summarise_latency
from bench.gateway.settings import SECTIONS, SHORT
from bench.gateway.table import render

ROOT = Path(__file__).resolve().parents[2]
MISSING = tools.find_missing()
ADDED = ({"nginx": 40, "gateway": 80}, {"nginx": 30, "gateway": 75}, {"nginx": 90, "gateway": 135})
"""Microseconds that each adds, round by round."""
needs_machine = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def sample(cpu_us: float, *, foreign: float = 0.0, errors: int = 0) -> Sample:
    """A window with this CPU time a unit."""
    return Sample(cpu_us=cpu_us, per_s=1e3, p50_us=10, p99_us=20, core_busy=0.9, foreign=foreign, errors=errors)


def turn(nginx_us: float, gateway_us: float, *, foreign: float = 0.0, errors: int = 0) -> Round:
    """A window of each; the gateway's may be noisy or wrong."""
    return {"nginx": sample(nginx_us), "gateway": sample(gateway_us, foreign=foreign, errors=errors)}


def summed(*rounds: Round) -> dict[str, Column]:
    """The columns of these rounds by name."""
    return {one.name: one for one in summarise("", "request", rounds, 0.13).columns}


def report(*rounds: Round, invalid: tuple[str, ...] = ()) -> Report:
    """A run of one part, that was just as these rounds."""
    return Report(
        date="today",
        valid=not invalid,
        processor="a processor",
        kernel="6",
        nginx="nginx/1",
        python=tools.ask_interpreter(sys.executable),
        settings=SHORT,
        missing=("haproxy: not installed (apt-get install haproxy)",),
        turns=(summarise("64 connections", "request", rounds, 0.13, goal=2.0),),
        invalid=invalid,
    )


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    """Absolute figures drift on a shared machine, so a window is compared with nginx's of the same round."""
    columns = summed(turn(10, 20), turn(20, 50), turn(40, 120))
    assert columns["gateway"].ratio == 2.5
    assert columns["nginx"].ratio == 1
    assert columns["nginx"].sample is not None
    assert columns["nginx"].sample.cpu_us == 20


def test_a_round_with_foreign_work_is_dropped_for_the_one_that_it_hit() -> None:
    """A noisy window says nothing about CPU time; nginx's own of that round is still good."""
    columns = summed(turn(10, 20), turn(10, 90, foreign=0.14))
    assert (columns["gateway"].ratio, columns["gateway"].kept, columns["gateway"].dropped) == (2, 1, 1)
    assert (columns["nginx"].kept, columns["nginx"].dropped) == (2, 0)


def test_wrong_answers_take_all_figures_away_even_from_clean_rounds() -> None:
    """Nothing is said of the speed of a proxy that answered wrongly once, in whatever round."""
    column = summed(turn(10, 20), turn(10, 20, foreign=0.5, errors=2))["gateway"]
    assert (column.ratio, column.sample, column.errors) == (None, None, 2)


def test_without_a_clean_round_there_is_no_figure() -> None:
    """Nothing is printed that was not measured cleanly."""
    column = summed(turn(10, 20, foreign=0.5))["gateway"]
    assert (column.ratio, column.sample) == (None, None)


def test_ours_is_compared_with_the_router_of_the_same_round() -> None:
    """The router's windows and ours are taken in turns like nginx's."""
    rounds = [{**turn(10, 20), "vllm-router": sample(us)} for us in (40, 50, 80)]
    assert summarise("", "request", rounds, 0.13).to_router == 0.4


def test_the_report_has_ratios_goals_and_what_was_not_run() -> None:
    """All that a reader needs to judge a run is in it."""
    words = render(report(turn(10, 19)))
    assert "1.90" in words
    assert "2.00" in words
    assert "not run: haproxy: not installed (apt-get install haproxy)" in words


def test_a_run_with_errors_says_invalid_and_has_no_figures() -> None:
    """A fast wrong answer is not a result."""
    words = render(report(turn(10, 23.45, errors=1), invalid=("request: gateway",)))
    assert "INVALID" in words
    assert "request: gateway" in words
    assert "23.45" not in words
    assert "CPU us" not in words


def test_a_rivals_errors_take_only_its_figures_away() -> None:
    """What nginx and ours did counts, whoever else answered wrongly."""
    words = render(report({**turn(10, 19), "haproxy": sample(77, errors=3)}))
    assert "1.90" in words
    assert "haproxy: 3 answers were wrong or missing, so it has no figures" in words
    assert "77" not in words


def test_latency_ratios_are_of_what_is_added() -> None:
    """The engine's own time is in all of them and is not compared."""
    rounds = [
        {name: Lag(p50_us=0, p99_us=0, added_p50_us=us, added_p99_us=us * 2) for name, us in one.items()}
        for one in ADDED
    ]
    latency = summarise_latency(rounds, 0)
    assert latency.ratio_p50["gateway"] == 2
    assert latency.lags["gateway"].added_p99_us == 160


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
    argv = (sys.executable, "-m", "bench.gateway", *words)
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
    assert 0 <= seen["p50_us"] <= seen["p99_us"]  # tokens that waited come with no gap


@needs_machine
def test_a_short_run_answers_everything_right() -> None:
    """Real nginx, real gateway, real link: every byte of every answer was checked by the load generator."""
    done = run_bench("--short", "--json", "--only", ",".join(one for one in SECTIONS if one != "litellm"))
    assert done.returncode in {0, 3}, done.stderr  # 3: others used the core, which a test machine may
    said = json.loads(done.stdout)
    assert said["valid"], done.stderr
    assert said["nginx"].startswith("nginx/")
    assert said["python"]["version"].startswith("3.")
    assert [one["unit"] for one in said["turns"]] == ["request", "token", "token", "MiB", "MiB"]
    for one in said["turns"]:
        for side in ("nginx", "gateway"):
            check_sample(one["rounds"][0][side])
    assert said["latency"]["errors"] == 0
    assert {"engine", "nginx", "gateway"} <= set(said["latency"]["lags"])
    for side in ("nginx", "gateway"):
        assert said["idle"]["rounds"][0][side]["errors"] == 0


def test_the_table_limits_every_key_its_project_and_its_tenant() -> None:
    """What is measured holds to limits: each scope of a key has limits and a lease of every kind."""
    table = build_table(1, ("a secret",))
    leases = build_leases(table)
    for entry in table.keys.values():
        assert [scope.partition(":")[0] for scope in entry.scopes] == ["key", "project", "tenant"]
        for scope in entry.scopes:
            assert None not in {table.limits[scope].parallel, table.limits[scope].month_micros}
            assert None not in {leases[scope].tokens_per_minute, leases[scope].spend_until_micros}


@needs_machine
def test_a_part_that_there_is_not_is_named() -> None:
    """The message says which value was wrong and what there is instead."""
    done = run_bench("--short", "--only", "requests,speed")
    assert done.returncode == 2
    assert "speed" in done.stderr
    assert "prompts" in done.stderr


@needs_machine
def test_an_interpreter_that_does_not_run_is_named() -> None:
    """The message says which value was wrong and what to give instead."""
    done = run_bench("--short", "--python", "/nowhere/python3")
    assert done.returncode == 2
    assert "/nowhere/python3" in done.stderr
    assert "--python" in done.stderr
