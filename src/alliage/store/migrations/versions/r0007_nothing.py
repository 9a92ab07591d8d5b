"""Nothing: the place of a revision that is made elsewhere, until both are merged."""

from typing import Final

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    """No change."""
