"""`plan`: a fleet and its work from two files, solved and told: what runs where, what a device costs, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from alliage.catalog.loader import load_catalog
from alliage.decide.solve.answer import Assigned, Budget, Infeasible, Plan, Status, Unmet
from alliage.decide.solve.explain import Explanation, explain
from alliage.decide.solve.planner import plan as solve
from alliage.decide.solve.problem import Problem
from alliage.errors import NotFound
from alliage.faces.cli.place import home_of
from alliage.faces.cli.screen import remark, show, show_value
from alliage.faces.decisions import rejection
from alliage.faces.plan_explained import REASONS_SHOWN, explanation_lines, lacking
from alliage.faces.plan_files import WhatIf, read_what_if
from alliage.faces.plan_words import money, words
from alliage.faces.reasons import sentence
from alliage.faces.telling import printable

EXPLAINED_MAX: Final = 30
"""Works that are explained unless one is named: each is planned again with every change that is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOrder:
    """What was asked on the command line."""

    fleet: Path
    work: Path
    explain: bool
    only: str | None
    gap: float


def plan(home: Path, order: PlanOrder, *, as_json: bool) -> int:
    """Print the plan; the exit code is 1 where there is none, or where something is left unserved.

    Models are those of the catalogue, with what is added to it in `home`.
    """
    asked = read_what_if(order.fleet, order.work, load_catalog(*home_of(home).catalogs))
    problem = asked.problem
    names = [work.name for work in problem.works]
    if order.only is not None and order.only not in names:
        raise NotFound(f"there is no service or job {order.only!r}", remedy=f"there are: {', '.join(names) or 'none'}")
    budget = Budget(gap=order.gap)
    answer = solve(problem, budget)
    if isinstance(answer, Infeasible):
        if as_json:
            show_value({"infeasible": _plain(answer)}, indent=2)
        else:
            show(f"No plan can be made: {answer.culprit}: {answer.reason}.")
        return 1
    chosen = [order.only] if order.only is not None else names[:EXPLAINED_MAX]
    told = [explain(problem, answer, name, budget) for name in chosen] if order.explain else []
    if as_json:
        explanations = [{**_plain(each), "unfit": _unfit(asked, each.work)} for each in told]
        show_value({"plan": _plain(answer), "explanations": explanations}, indent=2)
    else:
        _print(asked, answer, told)
        if order.explain and order.only is None and len(names) > EXPLAINED_MAX:
            remark(f"{len(names) - EXPLAINED_MAX} more are not explained: --only NAME")
    return 1 if answer.unmet else 0


def _unfit(asked: WhatIf, work: str) -> list[dict[str, Any]]:
    """Why a model does not run in other ways, as JSON."""
    refused = asked.unfit.get(work, ())
    return [{"option": each.option, "text": sentence(each.reason), **_plain(each.reason)} for each in refused]


def _print(asked: WhatIf, answer: Plan, told: Sequence[Explanation]) -> None:
    problem = asked.problem
    show(plan_table(problem, answer))
    if answer.prices:
        show("", price_table(problem, answer))
    if answer.unmet and not told:
        show("", "\n".join(["Missing:", *(_missing_lines(problem, answer.unmet))]))
    for each in told:
        unfit = [rejection(no) for no in asked.unfit.get(each.work, ())]
        lines = explanation_lines(each, unfit, is_job=_is_job(problem, each.work))
        show("", "\n".join([f"{each.work}:", *lines]))
    for unkept in answer.unkept:
        group = " or ".join(sorted(unkept.chips))
        show(
            "",
            f"{unkept.tenant} has {unkept.used} of {unkept.devices} guaranteed devices ({group}) although {unkept.work} "
            f"lacks some: {_joined([words(why) for why in unkept.because])}.",
        )
    show("", "\n".join([*(f"{words(why)}." for why in answer.more_starts), status_line(answer)]))


def plan_table(problem: Problem, answer: Plan) -> Table:
    """One line for each (work, way, pool), and one for each work that nothing was given."""
    table = _table("WORK", "TENANT", "RUNS AS", "POOL", "COUNT", "DEVICES", "CHANGE")
    works = {work.name: work for work in problem.works}
    changes = {(move.work, move.way, move.pool): move.change for move in answer.moves}
    by_work: dict[str, list[Assigned]] = {}
    for each in answer.assigned:
        by_work.setdefault(each.work, []).append(each)
    for name, work in works.items():
        rows = by_work.get(name, [])
        for each in rows:
            change = changes.get((each.work, each.way, each.pool), 0)
            cells = (
                each.way,
                each.pool,
                str(each.count),
                str(each.count * each.devices),
                f"{change:+d}" if change else "",
            )
            _row(table, name, work.tenant, *cells)
        if not rows:
            _row(table, name, work.tenant, "nothing", "", "0", "0", "")
    for move in answer.moves:
        if (move.work, move.way, move.pool) not in {(each.work, each.way, each.pool) for each in answer.assigned}:
            _row(table, move.work, works[move.work].tenant, move.way, move.pool, "0", "0", f"{move.change:+d}")
    return table


def price_table(problem: Problem, answer: Plan) -> Table:
    """What a device-hour costs in each pool: list price, with scarcity, and what one node more or less is about."""
    table = _table("POOL", "CHIP", "DEVICES", "GIVEN", "LIST", "PRICE", "ONE NODE MORE", "ONE LESS")
    given: dict[str, int] = {}
    for each in answer.assigned:
        given[each.pool] = given.get(each.pool, 0) + each.count * each.devices
    prices = {price.pool: price for price in answer.prices}
    for pool in problem.pools:
        price = prices[pool.name]
        ends = (money(price.low_micros), money(price.high_micros)) if price.is_interval else ("?", "?")
        cells = (pool.chip, str(pool.devices), str(given.get(pool.name, 0)), money(price.list_micros))
        _row(table, pool.name, *cells, money(price.price_micros), *ends)
    return table


def status_line(answer: Plan) -> str:
    """How far the solve got."""
    match answer.status:
        case Status.OPTIMAL:
            return "Proven to be the best plan."
        case Status.GAP:
            return f"Proven to be within {answer.gap:.2%} of the best plan."
        case Status.CUT_SHORT:
            known = (
                f"it is proven to be within {answer.gap:.2%} of the best" if answer.gap < 1e9 else "nothing is proven"
            )
            return f"Cut short by its budget: {known}."


def _missing_lines(problem: Problem, unmet: Sequence[Unmet]) -> list[str]:
    lines = []
    for each in unmet:
        lines.append(f"  - {each.work}: {lacking(each, is_job=_is_job(problem, each.work))}")
        lines += [f"      {words(why)}" for why in each.because[:REASONS_SHOWN]]
    return lines


def _is_job(problem: Problem, name: str) -> bool:
    return any(each.name == name for each in problem.jobs)


def _joined(sentences: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(sentences))


def _table(*titles: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=True)
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(printable(cell)) for cell in cells))


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one return a kind of value
    """A value of the domain as JSON can hold it; what a later plan starts from is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        named = {each.name: _plain(getattr(value, each.name)) for each in fields(value) if each.name != "warm"}
        kind = type(value).__name__
        return {"kind": kind, **named} if kind in {"AddNodes", "AllowSite", "SetBudget", "SetReplicasMax"} else named
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return None
    return value
