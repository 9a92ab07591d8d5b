"""Defaults of `alliage up`, in a module that costs nothing to import."""

from typing import Final

HOST: Final = "127.0.0.1"
"""Where the admin API listens, always, and the OpenAI API by default."""
PORT: Final = 8000
ADMIN_PORT: Final = 8001
DEFAULT_MODEL: Final = "smollm2-135m"
