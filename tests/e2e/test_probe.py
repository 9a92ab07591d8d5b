"""`alliage probe` with a real engine: what it measures, records and shows, and what it leaves behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cloud import Cloud, a_cloud, environment, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def probed(slow_alphabet: Path) -> Iterator[Cloud]:
    """A cloud with one service, for all tests here."""
    with a_cloud() as cloud:
        cloud.up()
        cloud.deploy(slow_alphabet, "alphabet")
        yield cloud


def probing(cloud: Cloud, *arguments: str) -> "subprocess.Popen[str]":
    """A probe that goes on while the test does something else."""
    command = [sys.executable, "-m", "alliage", "--home", str(cloud.home), "probe", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())


def kept(cloud: Cloud) -> list[dict[str, Any]]:
    """All measurements."""
    found: list[dict[str, Any]] = cloud.ask("probe", "--list")["measurements"]
    return found


def busy(cloud: Cloud) -> bool:
    """Whether the engine is answering anything."""
    return any(each["in_flight"] for each in cloud.see("replicas")["replicas"])


def test_a_service_is_measured_and_says_so(probed: Cloud) -> None:
    """One at once and as many as the recipe is made for; recorded, listed, explained, and the evidence of the recipe."""
    done = probed.ask("probe", "alphabet", "--seconds", "1", "--input-tokens", "100", "--output-tokens", "40")
    one, four = done["measurements"]
    assert (one["concurrency"], four["concurrency"]) == (1, 4)
    for each in (one, four):
        assert (each["output_tokens"], each["engine"], each["evidence"]) == (40, "llama.cpp", "measured")
        assert 80 <= each["input_tokens"] <= 120
        assert each["requests"] >= each["concurrency"]
        assert each["throughput_tps"] * each["duration_s"] == pytest.approx(40 * each["requests"])
        assert 0 < each["ttft_s"] < each["duration_s"]
        assert each["tpot_s"] > 0
        assert (each["estimated"] is None) == bool(each["unknown"])
    assert kept(probed)[:2] == [four, one]
    (replica,) = probed.see("replicas")["replicas"]
    assert replica["id"] == done["replica"]
    assert replica["recipe"]["evidence"] == "measured"
    assert "Measured:\n" in probed.run("explain", "alphabet").stdout
    table = probed.run("probe", "--list").stdout
    assert "measured" in table
    assert "estimated" in table


def test_a_model_is_served_for_the_probe_alone(probed: Cloud, slow_alphabet: Path) -> None:
    """Deployed under a name of its own, measured, deleted; what was measured stays."""
    done = probed.run("probe", str(slow_alphabet), "--seconds", "1", "--concurrency", "1", "--output-tokens", "20")
    assert "deployed it as probe-" in done.stderr
    assert "is being deleted" in done.stderr
    eventually(lambda: _services(probed) == ["alphabet"], what="the probe's service is gone")
    assert kept(probed)[0]["service"].startswith("probe-")
    assert kept(probed)[0]["output_tokens"] == 20


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_probe_leaves_nothing(probed: Cloud, slow_alphabet: Path, by: signal.Signals) -> None:
    """Ctrl-C or a kill in the middle of the load: no service, no measurement, no request that goes on."""
    before = kept(probed)
    with probing(probed, str(slow_alphabet), "--seconds", "600") as running:
        eventually(lambda: busy(probed), what="the load is on")
        running.send_signal(by)
        _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "is being deleted" in told
    assert "Traceback" not in told
    eventually(lambda: _services(probed) == ["alphabet"] and not busy(probed), what="the probe's service is gone")
    assert kept(probed) == before


def test_a_load_with_failures_is_no_measurement(probed: Cloud) -> None:
    """The engine dies under it: the failures are told and counted, nothing is recorded, and the exit code is 1."""
    before = kept(probed)
    with probing(probed, "alphabet", "--seconds", "20") as running:
        eventually(lambda: busy(probed), what="the load is on")
        (replica,) = probed.see("replicas")["replicas"]
        os.kill(replica["live"]["pid"], signal.SIGKILL)
        _, told = running.communicate(timeout=120)
    assert running.returncode == 1
    assert "failed" in told or "did not answer" in told
    assert kept(probed) == before
    eventually(lambda: probed.see("services")["services"][0]["phase"] == "ready", what="the engine is back")


def test_what_cannot_be_probed_says_why(probed: Cloud) -> None:
    """Nothing, nobody, more than fits, a replica that is not there: in words, with an exit code."""
    user = (probed.home / "user.key").read_text().strip()
    for arguments, code, said in (
        ((), 2, "probe what?"),
        (("nobody",), 1, "nobody"),
        (("alphabet", "--input-tokens", "100000"), 2, "do not fit"),
        (("alphabet", "--replica", "nobody-1"), 1, "no ready replica 'nobody-1'"),
        (("alphabet", "--seconds", "0"), 2, "equal to 1"),
    ):
        done = probed.run("probe", *arguments, check=False)
        assert (done.returncode, said in done.stderr) == (code, True), done
    done = subprocess.run(
        [sys.executable, "-m", "alliage", "--home", str(probed.home), "probe", "alphabet"],
        env={**environment(), "ALLIAGE_KEY": user},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "needs the role admin" in done.stderr


def _services(cloud: Cloud) -> list[str]:
    return [each["name"] for each in cloud.see("services")["services"]]
