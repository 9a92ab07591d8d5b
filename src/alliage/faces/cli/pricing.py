"""`alliage price`: money of the command line into bodies of the API, and its answers as a table."""

import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from alliage.errors import BadInput
from alliage.faces.admin.ledger_answers import (
    DevicePriceAnswer,
    DevicePriceSetAnswer,
    PriceAnswer,
    PricesAnswer,
    PriceSetAnswer,
    ScarcityAnswer,
    TokenPriceAnswer,
)
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
    if told.scarcity:
        show("", "\n".join(["scarce now:", *(_scarcity_line(each) for each in told.scarcity)]))
    if told.devices:
        show("", f"a device-hour, in {told.currency}", devices_table(told))


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


def price_body(
    pattern: str, *, prompt: str, output: str, cached: str, from_: str, scarcity_max: str = ""
) -> dict[str, Any]:
    """The body for what was given; raises BadInput for what cannot be read."""
    for what, given in (("NAME", pattern), ("--prompt", prompt), ("--output", output)):
        if not given:
            raise BadInput(f"{what} is missing", remedy="give NAME, --prompt and --output, or --chip")
    body: dict[str, Any] = {
        "pattern": pattern,
        "prompt_micros": parse_money(prompt, "--prompt"),
        "output_micros": parse_money(output, "--output"),
    }
    if cached:
        body["cached_micros"] = parse_money(cached, "--cached")
    if scarcity_max:
        body["scarcity_max_ppm"] = parse_money(scarcity_max, "--scarcity-max")
    if from_:
        body["from_s"] = parse_day(from_)
    return body


def set_device(home: Path, body: dict[str, Any], *, as_json: bool) -> None:
    """List the price of a device-hour."""
    with AdminClient(find_place(home)) as client:
        raw = client.post("device-prices", body=body)
    if as_json:
        show_json(raw)
        return
    told = parse(DevicePriceSetAnswer, raw)
    amount = money_text(told.price.micros_per_hour or 0)
    show(f"{told.price.chip}, from {time_text(told.price.from_s)}: {amount} {told.currency} a device-hour")
    _remark_dry(told)


def drop_device(home: Path, chip: str, *, dry_run: bool, as_json: bool) -> None:
    """End the price of a device-hour."""
    with AdminClient(find_place(home)) as client:
        raw = client.delete("device-prices", chip, dry_run="true" if dry_run else "false")
    if as_json:
        show_json(raw)
        return
    told = parse(DevicePriceSetAnswer, raw)
    show(f"{told.price.chip} has no listed price of a device-hour from {time_text(told.price.from_s)} on")
    _remark_dry(told)


def device_body(chip: str, *, per_device_hour: str, from_: str) -> dict[str, Any]:
    """The body for what was given; raises BadInput for what cannot be read."""
    if not chip or not per_device_hour:
        missing = "--per-device-hour" if chip else "--chip"
        raise BadInput(f"{missing} is missing", remedy="give both --chip and --per-device-hour")
    body: dict[str, Any] = {"chip": chip, "micros_per_hour": parse_money(per_device_hour, "--per-device-hour")}
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
    table = _table("NAME", "PROMPT", "CACHED", "OUTPUT", "SCARCITY", "FROM", "SET BY")
    for each in told.prices:
        cells = (each.pattern, *_amounts(each.price), _most(each), _when(each), each.who)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def devices_table(told: PricesAnswer) -> Table:
    """One row an entry."""
    table = _table("CHIP", "PRICE", "FROM", "SET BY")
    for each in told.devices:
        amount = "ends" if each.micros_per_hour is None else money_text(each.micros_per_hour)
        cells = (each.chip, amount, _when(each), each.who)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _when(entry: PriceAnswer | DevicePriceAnswer) -> str:
    return time_text(entry.from_s) + (" (to come)" if entry.coming else "")


def _most(entry: PriceAnswer) -> str:
    return "-" if entry.scarcity_max_ppm is None else f"to x{money_text(entry.scarcity_max_ppm)}"


def _scarcity_line(told: ScarcityAnswer) -> str:
    """`chat: x1.40 since ...: nvidia-h20 at north is scarce (a device-hour 1.00, now worth 1.40); 0.42 prompt, ...`."""
    because = ", ".join(
        f"{each.chip} at {each.site} is scarce (a device-hour {money_text(each.list_micros)}, "
        f"now worth {money_text(each.price_micros)})"
        for each in told.because
    )
    prompt, cached, output = _amounts(told.price)
    return printable(
        f"  {told.service}: x{money_text(told.factor_ppm)} since {time_text(told.from_s)}, "
        f"so {prompt} prompt, {cached} cached, {output} output: {because}"
    )


def _words(price: PriceAnswer, currency: str) -> str:
    prompt, cached, output = _amounts(price.price)
    most = "" if price.scarcity_max_ppm is None else f", under scarcity up to x{money_text(price.scarcity_max_ppm)}"
    return f"{prompt} {currency} a million prompt tokens ({cached} cached), {output} a million output tokens{most}"


def _amounts(price: TokenPriceAnswer | None) -> tuple[str, str, str]:
    if price is None:
        return ("ends", "ends", "ends")
    return (money_text(price.prompt_micros), money_text(price.cached_micros), money_text(price.output_micros))


def _remark_dry(told: PriceSetAnswer | DevicePriceSetAnswer) -> None:
    if told.dry_run:
        remark("nothing was changed (--dry-run)")
