"""`alliage project`: asks, and tells in words and a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from alliage.errors import BadInput
from alliage.faces.admin.project_answers import ProjectAnswer, ProjectsAnswer, ProjectSetAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.limits import NONE, OPTIONS, doubt_lines, limit_words
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json
from alliage.faces.cli.tables import plain_table


def list_projects(home: Path, tenant: str | None, *, as_json: bool) -> None:
    """All of them, or one tenant's."""
    path = ("projects",) if tenant is None else ("tenants", tenant, "projects")
    with AdminClient(find_place(home)) as client:
        raw = client.get(*path)
    if as_json:
        show_json(raw)
        return
    found = parse(ProjectsAnswer, raw).projects
    show(projects_table(found)) if found else remark("no projects: no key names one, and no limits are set of one")


def show_project(home: Path, name: str, *, as_json: bool) -> None:
    """One of them."""
    with AdminClient(find_place(home)) as client:
        raw = client.get(*_path(name))
    show_json(raw) if as_json else show("\n".join(project_lines(parse(ProjectAnswer, raw))))


def set_project(home: Path, name: str, limits: dict[str, Any], *, dry_run: bool, as_json: bool) -> None:
    """Change the limits that are given."""
    if not limits:
        raise BadInput("set what?", remedy=f"give {OPTIONS}")
    with AdminClient(find_place(home)) as client:
        raw = client.patch(*_path(name), body={"limits": limits, "dry_run": dry_run})
    if as_json:
        show_json(raw)
        return
    answer = parse(ProjectSetAnswer, raw)
    show("\n".join(project_lines(answer.project)))
    if answer.dry_run:
        remark("nothing was changed (--dry-run)")


def drop_project(home: Path, name: str, *, dry_run: bool, as_json: bool) -> None:
    """Without limits again."""
    with AdminClient(find_place(home)) as client:
        raw = client.delete(*_path(name), dry_run=str(dry_run).lower())
    if as_json:
        show_json(raw)
        return
    left = parse(ProjectAnswer, raw)
    verb = "would be" if dry_run else "is"
    remark(f"project {name} {verb} {'without limits; its keys stay in it' if left.keys else 'gone'}")
    if dry_run:
        remark("nothing was changed (--dry-run)")


def projects_table(projects: Sequence[ProjectAnswer]) -> Table:
    """One row a project."""
    rows = ((f"{each.tenant}/{each.name}", str(len(each.keys)), limit_words(each.limits)) for each in projects)
    return plain_table(("PROJECT", "KEYS", "LIMITS"), rows)


def project_lines(project: ProjectAnswer) -> list[str]:
    """One project in words; doubts last."""
    return [
        f"project {project.tenant}/{project.name}",
        f"  limits  {limit_words(project.limits)}",
        f"  keys    {', '.join(project.keys) or NONE}",
        *doubt_lines(project.doubts),
    ]


def _path(name: str) -> tuple[str, str, str, str]:
    tenant, slash, project = name.partition("/")
    if not slash:
        raise BadInput(f"{name!r} is no project", remedy="write TENANT/NAME, as `alliage project list` does")
    return ("tenants", tenant, "projects", project)
