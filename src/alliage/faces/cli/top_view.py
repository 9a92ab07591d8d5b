"""The frame of `alliage top`: an answer as lines of a terminal. No asking, no printing."""

from collections.abc import Sequence
from datetime import datetime
from math import floor
from typing import Final

from rich.text import Text

from alliage.faces.admin import top_answers
from alliage.faces.cli.tables import asleep_words
from alliage.faces.cli.top_lines import Column, Section, cell, section, stacked

_STYLES: Final = {
    "ready": "green",
    "starting": "yellow",
    "deleting": "yellow",
    "idle": "dim",
    "unserved": "red",
    "unreachable": "red",
    "lost": "red",
}


def frame(seen: top_answers.TopAnswer, *, width: int, height: int | None, trouble: str = "") -> list[Text]:
    """Lines of at most `width` columns, `height` of them at most (None: all). `trouble` stands below the head."""
    head = [cell(_head(seen), "bold")]
    rehearsed = sum(site.rehearsed for site in seen.sites)
    if rehearsed:
        head.append(cell(f"{_counted(rehearsed, 'node')} rehearsed: nobody has these devices", "magenta"))
    if trouble:
        head.append(cell(trouble, "bold red"))
    sections = [_services(seen.services, width), _sites(seen.sites, width), _nodes(seen.nodes, width)]
    if seen.prices:
        sections.append(_prices(seen.prices, width))
    if seen.events:
        sections.append(_events(seen.events))
    room = None if height is None else max(0, height - len(head))
    lines = (head + ([Text("")] if height is None else []) + stacked(sections, room))[:height]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _head(seen: top_answers.TopAnswer) -> str:
    clock = datetime.fromtimestamp(seen.at_s).astimezone().strftime("%H:%M:%S")
    nodes = f"{sum(site.ready for site in seen.sites)} of {_counted(len(seen.nodes), 'node')} ready"
    gateways = _counted(seen.gateways, "gateway") if seen.gateways else "no gateway connected"
    asked = sum(each.seen.asked_rps for each in seen.services if each.seen is not None)
    return f"Alliage {seen.version}  {clock}  {gateways}  {nodes}  {_rate(asked)} requests/s"


def _ready(service: top_answers.TopService) -> str:
    return f"{service.replicas_ready}/{service.replicas_wanted}{asleep_words(service.replicas_asleep)}"


def _services(services: Sequence[top_answers.TopService], width: int) -> Section:
    if not services:
        return Section(heading=cell("SERVICES", "bold"), rows=[cell("none; deploy one: alliage deploy MODEL", "dim")])
    seen = [each.seen for each in services]
    made = section(
        (
            Column(title="SERVICE", cells=[cell(each.name) for each in services], is_elastic=True),
            Column(title="PHASE", cells=[cell(each.phase, _STYLES.get(each.phase, "")) for each in services]),
            _numbers("READY", [_ready(each) for each in services]),
            _numbers("REQ/S", [_rate(each.asked_rps) if each and each.window_s else "-" for each in seen]),
            _numbers("PLAN", [_rate(each.expected_rps) for each in services]),
            _numbers("BUSY", [str(each.in_flight) if each else "-" for each in seen]),
            _numbers("HELD", [str(each.held) if each else "-" for each in seen]),
            _numbers("TTFT", [_seconds(each.ttft_s if each else None) for each in seen]),
            _numbers("TPOT", [_seconds(each.tpot_s if each else None) for each in seen]),
            _numbers("KEPT", [_share(each.kept_share if each else None) for each in seen]),
            _numbers("CONT", [str(each.continued) if each else "-" for each in seen], rank=1),
            _numbers("FAIL", [str(each.failed) if each else "-" for each in seen]),
            Column(title="GOAL", cells=[cell(_goal(each)) for each in services], rank=2),
            Column(title="TENANT", cells=[cell(each.tenant) for each in services], rank=3, is_elastic=True),
        ),
        width,
    )
    rows = [line for each, row in zip(services, made.rows, strict=True) for line in (row, *_troubles(each))]
    return Section(heading=made.heading, rows=rows, weight=3)


def _troubles(service: top_answers.TopService) -> list[Text]:
    """Below a service: why it is not ready, or what it lacks."""
    if service.why and service.phase != "idle":
        return [cell(f"  {service.why}", "red" if service.phase == "unserved" else "yellow")]
    if service.missing_rps:
        return [cell(f"  {_rate(service.missing_rps)} requests/s find no room by the plan", "red")]
    return []


def _sites(sites: Sequence[top_answers.TopSite], width: int) -> Section:
    if not sites:
        return Section(heading=cell("SITES", "bold"), rows=[cell("none: no node has joined", "dim")])
    return section(
        (
            Column(title="SITE", cells=[cell(each.site) for each in sites], is_elastic=True),
            Column(title="REGION", cells=[cell(each.region or "-") for each in sites], is_elastic=True),
            _numbers("NODES", [str(each.nodes) for each in sites]),
            _numbers("READY", [str(each.ready) for each in sites]),
            _counts("UNREACHABLE", [each.unreachable for each in sites], "red"),
            _counts("LOST", [each.lost for each in sites], "red"),
            _counts("CORDONED", [each.cordoned for each in sites], "yellow"),
            _numbers("DEVICES BOUND", [f"{each.devices_bound}/{each.devices}" for each in sites]),
        ),
        width,
    )


def _nodes(nodes: Sequence[top_answers.TopNode], width: int) -> Section:
    """A row each; where there is no room, one for nodes that are alike, those in trouble first."""
    if not nodes:
        return Section(heading=cell("NODES", "bold"), rows=[])
    alike: dict[object, list[top_answers.TopNode]] = {}
    for each in nodes:
        alike.setdefault((_state(each), each.site, tuple(one.chip for one in each.devices)), []).append(each)
    fewer = sorted(alike.values(), key=lambda group: _is_well(group[0]))
    whole = sorted(([each] for each in nodes), key=lambda group: _is_well(group[0]))
    made = _node_rows(whole, width)
    return Section(heading=made.heading, rows=made.rows, fewer=_node_rows(fewer, width))


def _node_rows(groups: Sequence[Sequence[top_answers.TopNode]], width: int) -> Section:
    return section(
        (
            Column(title="NODE", cells=[cell(_names(each)) for each in groups], is_elastic=True),
            Column(title="STATE", cells=[cell(_state(each[0]), _state_style(each[0])) for each in groups]),
            Column(title="DEVICES BOUND", cells=[cell(_devices(each)) for each in groups], is_elastic=True),
            _numbers("REPLICAS", [str(sum(one.replicas for one in each)) for each in groups], rank=1),
            Column(title="SITE", cells=[cell(each[0].site) for each in groups], rank=2, is_elastic=True),
        ),
        width,
    )


def _names(group: Sequence[top_answers.TopNode]) -> str:
    return group[0].id if len(group) == 1 else f"{group[0].id} and {len(group) - 1} alike"


def _state(node: top_answers.TopNode) -> str:
    away = "" if node.connected or node.phase != "ready" else "agent away"
    taken_out = "draining" if node.draining else "cordoned" if node.cordoned else ""
    parts = (node.phase, away, taken_out, "rehearsed" if node.rehearsed else "")
    return ", ".join(part for part in parts if part)


def _state_style(node: top_answers.TopNode) -> str:
    is_closed = node.cordoned or node.draining or not node.connected
    return "yellow" if node.phase == "ready" and is_closed else _STYLES.get(node.phase, "")


def _is_well(node: top_answers.TopNode) -> bool:
    parts = any(each.draining or each.cordoned for each in node.devices)
    return node.phase == "ready" and node.connected and not (node.cordoned or node.draining or parts)


def _devices(group: Sequence[top_answers.TopNode]) -> str:
    """`3 of 8 nvidia-h20 (1 draining), 1 of 2 cores of cpu-x86`."""
    told: list[str] = []
    for chip in dict.fromkeys(each.chip for node in group for each in node.devices):
        mine = [each for node in group for each in node.devices if each.chip == chip]
        cores = sum(each.cores for each in mine)
        used = f"{sum(each.cores_bound for each in mine)} of {_counted(cores, 'core')} of {chip}"
        text = used if cores else f"{sum(each.bound for each in mine)} of {sum(each.devices for each in mine)} {chip}"
        told.append(text + _closed(mine, group))
    return ", ".join(told) or "none"


def _closed(devices: Sequence[top_answers.TopDevices], group: Sequence[top_answers.TopNode]) -> str:
    """Those that are taken out one by one; nodes that are taken out whole say so themselves."""
    if any(node.cordoned or node.draining for node in group):
        return ""
    draining = sum(each.draining for each in devices)
    cordoned = sum(each.cordoned for each in devices) - draining
    told = [f"{count} {word}" for count, word in ((draining, "draining"), (cordoned, "cordoned")) if count]
    return f" ({', '.join(told)})" if told else ""


def _prices(prices: Sequence[top_answers.TopPrice], width: int) -> Section:
    return section(
        (
            Column(title="PRICE OF A DEVICE-HOUR", cells=[cell(each.kind) for each in prices], is_elastic=True),
            _numbers("GIVEN", [f"{each.given}/{each.devices}" for each in prices]),
            _numbers("LIST", [_money(each.list_micros) for each in prices]),
            _numbers("SCARCITY", [_scarcity(each) for each in prices]),
            _numbers("NOW", [_money(each.price_micros) if each.price_micros is not None else "?" for each in prices]),
        ),
        width,
    )


def _scarcity(price: top_answers.TopPrice) -> str:
    if price.price_micros is None:
        return "?"
    above = price.price_micros - price.list_micros
    return f"+{_money(above)}" if above > 0 else "none"


def _events(events: Sequence[top_answers.TopEvent]) -> Section:
    rows = [
        cell(f"{datetime.fromtimestamp(each.at_s).astimezone().strftime('%H:%M:%S')}  {each.text}") for each in events
    ]
    return Section(heading=cell("EVENTS, THE NEWEST FIRST", "bold"), rows=rows, weight=2)


def _numbers(title: str, texts: Sequence[str], rank: int = 0) -> Column:
    return Column(title=title, cells=[cell(each) for each in texts], rank=rank, is_number=True)


def _counts(title: str, counts: Sequence[int], style: str) -> Column:
    """What is no trouble as long as it is 0."""
    return Column(title=title, cells=[cell(str(each), style if each else "") for each in counts], is_number=True)


def _goal(service: top_answers.TopService) -> str:
    goals = (("TTFT", service.objective.ttft_s), ("TPOT", service.objective.tpot_s))
    return " ".join(f"{name} {_seconds(goal)}" for name, goal in goals if goal is not None) or "none"


def _rate(rps: float) -> str:
    return f"{rps:.3g}" if rps < 1000 else f"{rps:.0f}"


def _seconds(seconds: float | None) -> str:
    """`38ms`, `1.2s`, `95s`; `-` where nothing was seen."""
    if seconds is None:
        return "-"
    if seconds < 0.0995:
        return f"{seconds * 1e3:.2g}ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f}ms"
    return f"{seconds:.2g}s" if seconds < 9.95 else f"{seconds:.0f}s"


def _share(share: float | None) -> str:
    """Rounded down: 100 % is all of them."""
    return "-" if share is None else f"{floor(share * 1000) / 10:g}%"


def _money(micros: int) -> str:
    return f"{micros / 1e6:,.2f}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
