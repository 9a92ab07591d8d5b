"""What the admin API answers about projects. As `answers`: also read by the CLI."""

from alliage.faces.admin.answers import Answer
from alliage.faces.admin.limit_answers import LimitsAnswer


class ProjectAnswer(Answer):
    """A part of a tenant's work that keys belong to."""

    tenant: str
    name: str
    limits: LimitsAnswer
    """Of all its keys together; the tenant's hold beside them."""
    keys: tuple[str, ...]
    doubts: tuple[str, ...]
    """What of its limits is probably not meant."""


class ProjectsAnswer(Answer):
    """Every project of which something is set, or which a key names, by tenant and name."""

    projects: tuple[ProjectAnswer, ...]


class ProjectSetAnswer(Answer):
    """The project as it is from now on, or would be in a dry run."""

    dry_run: bool
    project: ProjectAnswer
