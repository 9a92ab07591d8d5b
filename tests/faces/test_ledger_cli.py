"""`alliage usage`, `bill` and `price` in processes of their own: what is printed, to the letter."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from alliage.errors import BadInput
from alliage.faces.cli.csv_text import Amount, csv_text
from alliage.faces.cli.ledger_commands import UsageBy
from alliage.faces.cli.pricing import device_body, price_body
from alliage.ledger.money import parse_money
from alliage.ledger.periods import time_text
from alliage.ledger.scarcity import Devices, Factor
from alliage.ledger.statements import By
from tests.control.world import an_order
from tests.faces.served import USER_KEY, Served, served
from tests.faces.shell import Ran, alliage
from tests.ledger.builders import NOVEMBER_S, PRICE, a_record

MONTH = ("--tenant", "acme", "--month", "2026-11")


@pytest.fixture
def cloud() -> Iterator[Served]:
    """A cloud of its own for each test."""
    with served() as running:
        yield running


@pytest.fixture
def home(cloud: Served, tmp_path: Path) -> Path:
    """A home folder as `alliage up` leaves it."""
    cloud.announce(tmp_path / "home")
    return tmp_path / "home"


def done(ran: Ran) -> Ran:
    """The run, which must have ended well."""
    assert ran.code == 0, ran
    return ran


def test_a_month_from_price_to_bill(cloud: Served, home: Path, snapshot: SnapshotAssertion) -> None:
    """An admin's month: a price, requests, one that is corrected, usage, the bill, and single records."""
    told = []
    said = done(
        alliage("price", "set", "qwen*", "--prompt", "0.30", "--cached", "0.06", "--output", "1.20", home=home)
    ).out
    told.append(said.partition(", from ")[0] + said.partition("Z")[2])
    cloud.take(
        a_record("r1"),
        a_record("r2", service="search", is_estimated=True, prompt_tokens=10**6, cached_tokens=0, output_tokens=10**5),
        a_record("r3", began_s=NOVEMBER_S, origin=a_record().origin.__class__(model="llama"), key="key-user"),
    )
    correct = ("usage", "correct", "r2", "--to", "0.1", "--reason", "=garbled")
    for ran in (
        alliage("usage", *MONTH, home=home),
        alliage("usage", *MONTH, "--recount", "--csv", home=home),
        alliage(*correct, "--dry-run", home=home),
        alliage(*correct, home=home),
        alliage("bill", *MONTH, home=home),
        alliage("bill", *MONTH, "--csv", home=home),
        alliage("usage", "records", "--limit", "2", home=home),
    ):
        told += [done(ran).out, ran.err]
    shown = done(alliage("usage", "show", "r2", home=home)).out.splitlines()
    told += [line for line in shown if "corrected" not in line]
    assert "  corrected -0.32, 1970-01-1" in "\n".join(shown)
    assert [text.splitlines() for text in told] == snapshot


def test_csv_sums_to_the_bill(cloud: Served, home: Path) -> None:
    """The amounts of the lines, with the corrections made in the month, are what JSON tells as the total."""
    pricing = cloud.books.set_price("*", PRICE, from_s=None, who="admin", dry_run=False)
    asyncio.run_coroutine_threadsafe(pricing, cloud.loop).result(10)
    cloud.take(*(a_record(f"r{number}", service=f"s{number % 3}", prompt_tokens=1001 + number) for number in range(9)))
    correcting = cloud.books.correct("r1", to_micros=7, reason="late", who="ann", dry_run=False)
    asyncio.run_coroutine_threadsafe(correcting, cloud.loop).result(10)
    for month in ("2026-11", "1970-01"):
        asked = ("bill", "--tenant", "acme", "--month", month)
        lines = list(csv.DictReader(io.StringIO(done(alliage(*asked, "--csv", home=home)).out)))
        total = json.loads(done(alliage(*asked, "--json", home=home)).out)["total"]
        assert sum(parse_money(line["amount"], "it") for line in lines) == total["total_micros"] != 0
        assert sum(int(line["requests"] or 0) for line in lines) == total["requests"]


def test_a_user_reads_the_own_tenants_bill(cloud: Served, home: Path) -> None:
    """Without naming it; a spreadsheet runs nothing that a client wrote."""
    cloud.take(a_record("r1", tenant="default", request='=HYPERLINK("x")'))
    bill = done(alliage("bill", "--month", "2026-11", home=home, ALLIAGE_KEY=USER_KEY))
    assert bill.out.startswith("bill of tenant default for 2026-11, in CNY\n")
    assert "without a price, so free: 1" in bill.err
    assert "'=HYPERLINK" in done(alliage("usage", "records", "--csv", home=home, ALLIAGE_KEY=USER_KEY)).out
    refused = alliage("price", "drop", "*", home=home, ALLIAGE_KEY=USER_KEY)
    assert (refused.code, "needs the role admin" in refused.err) == (1, True)


def test_prices_from_set_to_drop(home: Path) -> None:
    """To come and dropped."""
    done(alliage("price", "set", "chat", "--prompt", "1", "--output", "2.5", "--from", "1970-03-01", home=home))
    (_, head, line) = done(alliage("price", "list", home=home)).out.splitlines()
    assert head.split() == ["NAME", "PROMPT", "CACHED", "OUTPUT", "SCARCITY", "FROM", "SET", "BY"]
    assert line.split() == ["chat", "1.00", "1.00", "2.50", "-", "1970-03-01T00:00:00Z", "(to", "come)", "admin"]
    assert "nothing was changed" in done(alliage("price", "drop", "chat", "--dry-run", home=home)).err
    assert "no price of its own" in done(alliage("price", "drop", "chat", home=home)).out
    assert "no prices: requests cost nothing" in done(alliage("price", "list", home=home)).err


def test_a_price_under_scarcity_says_why(cloud: Served, home: Path) -> None:
    """How many times the list price, since when, which device-hour is worth more, and what tokens cost now; the bill has its share."""
    asyncio.run_coroutine_threadsafe(cloud.world.desk.deploy(an_order("tiny")), cloud.loop).result(10)
    set_ = ("price", "set", "tiny", "--prompt", "1", "--output", "2", "--scarcity-max", "1.5")
    assert "under scarcity up to x1.50" in done(alliage(*set_, home=home)).out
    because = Devices(chip="nvidia-h20", site="north", count=4, list_micros=1_000_000, price_micros=1_400_000)
    now_s = cloud.call(cloud.books.now_s)
    cloud.books.post_factors([Factor(service="tiny", from_s=now_s, factor_ppm=1_400_000, because=(because,))]).result(
        10
    )
    cloud.take(a_record("r1", service="tiny", began_s=now_s, tenant="default"))
    (_, _, line, _, scarce, told) = done(alliage("price", "list", home=home, ALLIAGE_KEY=USER_KEY)).out.splitlines()
    assert line.split()[:5] == ["tiny", "1.00", "1.00", "2.00", "to"]
    assert scarce == "scarce now:"
    words = "nvidia-h20 at north is scarce (a device-hour 1.00, now worth 1.40)"
    assert told == f"  tiny: x1.40 since {time_text(now_s)}, so 1.40 prompt, 1.40 cached, 2.80 output: {words}"
    bill = done(alliage("bill", "--tenant", "default", home=home))
    assert "for scarcity: 0.00056 " in bill.err
    shown = done(alliage("usage", "show", "r1", home=home)).out
    assert "charged   0.00196 CNY, by 1.40 prompt, 1.40 cached, 2.80 output a million tokens; 0.00056 of it" in shown


def test_prices_of_device_hours_from_set_to_drop(home: Path) -> None:
    """Set for now and for later, listed, dropped; a chip that there is none of is told."""
    chip = ("--chip", "nvidia-h20")
    said = done(alliage("price", "set", *chip, "--per-device-hour", "1.35", home=home)).out
    assert said.startswith("nvidia-h20, from 1970-01-")
    assert said.endswith(": 1.35 CNY a device-hour\n")
    done(alliage("price", "set", *chip, "--per-device-hour", "2", "--from", "1970-03-01", home=home))
    (_, _, head, now, later) = done(alliage("price", "list", home=home)).out.splitlines()
    assert head.split() == ["CHIP", "PRICE", "FROM", "SET", "BY"]
    assert (now.split()[:2], later.split()[:2]) == (["nvidia-h20", "1.35"], ["nvidia-h20", "2.00"])
    assert "nothing was changed" in done(alliage("price", "drop", *chip, "--dry-run", home=home)).err
    assert "no listed price of a device-hour" in done(alliage("price", "drop", *chip, home=home)).out
    assert "nvidia-h20" not in done(alliage("price", "list", home=home)).out
    unknown = alliage("price", "set", "--chip", "abacus", "--per-device-hour", "1", home=home)
    assert (unknown.code, "'abacus' is no chip" in unknown.err) == (1, True)


def test_what_cannot_be_asked_is_bad_input(home: Path) -> None:
    """Exit code 2, with the value and the way out: of the command line's own, and of the API's."""
    for arguments, said in (
        (("usage", "--month", "2026-11", "records"), "takes its options behind its name"),
        (("bill",), "a bill is one tenant's"),
        (("price", "set", "a", "--chip", "b", "--per-device-hour", "1"), "is set alone"),
        (("price", "drop"), "one price is dropped at a time"),
    ):
        ran = alliage(*arguments, home=home)
        assert (ran.code, said in ran.err) == (2, True), ran


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompt": "free"}, "--prompt 'free' is no amount of money"),
        ({"cached": "1,5"}, "--cached '1,5' is no amount"),
        ({"scarcity_max": "x2"}, "--scarcity-max 'x2' is no amount"),
        ({"output": ""}, "--output is missing"),
        ({"pattern": ""}, "NAME is missing"),
        ({"from_": "2026-02-30"}, "'2026-02-30' is no day"),
        ({"from_": "tomorrow"}, "'tomorrow' is no day"),
    ],
)
def test_prices_that_cannot_be_read_are_bad_input(given: dict[str, str], said: str) -> None:
    """With the option, the value and how it is written."""
    with pytest.raises(BadInput, match=said):
        price_body(**({"pattern": "a", "prompt": "1", "output": "1", "cached": "", "from_": ""} | given))


def test_a_device_hour_is_of_a_chip_and_has_a_price() -> None:
    """Either alone is bad input; both are whole micros from a day on."""
    for chip, price, missing in (("", "1", "--chip"), ("nvidia-h20", "", "--per-device-hour")):
        with pytest.raises(BadInput, match=f"{missing} is missing"):
            device_body(chip, per_device_hour=price, from_="")
    body = {"chip": "nvidia-h20", "micros_per_hour": 1_350_000, "from_s": 86400.0}
    assert device_body("nvidia-h20", per_device_hour="1.35", from_="1970-01-02") == body


def test_cells_that_a_spreadsheet_would_run_are_quoted() -> None:
    """Also behind blanks and with wide signs; numbers and our own amounts stay numbers, and control characters go."""
    cells = ("=1+1", "+1", "-1", "@a", "  =1", "\t=1", "\uff1d1", "a=1", "", "a\x1b[2J", None, -5, Amount("-0.50"))
    (row,) = csv.reader(io.StringIO(csv_text((), [cells]).partition("\n")[2]))
    assert row == ["'=1+1", "'+1", "'-1", "'@a", "'  =1", "'\t=1", "'\uff1d1", "a=1", "", "a[2J", "", "-5", "-0.50"]


def test_the_command_line_knows_what_may_be_asked_by() -> None:
    """Its choices, which are written again so that help is quick, are those of the ledger."""
    assert {each.value for each in UsageBy} == {each.value for each in By}
