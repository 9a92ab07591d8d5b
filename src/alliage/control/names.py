"""Names that people give: to keys, projects, tenants and services."""

import re
from typing import Final

from alliage.errors import BadInput

PLAIN_NAME: Final = re.compile(r"(?!key-)[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""Of a key, a project or a tenant: it fits into an address and a line of text, and is not like a key's id."""
PLAIN_NAME_RULE: Final = (
    "use 1 to 63 letters, digits, '.', '_' and '-', first a letter or digit, and not `key-`, as ids begin"
)
SERVICE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
SERVICE_NAME_RULE: Final = "use 1 to 63 of a-z, 0-9, '.' and '-', first and last a letter or digit"


def check_plain(name: str, what: str) -> None:
    """Raise BadInput where `name` cannot be the name of `what` (such as `a key`)."""
    if PLAIN_NAME.fullmatch(name) is None:
        raise BadInput(f"{name!r} cannot be the name of {what}", remedy=PLAIN_NAME_RULE)
