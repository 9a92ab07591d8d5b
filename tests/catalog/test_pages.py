"""Pages of docs/ that are made from the catalogue."""

import re
from pathlib import Path

import pytest
from scripts.catalog_pages import DOCS, PAGES

from alliage.catalog.loader import load_catalog
from tests.builders import CATALOG
from tests.catalog.files import put


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_is_not_stale(page: str) -> None:
    """What stands in docs/ is what the catalogue says now; `python scripts/catalog_pages.py` writes it again."""
    assert (DOCS / page).read_text() == PAGES[page](CATALOG), f"docs/{page} is stale: run scripts/catalog_pages.py"


def test_the_chips_page_tells_every_chip_and_stack() -> None:
    """Each has its row or section; what is unknown is called so, what a chip cannot do is a no."""
    page = PAGES["chips.md"](CATALOG)
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(CATALOG.chips)
    assert all(f"(`{stack}`)" in page for stack in CATALOG.stacks)
    assert rows["thead-ppu-810e"].split(" | ")[2:6] == ["96 v", "unknown", "123 c", "no c"]


def test_the_models_page_tells_every_model() -> None:
    """Each has its row with the count computed and the one published, and the cache of its kind of attention."""
    page = PAGES["models.md"](CATALOG)
    rows = {line.split("`")[1]: line.split(" | ") for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(CATALOG.models)
    assert rows["qwen3-235b-a22b"][1:5] == ["235B", "235B", "22.2B", "8 of 128"]
    assert rows["gpt-oss-20b"][7] == "12 full, 12 sliding"
    assert rows["llama-2-7b"][10] == "-"


def test_the_example_of_adding_a_chip_works(tmp_path: Path) -> None:
    """The files that the page shows are loaded as they stand."""
    page = "".join(page(CATALOG) for page in PAGES.values())
    for text in re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL):
        kind, name = text.splitlines()[0].split("/")[-2:]
        put(tmp_path, kind, text, name)
    catalog = load_catalog(tmp_path)
    assert (catalog.chips["lumen-l1"].memory_gb.value, catalog.stacks["lumen"].smi) == (32, ("lumen-smi",))
    assert catalog.models["house-8b"].architecture == catalog.models["qwen3-8b"].architecture
