"""The commands that tell the catalogue's chips: ask, then print a table or, with `--json`, what the API answered."""

from pathlib import Path

from alliage.faces.admin.catalog_answers import ChipDetailAnswer, ChipsAnswer
from alliage.faces.cli import chip_tables
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json


def chips(home: Path, *, maker: str | None, here: bool, as_json: bool) -> None:
    """The chips, of one maker or here only."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("chips", maker=maker or "", here=str(here).lower())
    if as_json:
        show_json(raw)
        return
    found = parse(ChipsAnswer, raw).chips
    if not found:
        remark("no connected node has a chip of the catalogue")
        return
    show(chip_tables.chips_table(found))
    makers = len({each.maker for each in found})
    remark(f"{len(found)} chips of {makers} makers; {chip_tables.LEGEND}")


def chip(home: Path, name: str, *, as_json: bool) -> None:
    """Every fact of one chip."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("chips", name)
    if as_json:
        show_json(raw)
        return
    show(*chip_tables.detail_parts(parse(ChipDetailAnswer, raw)))
