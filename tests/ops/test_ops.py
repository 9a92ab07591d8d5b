"""The files for Prometheus and Grafana say what is there: each metric and label that they name is one that our processes tell."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from scripts.dashboard import DASHBOARD, dashboard

from alliage.fleet.keys import Role
from tests.faces.served import ADMIN_KEY, served
from tests.gateway.house import chat_body, get, house, post, route, run, table, upstream
from tests.gateway.upstream import Engine

ROOT = Path(__file__).parent.parent.parent
PROMETHEUS = ROOT / "ops" / "prometheus"
ALERTS = PROMETHEUS / "alliage-alerts.yml"
WATCHING = (ROOT / "docs" / "watching.md").read_text()
_METRIC = re.compile(r"\b(?:alliage|gen_ai)_\w+")
_SELECTOR = re.compile(r"\b((?:alliage|gen_ai)_\w+)\{([^}]*)\}")
_PARTS = ("_bucket", "_sum", "_count")
_PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=str(Path(sys.prefix) / "bin"))
Seen = dict[str, set[str]]
"""Labels of each sample's name; none for a name of which there was no sample."""


def _names(text: str) -> Seen:
    """What an exposition tells."""
    seen: Seen = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for each in [f"{name}{part}" for part in _PARTS] if family.type == "histogram" else [name]:
            seen.setdefault(each, set())
        for sample in family.samples:
            seen.setdefault(sample.name, set()).update(sample.labels)
    return seen


@pytest.fixture(scope="module")
def seen() -> Seen:
    """A real gateway's and a real control's, after a request each way."""
    told: Seen = {}

    async def main() -> None:
        async with Engine() as engine:
            first = table(1, route("m", upstream("m-1", engine.port)), role=Role.ADMIN)
            async with house(first) as place:
                await place.chat(stream=True)
                await place.ask(post(chat_body(), key="wrong"))
                told.update(_names((await place.ask(get("/metrics"))).body.decode()))

    run(main())
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    with served() as cloud, httpx2.Client(base_url=cloud.url, headers=headers, trust_env=False, timeout=20) as client:
        assert client.post("/v1/services", json={"model": "smollm2-135m"}).status_code == 201
        deadline_s = time.monotonic() + 20
        while not (control := _names(client.get("/metrics").text)).get("alliage_service_replicas"):
            assert time.monotonic() < deadline_s, control
            time.sleep(0.05)
    return told | control


def _queries() -> list[str]:
    """Every expression of the dashboard, and what its variables ask for."""
    model: dict[str, Any] = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in model["panels"] for target in panel.get("targets", ())]
    return asked + [each["query"]["query"] for each in model["templating"]["list"] if each["type"] == "query"]


@pytest.mark.parametrize("what", ["dashboard", "alerts"])
def test_every_metric_and_label_named_is_told(what: str, seen: Seen) -> None:
    """Neither the dashboard nor the alerts wait for something that never comes."""
    texts = _queries() if what == "dashboard" else [ALERTS.read_text()]
    named = {name for text in texts for name in _METRIC.findall(text)}
    assert len(named) > 10
    assert named <= seen.keys()
    for text in texts:
        for name, selector in _SELECTOR.findall(text):
            assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= seen[name], (name, selector)


def test_every_gateway_metric_is_documented(seen: Seen) -> None:
    """By its whole name, in the table of docs/watching.md; and nothing stands there that is not told."""
    told = {re.sub(r"(?<=_seconds)_(?:bucket|sum|count)$", "", name) for name in seen}
    documented = set(re.findall(r"`((?:alliage|gen_ai)_\w+)`", WATCHING))
    assert told <= documented
    assert documented <= told


def test_the_dashboard_is_what_its_script_makes() -> None:
    """And a model that Grafana imports: a data source to choose, each panel its own id and place, no two in one place."""
    assert DASHBOARD.read_text() == dashboard(), "stale: run scripts/dashboard.py"
    model = json.loads(dashboard())
    assert model["templating"]["list"][0]["type"] == "datasource"
    ids = [panel["id"] for panel in model["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [
        (x, y)
        for panel in model["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_what_is_wrong() -> None:
    """A severity to route it by and a sentence for whoever is woken."""
    alerts = ALERTS.read_text().split("- alert: ")[1:]
    assert len(alerts) > 10
    for alert in alerts:
        assert re.search(r"severity: (page|ticket)\n", alert), alert
        assert "summary: " in alert, alert


@pytest.mark.skipif(_PROMTOOL is None, reason="promtool (Debian's package prometheus) is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alliage-alerts.yml"),
        ("test", "rules", "alliage-alerts.test.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_own_tool_takes_the_files(arguments: tuple[str, ...]) -> None:
    """It parses rules and configuration, and runs the rules on series of which it is known what they mean."""
    done = subprocess.run([str(_PROMTOOL), *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(_PROMTOOL is None, reason="promtool (Debian's package prometheus) is not installed")
def test_prometheus_parses_every_query_of_the_dashboard(tmp_path: Path) -> None:
    """As rules, with what Grafana puts in for its variables."""
    rules = [
        {"record": f"q{number}", "expr": query.replace("$__rate_interval", "5m").replace("$", "")}
        for number, query in enumerate(_queries())
        if not query.startswith("label_values")
    ]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([str(_PROMTOOL), "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
