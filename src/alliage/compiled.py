"""The gateway's data path as machine code: the same modules, compiled by mypyc (`make compiled`), where they are of these sources.

`use_compiled` comes before anything else is imported. Nothing depends on it: without a compiler, or after a change of the
sources, the modules run as they stand.
"""

import hashlib
import json
import sys
import sysconfig
from collections.abc import Callable, Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final

SUFFIX: Final = sysconfig.get_config_var("EXT_SUFFIX")
MANIFEST: Final = "manifest.json"
SOURCES: Final = Path(__file__).parent.parent
MODULES: Final = (
    "alliage.fleet.charges",
    "alliage.link.entries",
    "alliage.link.stretches",
    *(
        f"alliage.decide.{name}"
        for name in (
            "route", "routing.board", "routing.bodies", "routing.chance", "routing.cost", "routing.habits", "routing.lane", "routing.learned",
            "routing.looks", "routing.prefixes", "routing.prompt", "routing.reckoned", "routing.roster", "routing.samples",
        )
    ),
    *(
        f"alliage.gateway.{name}"
        for name in (
            "admission", "allowances", "allowed", "answer_head", "answering", "body", "books.accounts", "books.endings", "books.journal", "books.naming",
            "books.reading", "buckets",
            "choosing", "chosen", "client", "cohort", "counts", "door", "endpoints", "exchange", "failing", "flights", "footing", "foreseeing", "forms", "grant",
            "handing", "heads", "intake", "kept", "known", "limiting", "limits", "local", "naming", "passing", "pools", "problems", "queueing", "request", "room",
            "serving", "sse", "stats", "sums", "timing", "tracing", "upstream", "utf8", "wire",
        )
    ),
)  # fmt: skip
"""What a request passes, and its record on the way to the ledger."""


def is_compiled(function: Callable[..., object]) -> bool:
    """Whether a module's function runs as machine code: loops over bytes are only worth while there."""
    return not isinstance(function, FunctionType)


def folder() -> Path | None:
    """Where the compiled modules of this environment are, if it has any."""
    for entry in sys.path:
        found = Path(entry) / "alliage_compiled"
        if (found / MANIFEST).is_file():
            return found
    return None


def source_of(module: str) -> Path:
    """The file of a module."""
    return SOURCES.joinpath(*module.split(".")).with_suffix(".py")


def digests() -> dict[str, str]:
    """What a manifest says of the sources: the SHA-256 of each module's file."""
    return {module: hashlib.sha256(source_of(module).read_bytes()).hexdigest() for module in MODULES}


def use_compiled() -> str:
    """Import compiled modules from now on; why not, or "" where it does."""
    where = folder()
    if where is None:
        return "nothing is compiled; `make compiled` does it"
    manifest = json.loads((where / MANIFEST).read_text())
    if manifest["suffix"] != SUFFIX:
        return f"what is compiled is for another Python ({manifest['suffix']})"
    if manifest["sources"] != digests():
        return "what is compiled is of other sources; `make compiled` does it again"
    sys.meta_path.insert(0, _Finder(where))
    return ""


class _Finder:
    """Finds the compiled modules, and the one that holds their code."""

    def __init__(self, where: Path) -> None:
        self._files = {path.name.removesuffix(SUFFIX): path for path in where.iterdir() if path.name.endswith(SUFFIX)}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The importer's question; `path` and `target` say nothing here."""
        del path, target
        file = self._files.get(fullname)
        if file is None:
            return None
        return spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, str(file)))
