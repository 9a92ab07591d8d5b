"""What the admin API answers about keys. As `answers`: also read by the CLI."""

from alliage.faces.admin.answers import Answer
from alliage.faces.admin.limit_answers import LimitsAnswer


class KeyAnswer(Answer):
    """A key without its secret."""

    id: str
    name: str
    role: str
    tenant: str
    project: str
    """"" for none."""
    priority: str
    limits: LimitsAnswer
    """Its own; its project's and its tenant's hold beside them."""
    created_s: float
    doubts: tuple[str, ...]
    """What of its limits is probably not meant."""


class KeysAnswer(Answer):
    """All keys."""

    keys: tuple[KeyAnswer, ...]


class KeyCreatedAnswer(Answer):
    """A new key. The secret is told here once and kept nowhere; in a dry run it is "", and the key has no id."""

    dry_run: bool
    key: KeyAnswer
    secret: str


class KeySetAnswer(Answer):
    """The key as it is from now on, or would be in a dry run."""

    dry_run: bool
    key: KeyAnswer
