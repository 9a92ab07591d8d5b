"""Write the Grafana dashboard `ops/grafana/alliage.json`: `python scripts/dashboard.py`. A test fails when it is stale."""

import json
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts.dashboard_rows import REQUESTS, ROWS, Panel  # noqa: E402  # as a script, its folder alone is known

DASHBOARD: Final = ROOT / "ops" / "grafana" / "alliage.json"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDE: Final = 24
_HIGH: Final = 8


def dashboard() -> str:
    """The whole model as JSON."""
    model = {
        "uid": "alliage",
        "title": "Alliage",
        "description": "One AI cloud: traffic, latency, tenants, chips, money. Made by scripts/dashboard.py.",
        "tags": ["alliage", "llm"],
        "schemaVersion": 41,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": list(_variables())},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_panels()),
    }
    return json.dumps(model, indent=1) + "\n"


def _variables() -> Iterator[dict[str, Any]]:
    """The data source, and what may be chosen of services, tenants, chips and gateways."""
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}
    for label in ("service", "tenant", "chip", "gateway"):
        query = f"label_values({REQUESTS}, {label})"
        yield {
            "name": label,
            "label": label.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": query, "refId": label},
            "definition": query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }


def _panels() -> Iterator[dict[str, Any]]:
    ids, top = count(1), 0
    for row in ROWS:
        at = {"x": 0, "y": top, "w": _WIDE, "h": 1}
        yield {"id": next(ids), "type": "row", "title": row.title, "collapsed": False, "gridPos": at, "panels": []}
        wide = _WIDE // len(row.panels)
        for number, panel in enumerate(row.panels):
            at = {"x": number * wide, "y": top + 1, "w": wide, "h": _HIGH}
            yield {"id": next(ids), "gridPos": at, **_panel(panel)}
        top += 1 + _HIGH


def _panel(panel: Panel) -> dict[str, Any]:
    stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if panel.stacked else 5, "stacking": stacking}
    custom["showPoints"] = "never"
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "custom": custom}
    if panel.most is not None:
        defaults["max"] = panel.most
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": query.expr, "legendFormat": query.legend}
            for number, query in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    DASHBOARD.write_text(dashboard())
    print(f"wrote {DASHBOARD}")
