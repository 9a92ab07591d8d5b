"""docs/api.md says of each path which engines serve it, as the catalogue does."""

import re
from pathlib import Path

from alliage.catalog.records import ApiPath, Task
from alliage.engines.serving import REHEARSED_PATHS
from alliage.gateway.endpoints import ENDPOINTS
from tests.builders import CATALOG

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
_WORDS = {Task.CHAT: "chats", Task.EMBED: "embeds", None: "any"}


def test_the_table_is_what_the_catalogue_says() -> None:
    """A row for each path in the order of `ApiPath`, a column for each engine, and the task that a model must have."""
    rows = [re.findall(r"[^|`\s]+", line) for line in PAGE.splitlines() if line.startswith("| `/")]
    columns = [CATALOG.engines[name].paths for name in ("llama.cpp", "vllm", "sglang", "mindie")]
    for path, row in zip(ApiPath, rows, strict=True):
        served = ["yes" if path in paths else "no" for paths in (*columns, REHEARSED_PATHS)]
        assert row == [path, *served, _WORDS[ENDPOINTS[path.encode()].task]]


def test_what_the_gateway_answers_itself_is_there() -> None:
    """Each path that is no engine's."""
    for path in ENDPOINTS.keys() - {each.encode() for each in ApiPath}:
        assert f"`GET {path.decode()}`" in PAGE
