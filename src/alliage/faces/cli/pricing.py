"""`alliage price`: money of the command line into bodies of the API, and its answers as a table."""

import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from alliage.errors import BadInput
from alliage.faces.admin.ledger_answers import PriceAnswer, PricesAnswer, PriceSetAnswer, TokenPriceAnswer
from alliage.faces.cli.client import AdminClient, parse
from alliage.faces.cli.place import find_place
from alliage.faces.cli.screen import remark, show, show_json
from alliage.faces.telling import printable
from alliage.ledger.money import money_text, parse_money
from alliage.ledger.periods import time_text

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def list_prices(home: Path, *, as_json: bool) -> None:
    """What is listed."""
    with AdminClient(find_place(home)) as client:
        raw = client.get("prices")
    if as_json:
        show_json(raw)
        return
    told = parse(PricesAnswer, raw)
    if told.prices:
        show(f"a million tokens, in {told.currency}", prices_table(told))
    else:
        remark("no prices: requests cost nothing; set one: alliage price set '*' --prompt 0.10 --output 0.40")


def set_price(home: Path, body: dict[str, Any], *, as_json: bool) -> None:
    """List a price."""
    with AdminClient(find_place(home)) as client:
        raw = client.post("prices", body=body)
    if as_json:
        show_json(raw)
        return
    told = parse(PriceSetAnswer, raw)
    show(f"{told.price.pattern}, from {time_text(told.price.from_s)}: {_words(told.price, told.currency)}")
    _remark_dry(told)


def drop_price(home: Path, pattern: str, *, dry_run: bool, as_json: bool) -> None:
    """End a price."""
    with AdminClient(find_place(home)) as client:
        raw = client.delete("prices", pattern, dry_run="true" if dry_run else "false")
    if as_json:
        show_json(raw)
        return
    told = parse(PriceSetAnswer, raw)
    show(f"{told.price.pattern} has no price of its own from {time_text(told.price.from_s)} on")
    _remark_dry(told)


def price_body(pattern: str, *, prompt: str, output: str, cached: str, from_: str) -> dict[str, Any]:
    """The body for what was given; raises BadInput for what cannot be read."""
    body: dict[str, Any] = {
        "pattern": pattern,
        "prompt_micros": parse_money(prompt, "--prompt"),
        "output_micros": parse_money(output, "--output"),
    }
    if cached:
        body["cached_micros"] = parse_money(cached, "--cached")
    if from_:
        body["from_s"] = parse_day(from_)
    return body


def parse_day(text: str) -> float:
    """The first second of a day of UTC; raises BadInput."""
    if _DAY.fullmatch(text) is not None:
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    raise BadInput(f"--from {text!r} is no day", remedy="write it like 2026-12-01")


def prices_table(told: PricesAnswer) -> Table:
    """One row an entry."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("NAME", "PROMPT", "CACHED", "OUTPUT", "FROM", "SET BY"):
        table.add_column(column, overflow="fold")
    for each in told.prices:
        when = time_text(each.from_s) + (" (to come)" if each.coming else "")
        cells = (each.pattern, *_amounts(each.price), when, each.who)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _words(price: PriceAnswer, currency: str) -> str:
    prompt, cached, output = _amounts(price.price)
    return f"{prompt} {currency} a million prompt tokens ({cached} cached), {output} a million output tokens"


def _amounts(price: TokenPriceAnswer | None) -> tuple[str, str, str]:
    if price is None:
        return ("ends", "ends", "ends")
    return (money_text(price.prompt_micros), money_text(price.cached_micros), money_text(price.output_micros))


def _remark_dry(told: PriceSetAnswer) -> None:
    if told.dry_run:
        remark("nothing was changed (--dry-run)")
