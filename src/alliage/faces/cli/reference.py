"""What a person means by MODEL: a name or hub id is passed on, a path is made absolute (the cloud has another folder)."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?P<part>[#@].+)?")
"""`ORG/NAME`, `ORG/NAME@REVISION`, `ORG/NAME#FILE`."""
_SCHEMES: Final = ("hf:", "pypi:")


def model_reference(text: str, *, catalogue: Collection[str]) -> str:
    """A catalogue name, a hub id ORG/NAME or an absolute path. A name of the catalogue wins over a file of that name."""
    if text in catalogue or text.startswith(_SCHEMES):
        return text
    path = Path(text.removeprefix("file:")).expanduser()
    hub_id = _HUB_ID.fullmatch(text)
    names_file = text.lower().endswith(".gguf") and not (hub_id and hub_id["part"])
    if text.startswith("file:") or path.exists() or names_file or ("/" in text and not hub_id):
        return str(path.absolute())
    return text
