"""`alliage tenant`: texts of the command line into bodies of the API, and its answers as words and a table."""

import re
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from alliage.errors import BadInput
from alliage.faces.admin.tenant_answers import GuaranteeAnswer, TenantAnswer, TenantsAnswer, TenantSetAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.limits import NONE, OPTIONS, doubt_lines, limit_words
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json
from alliage.faces.cli.tables import plain_table

_GUARANTEE: Final = re.compile(r"([^:@\s]+):(\d{1,9})(?:@(\S+))?")
_BUDGET: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(?:/h)?")


def list_tenants(home: Path, *, as_json: bool) -> None:
    """All of them."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("tenants")
    if as_json:
        show_json(raw)
        return
    found = parse(TenantsAnswer, raw).tenants
    show(tenants_table(found)) if found else remark("no tenants: nobody has a key, and nothing is deployed")


def show_tenant(home: Path, name: str, *, as_json: bool) -> None:
    """One of them."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("tenants", name)
    show_json(raw) if as_json else show("\n".join(tenant_lines(parse(TenantAnswer, raw))))


def set_tenant(home: Path, name: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Change what the body names; tells what the fleet cannot keep of it."""
    with AdminClient(find_place(home)) as client:
        raw = client.patch("tenants", name, body=body)
    if as_json:
        show_json(raw)
        return
    answer = parse(TenantSetAnswer, raw)
    show("\n".join(tenant_lines(answer.tenant)))
    if body.get("logs_prompts"):
        ends = f"`alliage tenant set {name} --no-log-prompts` ends it"
        remark(f"prompts of {name} go to logs/access.log where `[gateway] access_log` is true; {ends}")
    if answer.dry_run:
        remark("nothing was changed (--dry-run)")


def drop_tenant(home: Path, name: str, *, dry_run: bool, as_json: bool) -> None:
    """Back to the defaults."""
    with AdminClient(find_place(home)) as client:
        raw = client.delete("tenants", name, dry_run=str(dry_run).lower())
    if as_json:
        show_json(raw)
        return
    left = parse(TenantAnswer, raw)
    gone = not left.services and not left.keys and not left.projects
    verb = "would " if dry_run else ""
    has, is_ = ("have", "be") if dry_run else ("has", "is")
    stays = f"{has} the defaults again; its services, keys and projects stay"
    remark(f"tenant {name} {verb}{f'{is_} gone' if gone else stays}")
    if dry_run:
        remark("nothing was changed (--dry-run)")


def tenant_body(
    *,
    tier: int | None,
    weight: float | None,
    guarantees: list[str] | None,
    budget: str | None,
    limits: dict[str, Any],
    logs_prompts: bool | None = None,
) -> dict[str, Any]:
    """The body for what was given; raises BadInput for what cannot be read, and where nothing was given."""
    body: dict[str, Any] = {}
    if tier is not None:
        body["tier"] = tier
    if weight is not None:
        if not isfinite(weight):
            raise BadInput(f"--weight is {weight}", remedy="give a number above zero")
        body["weight"] = weight
    if guarantees:
        body["guarantees"] = [] if guarantees == [NONE] else [parse_guarantee(each) for each in guarantees]
    if budget is not None:
        body["budget_micros"] = None if budget == NONE else parse_budget(budget)
    if limits:
        body["limits"] = limits
    if logs_prompts is not None:
        body["logs_prompts"] = logs_prompts
    if not body:
        raise BadInput("set what?", remedy=f"give --tier, --weight, --guarantee, --budget, --log-prompts, {OPTIONS}")
    return body


def parse_guarantee(text: str) -> dict[str, Any]:
    """`nvidia-h20+huawei-910b:16@hall` as the API takes it; raises BadInput."""
    match = _GUARANTEE.fullmatch(text.strip())
    if match is None:
        raise BadInput(
            f"--guarantee {text!r} cannot be read",
            remedy="write CHIP:DEVICES, CHIP+CHIP:DEVICES or CHIP:DEVICES@SITE, such as nvidia-h20:8@hall",
        )
    return {"chips": match[1].split("+"), "devices": int(match[2]), "site": match[3] or ""}


def parse_budget(text: str) -> int:
    """Micros an hour of `40/h` or `40`; raises BadInput."""
    match = _BUDGET.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"--budget {text!r} cannot be read", remedy="write what an hour may cost, such as 40/h, or none")
    return int(Decimal(match[1]) * 10**6)


def tenants_table(tenants: tuple[TenantAnswer, ...]) -> Table:
    """One row a tenant; whose prompts are logged where anybody's are."""
    columns = ("TENANT", "TIER", "WEIGHT", "GUARANTEED", "BUDGET", "LIMITS", "DEVICES", "SERVICES", "KEYS")
    if not any(each.logs_prompts for each in tenants):
        return plain_table(columns, (_cells(each) for each in tenants))
    rows = ((*_cells(each), "logged" if each.logs_prompts else "-") for each in tenants)
    return plain_table((*columns, "PROMPTS"), rows)


def _cells(tenant: TenantAnswer) -> tuple[str, ...]:
    rights = (str(tenant.tier), f"{tenant.weight:g}", _guarantees(tenant), _budget(tenant), limit_words(tenant.limits))
    return (tenant.name, *rights, str(tenant.devices), str(len(tenant.services)), str(len(tenant.keys)))


def tenant_lines(tenant: TenantAnswer) -> list[str]:
    """One tenant in words; doubts last."""
    return [
        f"tenant {tenant.name}: tier {tenant.tier}, weight {tenant.weight:g}",
        f"  guaranteed  {_guarantees(tenant)}",
        f"  budget      {_budget(tenant)}",
        f"  limits      {limit_words(tenant.limits)}",
        f"  prompts     {'logged' if tenant.logs_prompts else 'not logged'}",
        f"  devices     {tenant.devices} now",
        f"  services    {', '.join(tenant.services) or NONE}",
        f"  projects    {', '.join(tenant.projects) or NONE}",
        f"  keys        {', '.join(tenant.keys) or NONE}",
        *(f"  not to be kept now: {doubt}" for doubt in tenant.doubts),
        *doubt_lines(tenant.limit_doubts),
    ]


def _guarantees(tenant: TenantAnswer) -> str:
    return ", ".join(_guarantee(each) for each in tenant.guarantees) or NONE


def _guarantee(guarantee: GuaranteeAnswer) -> str:
    """As it is written on the command line."""
    return f"{'+'.join(guarantee.chips)}:{guarantee.devices}" + (f"@{guarantee.site}" if guarantee.site else "")


def _budget(tenant: TenantAnswer) -> str:
    return "no limit" if tenant.budget_micros is None else f"{Decimal(tenant.budget_micros) / 10**6:f}/h"
